"""The whole site as it is served: every link and download, and in a real browser (the package `chromium`) three widths, three languages."""

from __future__ import annotations

import importlib.util
import os
import shutil
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from expectations.intake import Intake
from reporting import serve, site
from reporting.export.make import export
from reporting.gallery.declared import LANGUAGES, charts
from tests.e2e.devtools import Tab, tab
from warehouse.profile import Profile

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(900)]
WIDTHS = (390, 768, 1366)
MOST_BYTES = 20_000_000
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
def served(bundled: tuple[Profile, dict[str, Intake]]) -> Iterator[tuple[Path, str]]:
    """The folder of the whole site of the bundled archive with its export, and the address at which `make serve` shows it."""
    export(bundled[0])
    before = os.environ.pop("KOSHI_EXPORT", None)
    try:
        folder = site.build(bundled[0]).parent
    finally:
        os.environ |= {"KOSHI_EXPORT": before} if before is not None else {}
    with serve.reports(folder) as address:
        yield folder, address
    shutil.rmtree(bundled[0].state / "export")


@pytest.fixture(scope="module")
def shown(browser: str, served: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Tab, Path, str]]:
    """A tab, the folder of the site, and its address."""
    with tab(browser, tmp_path_factory.mktemp("browser")) as opened:
        yield opened, *served


class Links(HTMLParser):
    """What a page links and loads, and the places in it that a link can name."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.places: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("href", "src") and value:
                self.links.add(value)
            elif name == "srcset" and value:
                self.links |= {each.split()[0] for each in value.split(",")}
            elif name in ("id", "name") and value:
                self.places.add(value)


def crawl(start: str) -> tuple[dict[str, int], list[str]]:
    """Follows every link below an address; gives what was there with its bytes, and what was not, with the page that links it."""
    found, broken = dict[str, int](), list[str]()
    places, named = dict[str, set[str]](), set[tuple[str, str, str]]()
    waiting = [(start, "")]
    while waiting:
        address, by = waiting.pop()
        if address in found:
            continue
        try:
            with urllib.request.urlopen(address, timeout=60) as answer:  # noqa: S310 - it begins as the server's own
                body, kind = answer.read(), answer.headers.get_content_type()
        except urllib.error.HTTPError as error:
            found[address] = 0
            broken.append(f"{address}: {error.code}, linked by {by}")
            continue
        found[address] = len(body)
        if kind != "text/html":
            continue
        page = Links(body.decode())
        places[address] = page.places
        for link in page.links:
            target, place = urllib.parse.urldefrag(urllib.parse.urljoin(address, link))
            if target.startswith(start):
                named |= {(target, urllib.parse.unquote(place), address)} if place else set()
                waiting.append((target, address))
    lost = [(target, place, by) for target, place, by in named if target in places and place not in places[target]]
    return found, broken + [f"{target}#{place}: no such place, linked by {by}" for target, place, by in lost]


def test_every_link_and_download_of_the_served_site_is_there(served: tuple[Path, str]) -> None:
    folder, address = served
    found, broken = crawl(address)
    assert not broken
    assert all(found.values()), [each for each, size in found.items() if not size]
    paths = {each.removeprefix(address) for each in found}
    for language in LANGUAGES:
        written = {file.relative_to(folder).as_posix() for file in (folder / language).rglob("*.html")}
        assert len(written) > 100
        assert written <= paths, "a page that no link leads to"
    files = {path for path in paths if path.startswith("files/")}
    assert {"csv", "parquet", "xlsx"} <= {path.rpartition(".")[2] for path in files}
    assert {
        "files/open/migration_balance/migration_balance.csv", "files/open/koshi.duckdb", "files/open/sdmx/structure.xml",
        "files/NOT_INCLUDED", "files/open/CITATION.kk",
    } <= files  # fmt: skip
    pages = [file for name in ("gallery", *LANGUAGES) for file in (folder / name).rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in pages) < MOST_BYTES


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
