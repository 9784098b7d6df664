"""Charts, sections and words as files declare them: one file a chart, and every text in three languages."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

import yaml
from pydantic import Field, ValidationError, model_validator

from extractors.declared import Declared, Labels
from extractors.source import Redistribution, load_source

HERE = Path(__file__).parent
Language = Literal["kk", "ru", "en"]
HANDED_ON: tuple[Redistribution, ...] = ("open", "share-alike")
LANGUAGES: tuple[Language, ...] = get_args(Language)


class GalleryError(RuntimeError):
    """A file of the gallery that cannot be used, or a page that cannot be made; the message names the file and what to do."""


class Said(Labels):
    """A text in the three languages, none of them empty."""

    @model_validator(mode="after")
    def _is_said(self) -> Said:
        for language in LANGUAGES:
            if not getattr(self, language).strip():
                raise ValueError(f"the text in {language!r} is empty")
        return self

    def __getitem__(self, language: str) -> str:
        return str(getattr(self, language))


class Column(Declared):
    """A column of a chart's table; one whose values are names is asked for as `<column>_kk`, `_ru`, `_en`."""

    label: Said
    kind: Literal["number", "year", "name", "text"] = "number"
    decimals: int = Field(default=0, ge=0, le=4)


class Chart(Declared):
    """One chart: what is asked of `bi`, how it is drawn (Vega-Lite), and what is said of it.

    In `spec` a string `$width` is the width of the drawing and `$width*0.5+3` a size that goes with it; `$unit`, `$label.<column>` and
    `$term.<name>` are texts in the language of the page, `$blue` and others colours, `$world` the outlines of countries; `$lang` inside a
    string is the language.
    """

    id: str = Field(pattern=r"^[a-z][a-z0-9-]+$", description="the permanent address, as #id")
    section: str
    datasets: tuple[str, ...] = Field(min_length=1, description="what the figures rest on, as source.dataset")
    marts: tuple[str, ...] = Field(min_length=1, description="the marts that are asked")
    query: str
    columns: dict[str, Column]
    unit: Said
    title: Said
    note: Said = Field(description="what is counted, and of whom")
    missing: Said = Field(description="what is missing, breaks, and known under-coverage")
    terms: dict[str, Said] = Field(default={})
    spec: dict[str, Any]

    @property
    def is_handed_on(self) -> bool:
        """Whether its table may be given away as a file: all that it rests on is open, or shared alike."""
        named = (name.partition(".") for name in self.datasets)
        return all(load_source(source).datasets[dataset].redistribution in HANDED_ON for source, _, dataset in named)

    @model_validator(mode="after")
    def _knows_its_words(self) -> Chart:
        for asked in _strings(self.spec):
            for kind, name in re.findall(r"\$(label|term)\.(\w+)", asked):
                if name not in (self.columns if kind == "label" else self.terms):
                    raise ValueError(f"spec: ${kind}.{name} is not declared")
        return self


class Section(Declared):
    """A part of the front page."""

    title: Said
    lead: Said


class Texts(Declared):
    """Everything that the pages say and that is no figure."""

    base_url: str = Field(description="where the site is put up, with / at its end; nothing: addresses stay below the site itself")
    languages: dict[Language, str]
    sections: dict[str, Section]
    words: dict[str, Said]


def _strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for each in value.values() for text in _strings(each)]
    if isinstance(value, list):
        return [text for each in value for text in _strings(each)]
    return [value] if isinstance(value, str) else []


def _read(file: Path, model: type[Any]) -> Any:
    try:
        return model.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")))
    except (ValidationError, yaml.YAMLError) as error:
        raise GalleryError(f"reporting/gallery/{file.relative_to(HERE)}: {error}") from error


@cache
def texts() -> Texts:
    """The words of the pages. Raises `GalleryError` for one that a language lacks."""
    found: Texts = _read(HERE / "texts.yml", Texts)
    return found


@cache
def charts() -> tuple[Chart, ...]:
    """All charts in the order of their files. Raises `GalleryError` for a file that is not as `Chart` says, or whose section is unknown."""
    found: list[Chart] = []
    for file in sorted((HERE / "charts").glob("*.yml")):
        chart: Chart = _read(file, Chart)
        if chart.section not in texts().sections:
            raise GalleryError(f"reporting/gallery/charts/{file.name}: section {chart.section!r} is not in texts.yml; add it there")
        if any(chart.id == other.id for other in found):
            raise GalleryError(f"reporting/gallery/charts/{file.name}: another chart has the id {chart.id!r}")
        found.append(chart)
    return tuple(found)


def word(name: str, language: str) -> str:
    """A text of the pages in a language. Raises `KeyError` for a name that texts.yml does not have."""
    return texts().words[name][language]
