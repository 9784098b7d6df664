"""Charts, sections and words as files declare them: one file a chart, and every text in three languages."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

import yaml
from pydantic import Field, RootModel, ValidationError, model_validator

from extractors.declared import Declared, Labels
from extractors.source import Redistribution, load_source

HERE = Path(__file__).parent
Language = Literal["kk", "ru", "en"]
# what changes in a sentence of the models from row to row: dates, numbers, relations with all rows, codes of countries
CHANGES = re.compile(r"\d{4}-\d\d-\d\d|\d+\.\d+|\b[a-z_]+_all\b|\b[A-Z]{3}\b")
# a label in one language, as models say it of each of the three
IN_LANGUAGE = re.compile(r"(.+?),? in (Kazakh|Russian|English)\.")
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
        return all(load_source(source).datasets[dataset].narrowest in HANDED_ON for source, _, dataset in named)

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
    marts: dict[str, Said] = Field(description="what each mart is called")


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


class Sentence(Declared):
    """What a sentence of the models, which is English, says in the other languages."""

    kk: str = Field(min_length=1)
    ru: str = Field(min_length=1)


class Sentences(RootModel[dict[str, Sentence]]):
    """All sentences by their English."""


@cache
def sentences() -> dict[str, Sentence]:
    """What models say of marts and measures, by the English sentence. Raises `GalleryError` for one that a language lacks."""
    found: Sentences = _read(HERE / "meanings.yml", Sentences)
    return found.root


def told(text: str, language: str) -> str | None:
    """A text of the models or of a licence in a language: sentence by sentence, part by part; None where one of them is not translated."""
    text = " ".join(text.split())
    if language == "en" or not text:
        return text
    for divider, glue in ((r"(?<=\.) (?=[A-Z0-9])", " "), ("; ", "; "), (", ", ", ")):
        found, rest = list[str](), re.split(divider, text)
        while rest:  # a sentence can have the divider inside: the longest that is known comes first
            known = ((end, _part(glue.join(rest[:end]), language)) for end in range(len(rest), 0, -1))
            end, said = next(((end, said) for end, said in known if said), (0, ""))
            if not said:
                break
            found.append(said)
            rest = rest[end:]
        if not rest:
            return glue.join(found)
    return None


def _part(text: str, language: str) -> str | None:
    """A part without the address behind it, which needs no translation; a name of a licence needs none either.

    What changes from row to row (`CHANGES`) stands as {} in the file and is put back in its order.
    """
    words, address = (found[1], found[2]) if (found := re.fullmatch(r"(.*?)( \(https?://\S+\))", text)) else (text, "")
    if re.fullmatch(r"CC (BY|0)[A-Z0-9. -]*", words):
        return text
    if words in sentences():
        return str(getattr(sentences()[words], language)) + address
    if of := IN_LANGUAGE.fullmatch(words):
        said = _part(f"{of[1]}.", language)
        return said and f"{said.removesuffix('.')}: {getattr(sentences()[of[2]], language)}."
    if (pattern := CHANGES.sub("{}", words)) in sentences() and pattern != words:
        return str(getattr(sentences()[pattern], language)).format(*CHANGES.findall(words)) + address
    return None


def word(name: str, language: str) -> str:
    """A text of the pages in a language. Raises `KeyError` for a name that texts.yml does not have."""
    return texts().words[name][language]
