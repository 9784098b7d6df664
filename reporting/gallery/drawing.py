"""Charts as pictures: Vega-Lite specs that vl-convert turns into SVG and PNG, without a browser and without a network."""

from __future__ import annotations

import hashlib
import json
import os
import re
import textwrap
from collections.abc import Callable
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import vl_convert

from reporting.gallery.declared import HERE, Chart, Language
from reporting.gallery.figures import NUMBERS, Figures

VERSION = "6.1"
PNG_SCALE = 1.2
DRAWN_BY = version("vl-convert-python")
# of a page on a desk and of one on a phone; a file to take away is as wide as the first
WIDTHS = {"wide": 640, "narrow": 300}
FONT = "Liberation Sans, Arial, Noto Sans, DejaVu Sans, sans-serif"
INK, SOFT, LINE = "#1c2733", "#4a5764", "#d9dfe5"
# Okabe and Ito's colours, told apart by the colour-blind; a chart tells series apart by shape, dash or label as well
PALETTE = {"blue": "#0072B2", "orange": "#D55E00", "green": "#007A5A", "purple": "#A8568A", "sky": "#56B4E9", "grey": "#9aa4ae"}
CONFIG: dict[str, Any] = {
    "background": "white",
    "font": FONT,
    "padding": 6,
    "view": {"stroke": None},
    "axis": {"labelColor": INK, "titleColor": SOFT, "titleFontWeight": "normal", "gridColor": LINE, "domainColor": SOFT, "tickColor": LINE,
             "labelFontSize": 12, "titleFontSize": 12, "labelLimit": 220},
    "legend": {"labelColor": INK, "titleColor": SOFT, "titleFontWeight": "normal", "labelFontSize": 12, "titleFontSize": 12,
               "orient": "top", "labelLimit": 300, "titleLimit": 300},
    "text": {"color": INK, "fontSize": 12, "font": FONT},
    "title": {"anchor": "start", "color": INK, "fontSize": 16, "subtitleColor": SOFT, "subtitleFontSize": 11, "subtitlePadding": 6,
              "offset": 12, "frame": "group"},
    "range": {"category": [PALETTE["blue"], PALETTE["orange"], PALETTE["green"], PALETTE["purple"]]},
}  # fmt: skip


# a size that goes with the width: $width*0.5, $width*0.02+3
SIZE = re.compile(r"\$width\*(-?[\d.]+)(?:\+([\d.]+))?")


@cache
def world() -> dict[str, Any]:
    """The outlines of countries by their M49 number (Natural Earth, public domain, as world-atlas packs them)."""
    found: dict[str, Any] = json.loads((HERE / "world.json").read_text(encoding="utf-8"))
    return found


def spec(chart: Chart, figures: Figures, language: Language, width: str = "wide", source: str | None = None) -> dict[str, Any]:
    """The chart as Vega-Lite with its figures. With `source` it has title, unit and source in it, as a file to take away needs."""
    texts: dict[str, Any] = {
        "$width": WIDTHS[width],
        "$unit": chart.unit[language],
        "$world": world(),
        "$narrow": width == "narrow",
        **{f"$label.{name}": column.label[language] for name, column in chart.columns.items()},
        **{f"$term.{name}": said[language] for name, said in chart.terms.items()},
        **{f"${name}": colour for name, colour in PALETTE.items()},
    }
    made: dict[str, Any] = _filled(chart.spec, texts, language)
    made["$schema"] = f"https://vega.github.io/schema/vega-lite/v{VERSION}.json"
    made["data"] = {"values": figures.records()}
    made["config"] = CONFIG | {"locale": {"number": NUMBERS[language]}}
    if source is not None:
        broad = 78 if width == "wide" else 40
        dated = f", {figures.year}" if figures.year else ""
        made["title"] = {
            "text": textwrap.wrap(f"{chart.title[language]}{dated}", broad),
            "subtitle": textwrap.wrap(f"{chart.unit[language]}. {source}", 110),
        }
    return made


def svg(made: dict[str, Any]) -> str:
    """The drawing as SVG; no address is asked for anything."""
    drawn: str = vl_convert.vegalite_to_svg(made, vl_version=VERSION, allowed_base_urls=[])
    return drawn


def png(drawn: str) -> bytes:
    """An SVG as PNG."""
    return bytes(vl_convert.svg_to_png(drawn, scale=PNG_SCALE))


class Drawings:
    """Pictures that are kept between sites: what is drawn of the same spec by the same version is not drawn again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.used: set[str] = set()
        folder.mkdir(parents=True, exist_ok=True)

    def svg(self, made: dict[str, Any]) -> str:
        """The SVG of a spec."""
        said = json.dumps(made, sort_keys=True, ensure_ascii=False)
        return self._kept(said, ".svg", lambda: svg(made).encode()).decode()

    def png(self, drawn: str) -> bytes:
        """The PNG of an SVG."""
        return self._kept(drawn, f".{PNG_SCALE}.png", lambda: png(drawn))

    def _kept(self, said: str, suffix: str, draw: Callable[[], bytes]) -> bytes:
        digest = hashlib.sha256(f"{DRAWN_BY} {said}".encode()).hexdigest()
        file = self.folder / f"{digest}{suffix}"
        self.used.add(file.name)
        if not file.exists():
            part = file.with_suffix(f".{os.getpid()}.part")
            part.write_bytes(draw())
            part.replace(file)
        return file.read_bytes()

    def forget(self) -> None:
        """Removes what this site did not use."""
        for file in self.folder.iterdir():
            if file.name not in self.used:
                file.unlink(missing_ok=True)


def _filled(value: Any, texts: dict[str, Any], language: str) -> Any:
    """A declared spec with its texts in their places."""
    if isinstance(value, dict):
        return {key: _filled(each, texts, language) for key, each in value.items()}
    if isinstance(value, list):
        return [_filled(each, texts, language) for each in value]
    if not isinstance(value, str):
        return value
    if value in texts:
        return texts[value]
    if size := SIZE.fullmatch(value):
        return round(texts["$width"] * float(size[1]) + float(size[2] or 0), 1)
    for name in sorted((name for name in texts if name in value and isinstance(texts[name], str)), key=len, reverse=True):
        value = value.replace(name, texts[name])
    return value.replace("$lang", language)


def size(drawn: str) -> tuple[int, int]:
    """Width and height of an SVG in pixels. Raises `ValueError` for one that does not state them."""
    found = re.search(r'<svg[^>]*? width="([\d.]+)"[^>]*? height="([\d.]+)"', drawn)
    if not found:
        raise ValueError("the SVG states no width and height; vl-convert writes them into the first tag")
    return round(float(found[1])), round(float(found[2]))
