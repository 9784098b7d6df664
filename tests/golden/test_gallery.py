"""The site for readers, made of the whole bundled archive: its figures are those of SQL, and its links lead somewhere."""

from __future__ import annotations

import csv
import re
import shutil
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path

import pytest

from expectations.intake import Intake
from reporting.gallery import build, drawing
from reporting.gallery.declared import LANGUAGES, Chart, Language, charts, texts
from reporting.gallery.figures import figures
from tests.golden.conftest import Reader
from warehouse.profile import Profile

IDS = [chart.id for chart in charts()]
MOST_BYTES = 20_000_000
OUTLINED = {each.get("id") for each in drawing.world()["objects"]["countries"]["geometries"]}


@pytest.fixture(scope="module")
def site(bundled: tuple[Profile, dict[str, Intake]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages for readers; beside them stands the operators' page, which they link to and which tests/unit/test_site.py makes."""
    folder = tmp_path_factory.mktemp("site")
    build.build(bundled[0], folder)
    (folder / "index.html").write_text("<title>of operators</title>", encoding="utf-8")
    return folder


class Page(HTMLParser):
    """Of a page its links, what it loads, its ids, and the rows of each table by the id of the section around it."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.ids: set[str] = set()
        self.tables: dict[str, list[list[str]]] = {}
        self.inside, self.cell = "", False
        self.feed(file.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.ids |= {given["id"]} if "id" in given else set()
        if tag == "section":
            self.inside = given.get("id", "")
        if tag == "a":
            self.links.append(given["href"])
        elif tag in ("link", "img", "script", "source"):
            self.loads += [value for name, value in given.items() if name in ("href", "src", "srcset")]
        elif tag == "tr":
            self.tables.setdefault(self.inside, []).append([])
        elif tag == "td":
            self.tables[self.inside][-1].append("")
            self.cell = True

    def handle_endtag(self, tag: str) -> None:
        self.cell = self.cell and tag != "td"

    def handle_data(self, data: str) -> None:
        if self.cell:
            self.tables[self.inside][-1][-1] += data


def _number(text: str, language: Language) -> Decimal | None:
    plain = text.replace("\u00a0", "").replace("−", "-")
    plain = plain.replace(",", "") if language == "en" else plain.replace(",", ".")
    return None if text == "–" else Decimal(plain)


@pytest.mark.parametrize("chart", charts(), ids=IDS)
def test_the_table_and_the_file_of_a_chart_are_what_sql_says(published: Reader, site: Path, chart: Chart) -> None:
    cursor = published.execute(chart.query.encode())
    names, rows = [column.name for column in cursor.description or ()], cursor.fetchall()
    assert rows, "a chart without figures"
    as_file = site / "gallery" / f"{chart.id}.csv"
    assert as_file.exists() is chart.is_handed_on
    if chart.is_handed_on:
        with as_file.open(encoding="utf-8", newline="") as file:
            assert list(csv.reader(file)) == [names, *(["" if value is None else str(value) for value in row] for row in rows)]
    for language in LANGUAGES:
        table = [row for row in Page(site / language / "index.html").tables[chart.id] if row]
        assert len(table) == len(rows)
        for at, (name, column) in enumerate(chart.columns.items()):
            of = names.index(f"{name}_{language}" if column.kind == "name" else name)
            for shown, row in zip(table, rows, strict=True):
                value = row[of]
                if column.kind == "number":
                    assert _number(shown[at], language) == (None if value is None else round(Decimal(str(value)), column.decimals))
                else:
                    assert shown[at] == ("–" if value is None else str(value))


@pytest.mark.parametrize("chart", charts(), ids=IDS)
def test_a_picture_tells_the_figures_of_sql(published: Reader, site: Path, chart: Chart) -> None:
    """Each mark of an SVG says what it stands for, rounded as its axis is: a figure that is not drawn is missed here."""
    cursor = published.execute(chart.query.encode())
    names, rows = [column.name for column in cursor.description or ()], cursor.fetchall()
    picture = (site / "gallery" / f"{chart.id}.en.svg").read_text(encoding="utf-8")
    said = " ".join(re.findall('aria-label="([^"]*)"|>([^<>]*)</text>', picture).__str__().split())
    told = {Decimal(text.replace(",", "").replace("−", "-")) for text in re.findall(r"[-−]?\d[\d,]*(?:\.\d+)?", said.replace("+", ""))}
    drawn = [name for name, column in chart.columns.items() if column.kind == "number" and re.search(rf"\b{name}\b", str(chart.spec))]
    assert drawn
    for name in drawn:
        for row in rows:
            value = row[names.index(name)]
            outlined = chart.id != "born-in-kazakhstan-map" or row[names.index("m49_code")] in OUTLINED  # islands are too small for a map
            if value is not None and outlined:
                assert any(abs(Decimal(str(value)) - each) <= Decimal("0.5") for each in told), (name, row)


@pytest.mark.parametrize("chart", charts(), ids=IDS)
def test_a_chart_names_the_datasets_that_its_marts_rest_on(published: Reader, chart: Chart) -> None:
    found = set()
    for mart in chart.marts:
        keys = published.execute(
            "select attname from pg_attribute where attrelid = to_regclass(%s) and attname like '%%release\\_key'", [f"bi.{mart}"]
        ).fetchall()
        assert keys, mart
        for (key,) in keys:
            found |= {
                row[0]
                for row in published.execute(
                    "select distinct r.source_code || '.' || r.dataset from bi.dim_release as r"
                    f" inner join bi.{mart} as m on m.{key}::text in (r.release_key::text, lpad(to_hex(r.release_key), 16, '0'))".encode()
                )
            }
    # a figure of several releases names none of them
    assert {*chart.datasets} & found or not found
    known = {row[0] for row in published.execute("select source_code || '.' || dataset from bi.dim_release")}
    assert {*chart.datasets} <= known


def test_every_link_leads_somewhere_and_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    pages = {file.resolve(): Page(file) for file in site.glob("*/**/*.html")}
    assert len(pages) >= 9
    for file, page in pages.items():
        for address in (*page.links, *page.loads):
            if address in page.links and address.startswith("https://"):
                continue  # a person may follow it to the agency's terms
            assert ":" not in address.replace("data:,", ""), f"{file}: {address}"
            path, _, place = address.partition("#")
            target = (file.parent / path).resolve() if path and path != "data:," else file
            assert target.is_file(), f"{file}: {address}"
            assert not place or place in (pages[target].ids if target in pages else ()), f"{file}: {address}"
    for file in (site / "gallery").iterdir():
        if file.suffix == ".svg":
            asks = re.search(r'(?:href|src)="(?!#)|url\((?!#)|@import', file.read_text(encoding="utf-8"))
            assert asks is None, f"{file}: {asks}"


def test_without_a_script_there_is_every_picture_table_and_file(site: Path) -> None:
    for language in LANGUAGES:
        markup = (site / language / "index.html").read_text(encoding="utf-8")
        page = Page(site / language / "index.html")
        assert "<script" not in markup
        for chart in charts():
            assert chart.id in page.ids
            assert f"../gallery/{chart.id}.{language}.wide.svg" in page.loads
            assert f"../gallery/{chart.id}.{language}.narrow.svg" in page.loads
            assert len(page.tables[chart.id]) > 1
            for file in (f"{chart.id}.{language}.svg", f"{chart.id}.{language}.png", *([f"{chart.id}.csv"] if chart.is_handed_on else ())):
                assert f"../gallery/{file}" in page.links
    assert sum(file.stat().st_size for file in site.rglob("*") if file.is_file()) < MOST_BYTES


def test_a_declared_address_is_the_permanent_one(
    bundled: tuple[Profile, dict[str, Intake]], site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second site draws nothing anew, has the same bytes in its pictures, and says where it is put up."""

    def nobody(*_: object) -> str:
        raise AssertionError("the same chart is drawn again")

    monkeypatch.setattr(drawing, "svg", nobody)
    monkeypatch.setattr(drawing, "png", nobody)
    monkeypatch.setenv(build.URL, "https://statistics.example/")
    build.build(bundled[0], tmp_path)
    assert 'href="https://statistics.example/kk/index.html#kandas"' in (tmp_path / "kk" / "index.html").read_text(encoding="utf-8")
    for file in (site / "gallery").iterdir():
        assert (tmp_path / "gallery" / file.name).read_bytes() == file.read_bytes()


def test_what_may_not_be_handed_on_is_no_file() -> None:
    handed = {chart.id for chart in charts() if chart.is_handed_on}
    assert "kandas" not in handed, "the ministry's figures may be quoted one by one"
    assert "born-in-kazakhstan-map" not in handed
    assert {"corridors", "students-by-host"} <= handed


def test_what_is_not_served_is_said(bundled: tuple[Profile, dict[str, Intake]]) -> None:
    chart = charts()[0].model_copy(update={"query": "select year from bi.what_is_not_there"})
    assert "what_is_not_there" in figures(bundled[0], chart).problem


def test_each_dataset_mart_and_indicator_has_its_page(published: Reader, site: Path) -> None:
    if published.execute("select to_regclass('bi.columns') is null").fetchone() == (True,):
        pytest.skip("NOT TESTED: bi has no catalogue (bi.columns)")
    measures = published.execute(
        "select relation || '.' || \"column\", label_ru from bi.columns inner join bi.catalogue using (relation)"
        " where role = 'measure' and layer = 'mart' and variant = 'default'"
    ).fetchall()
    assert measures
    for language in LANGUAGES:
        listed = (site / language / "catalogue.html").read_text(encoding="utf-8")
        for name, _ in measures:
            assert (site / language / "indicators" / f"{name}.html").exists()
            assert f"indicators/{name}.html" in listed
        for (dataset,) in published.execute("select dataset from bi.citation").fetchall():
            assert (site / language / "datasets" / f"{dataset}.html").exists()
    rate = (site / "ru" / "indicators" / "migration_balance.balance_per_10000.html").read_text(encoding="utf-8")
    assert "Складывать нельзя" in rate


def test_no_page_in_kazakh_or_russian_falls_back_to_english(site: Path) -> None:
    """What models, reasons and licences say is translated; what an agency words in English alone is said to be so."""
    for language in ("kk", "ru"):
        left = {
            text for file in (site / language).rglob("*.html") for text in re.findall('<span lang="en">([^<]*)', file.read_text("utf-8"))
        }
        assert not left, "write them into reporting/gallery/meanings.yml"
        cited = (site / language / "datasets" / "undesa.stock_by_destination_and_origin.html").read_text(encoding="utf-8")
        assert texts().words["attribution_in_english"][language] in cited


def test_a_picture_of_one_year_says_which(published: Reader, site: Path) -> None:
    [(year,)] = published.execute("select max(year) from bi.region_balance where net_migration_persons is not null").fetchall()
    assert f"Which regions win and which lose people, {year}" in " ".join((site / "en" / "index.html").read_text(encoding="utf-8").split())
    assert f", {year}<" in (site / "gallery" / "regions-map.en.svg").read_text(encoding="utf-8")


def test_what_was_exported_of_a_mart_is_linked_from_its_page(bundled: tuple[Profile, dict[str, Intake]]) -> None:
    profile = bundled[0]
    exported = profile.state / "export" / "1-a" / "open" / "migration_balance"
    exported.mkdir(parents=True)
    (exported / "migration_balance.csv").write_text("year\n", encoding="utf-8")
    (profile.state / "export" / "latest").symlink_to("1-a", target_is_directory=True)
    target = profile.state / "site.of-readers"
    try:
        build.build(profile, target)
        page = target / "en" / "marts" / "migration_balance.html"
        [link] = [link for link in Page(page).links if link.endswith("migration_balance.csv")]
        assert (page.parent / link).resolve().read_text(encoding="utf-8") == "year\n"
    finally:
        shutil.rmtree(profile.state / "export")
        shutil.rmtree(target, ignore_errors=True)
