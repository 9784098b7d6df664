"""The site for readers, written as a folder: pictures once, pages in each language."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from reporting import pages
from reporting.gallery import drawing
from reporting.gallery.declared import LANGUAGES, Chart, Language, charts, texts, told
from reporting.gallery.drawing import Drawings
from reporting.gallery.figures import Figures, figures, shown
from reporting.gallery.meaning import SHOWN, Meaning, edition, read
from reporting.pages import MARKUP, PLAIN, POLICY, Kind
from warehouse.connection import connect
from warehouse.profile import Profile

# below the site: pictures and tables, and what an export made, where there is one
FILES, EXPORTED = "gallery", "files"
URL = "KOSHI_SITE_URL"
GALLERY = Kind(
    POLICY,
    {
        **MARKUP,
        **{name: set() for name in ("figure", "figcaption", "picture", *PLAIN.split())},
        "*": MARKUP["*"] | {"aria-live", "data-words"},
        "a": {"href", "hreflang", "download"},
        "img": {"src", "alt", "width", "height"},
        "source": {"srcset", "media"},
        "input": {"type", "id"},
        "label": {"for"},
        "th": {"colspan", "rowspan", "scope"},
    },
)


@dataclass(frozen=True)
class Shown:
    """A chart with its figures and the sizes of its picture."""

    chart: Chart
    figures: Figures
    width: int = 0
    height: int = 0

    def columns(self, language: Language) -> list[tuple[str, str, bool]]:
        """Of each column of the table its name in the answer, its label, and whether it holds numbers."""
        return [
            (f"{name}_{language}" if column.kind == "name" else name, column.label[language], column.kind == "number")
            for name, column in self.chart.columns.items()
        ]

    def rows(self, language: Language) -> list[list[str]]:
        """The table as text."""
        of_columns = [
            (self.figures.of(name), column)
            for (name, _, _), column in zip(self.columns(language), self.chart.columns.values(), strict=True)
        ]
        return [[shown(values[at], column, language) for values, column in of_columns] for at in range(len(self.figures.rows))]

    @property
    def empty(self) -> int:
        """Rows of which a number is not there."""
        numbers = [self.figures.of(name) for name, column in self.chart.columns.items() if column.kind == "number"]
        return sum(any(values[at] is None for values in numbers) for at in range(len(self.figures.rows)))


def build(profile: Profile, site: Path) -> None:
    """Writes the pages and pictures of what readers see now into the folder of a site.

    Raises `GalleryError` for a chart that is not declared as it must be, `ValueError` for one that cannot be drawn.
    """
    with connect(profile, "koshi_transformer") as connection:
        connection.execute("set transaction read only")
        meaning = read(connection)
    (site / FILES).mkdir(parents=True)
    for name in ("gallery.css", "gallery.js"):
        shutil.copy(pages.TEMPLATES / "gallery" / name, site / FILES / name)
    drawings = Drawings(profile.state / "drawings")
    drawn = [_draw(profile, chart, meaning, drawings, site / FILES) for chart in charts()] if meaning.number is not None else []
    drawings.forget()
    exported = profile.state / "export" / "latest"
    if exported.exists():  # the link leads there once the pages stand in the site of the profile
        (site / EXPORTED).symlink_to(Path("..") / "export" / "latest", target_is_directory=True)
    marts = {file.parent.name for file in exported.glob("*/*/*.csv")}
    for language in LANGUAGES:
        for path, template, values in _pages(meaning, drawn, exported):
            _write(site, language, path, template, meaning, {"exported": marts, **values})


def _draw(profile: Profile, chart: Chart, meaning: Meaning, drawings: Drawings, folder: Path) -> Shown:
    found = figures(profile, chart)
    if found.problem or not found.rows:
        return Shown(chart, found)
    if chart.is_handed_on:
        (folder / f"{chart.id}.csv").write_text(found.csv(), encoding="utf-8", newline="")
    size = (0, 0)
    for language in LANGUAGES:
        for width in drawing.WIDTHS:
            text = drawings.svg(drawing.spec(chart, found, language, width))
            (folder / f"{chart.id}.{language}.{width}.svg").write_text(text, encoding="utf-8")
            size = drawing.size(text) if width == "wide" else size
        source = f"{cited(chart, meaning)}. Koshi, {texts().words['publication'][language]} {meaning.number}"
        whole = drawings.svg(drawing.spec(chart, found, language, source=source))
        (folder / f"{chart.id}.{language}.svg").write_text(whole, encoding="utf-8")
        (folder / f"{chart.id}.{language}.png").write_bytes(drawings.png(whole))
    return Shown(chart, found, *size)


def cited(chart: Chart, meaning: Meaning) -> str:
    """Who made the figures of a chart, in one line."""
    found = [str(meaning.datasets[name]["attribution"]).rstrip(".") for name in chart.datasets if name in meaning.datasets]
    return "; ".join(dict.fromkeys(found)) or ", ".join(chart.datasets)


def base_url() -> str:
    """Where the site is put up, as the environment or texts.yml says; nothing where neither does."""
    return os.environ.get(URL) or texts().base_url


def _pages(meaning: Meaning, drawn: list[Shown], exported: Path) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Of each page its path below the language, its template and what it shows."""
    yield "index.html", "front", {"drawn": drawn}
    whole = [*exported.glob("*"), *exported.glob("*/*"), *exported.glob("*/sdmx/*")]
    yield "catalogue.html", "catalogue", {"drawn": drawn, "whole": _linked(exported, whole)}
    yield "changes.html", "changes", {"most": SHOWN}
    for name, row in meaning.datasets.items():
        of = {
            "marts": [mart for mart in meaning.marts if name in mart.datasets],
            "drawn": [each for each in drawn if name in each.chart.datasets],
        }
        yield f"datasets/{name}.html", "dataset", {"dataset": row, **of}
    for mart in meaning.marts:
        seen = [each for each in drawn if mart.name in each.chart.marts]
        files = _linked(exported, exported.glob(f"*/{mart.name}/*"))
        yield f"marts/{mart.name}.html", "mart", {"mart": mart, "drawn": seen, "files": files}
        for indicator in mart.indicators:
            yield f"indicators/{indicator.name}.html", "indicator", {"mart": mart, "indicator": indicator, "drawn": seen}


def _linked(exported: Path, found: Iterable[Path]) -> list[str]:
    """Files of the export as pages link them."""
    return sorted(f"{EXPORTED}/{file.relative_to(exported).as_posix()}" for file in found if file.is_file())


def _write(site: Path, language: Language, path: str, template: str, meaning: Meaning, values: dict[str, Any]) -> None:
    file = site / language / path
    file.parent.mkdir(parents=True, exist_ok=True)
    up = "../" * path.count("/")
    page = pages.render(
        f"gallery/{template}.html.j2", GALLERY,
        t={name: said[language] for name, said in texts().words.items()}, language=language, languages=texts().languages, path=path,
        home=up, root=f"{up}../", files_at=f"{up}../{FILES}/", sections=texts().sections, meaning=meaning, base=base_url(), edition=edition,
        told=partial(told, language=language), marts_named=texts().marts,
        **values,
    )  # fmt: skip
    file.write_text(page, encoding="utf-8")
