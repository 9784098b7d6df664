"""The site for readers and the operators' page in a real browser: three widths, three languages. Needs the package `chromium`."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from expectations.intake import Intake
from reporting import serve, site
from reporting.gallery.declared import LANGUAGES, charts
from tests.e2e.devtools import Tab, tab
from warehouse.profile import Profile

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(900)]
WIDTHS = (390, 768, 1366)
# every template once: pages of one template differ in their texts alone
PATHS = ("index.html", "catalogue.html", "changes.html", "datasets/*.html", "marts/*.html", "indicators/*.html")
AXE = """
axe.run(document, {resultTypes: ['violations'], preload: false})
  .then((found) => found.violations.map((each) => each.id + ': ' + each.nodes.slice(0, 3).map((node) => node.html.slice(0, 160))))
"""
# a letter that no font at hand has is drawn as a box, like one that nobody has
KAZAKH = """
(() => {
  const drawn = (letter) => {
    const canvas = document.createElement('canvas').getContext('2d');
    canvas.font = '30px ' + getComputedStyle(document.body).fontFamily;
    canvas.fillText(letter, 5, 60);
    return canvas.canvas.toDataURL();
  };
  return [...'ӘәҒғҚқҢңӨөҰұҮүҺһІі'].filter((letter) => drawn(letter) === drawn('\\u{10FFFE}'));
})()
"""


@pytest.fixture(scope="module")
def shown(
    browser: str, bundled: tuple[Profile, dict[str, Intake]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Tab, Path, str]]:
    """A tab, the folder of the whole site of the bundled archive, and the address at which `make serve` shows it."""
    before = os.environ.pop("KOSHI_EXPORT", None)
    try:
        folder = site.build(bundled[0]).parent
    finally:
        os.environ |= {"KOSHI_EXPORT": before} if before is not None else {}
    with serve.reports(folder) as address, tab(browser, tmp_path_factory.mktemp("browser")) as opened:
        yield opened, folder, address


def _axe() -> str:
    found = importlib.util.find_spec("axe_playwright_python")
    assert found is not None
    assert found.submodule_search_locations
    return (Path(found.submodule_search_locations[0]) / "axe.min.js").read_text(encoding="utf-8")


def _pages(folder: Path, language: str) -> list[str]:
    """One page of each template, with the longest of its kind where there are several."""
    found = []
    for path in PATHS:
        files = sorted((folder / language).glob(path), key=lambda file: -file.stat().st_size)
        found += [files[0].relative_to(folder).as_posix()] if files else []
    return found


@pytest.mark.parametrize("language", LANGUAGES)
def test_pages_fit_every_window_and_everybody(shown: tuple[Tab, Path, str], language: str) -> None:
    """No sideways scroll, no request outside, no complaint, no violation that axe knows; served and from the disk."""
    page, folder, address = shown
    axe = _axe()
    for path in _pages(folder, language):
        for width in WIDTHS:
            page.open(address + path, width)
            assert page.say("document.documentElement.scrollWidth") <= width, f"{path} at {width} scrolls sideways"
            assert page.say("[...document.images].filter(i => !i.complete || !i.naturalWidth).map(i => i.src)") == [], path
            assert page.asked
            assert all(asked.startswith((address, "data:,")) for asked in page.asked), page.asked
            assert page.complaints == [], f"{path} at {width}"
            if width != 768:
                page.say(axe + "; 0")
                assert page.say(AXE) == [], f"{path} at {width}"
    page.open((folder / language / "index.html").as_uri(), 390)
    assert all(asked.startswith((folder.as_uri(), "data:,")) for asked in page.asked), page.asked
    assert page.complaints == []


def test_without_a_script_everything_is_there(shown: tuple[Tab, Path, str]) -> None:
    page, _, address = shown
    page.open(f"{address}kk/index.html", script=False)
    assert page.say("document.images.length") == len(charts())
    assert page.say("[...document.images].every(i => i.complete && i.naturalWidth > 100)")
    assert page.say("document.querySelectorAll('details table').length") == len(charts())
    page.open(f"{address}kk/catalogue.html", script=False)
    assert page.say("document.getElementById('asked').hidden")
    assert page.say("document.querySelectorAll('main li').length") >= len(charts())


def test_letters_of_kazakh_are_letters(shown: tuple[Tab, Path, str]) -> None:
    page, _, address = shown
    page.open(f"{address}kk/index.html")
    assert page.say(KAZAKH) == []


def test_a_word_in_any_language_finds_its_page(shown: tuple[Tab, Path, str]) -> None:
    page, _, address = shown
    page.open(f"{address}kk/catalogue.html")
    typed = "(() => {{ const s = document.getElementById('search'); s.value = '{}'; s.dispatchEvent(new Event('input')); }})()"
    page.say(typed.format("Кандас"))
    found = page.say("[...document.querySelectorAll('li[data-words]')].filter(i => !i.hidden).map(i => i.textContent)")
    assert 0 < len(found) < 60
    assert page.say("document.getElementById('found').textContent") == str(len(found))
    page.say(typed.format("no such word"))
    assert page.say("document.getElementById('found').textContent") == "0"


def test_it_prints_with_its_tables(shown: tuple[Tab, Path, str]) -> None:
    page, _, address = shown
    page.open(f"{address}ru/index.html")
    page.call("Emulation.setEmulatedMedia", media="print")
    try:
        assert page.say("getComputedStyle(document.querySelector('header nav')).display") == "none"
        assert page.say("document.querySelector('details table').getBoundingClientRect().height") > 100
    finally:
        page.call("Emulation.setEmulatedMedia", media="")


def test_the_page_of_operators_fits_a_phone(shown: tuple[Tab, Path, str]) -> None:
    page, _, address = shown
    for width in WIDTHS:
        page.open(f"{address}index.html", width)
        assert page.say("document.documentElement.scrollWidth") <= width
        page.say(_axe() + "; 0")
        assert page.say(AXE) == [], width
