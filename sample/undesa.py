"""Workbooks of the Population Division, written from the figures at hand (see docs/data.md for where each was taken from)."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from openpyxl import Workbook, load_workbook

from extractors.archive import Archive
from extractors.source import Source, load_source
from extractors.undesa.client import questions
from extractors.undesa.parse import HEADER_ROW
from sample.answer import store, workbook_bytes

# its files lie beside those of IOM
FOLDER = "iom"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
CODES_FILE = "ref/countrynames_gdidata.csv"
DESTINATION_FILE = "un_desa/undesa_pd_2020_ims_stock_by_sex_and_destination.xlsx"
DESTINATION_COPIED = "2021-01-25T19:38:13+00:00"
DESTINATION_DATASETS = ("stock_by_destination", "population_by_destination")
PAIRS = "stock_by_destination_and_origin"
TITLE_ROW, EDITION_CELL, LICENCE_CELL = 8, "E4", "E6"
WORLD = "900"
SEXES = ("both", "male", "female")
# In the order in which the workbooks join them: "C B R", "I R"
TYPES = {"C": "type_c", "B": "type_b", "I": "type_i", "R": "type_r"}
PAIR_HEADER = (
    None,
    "Region, development group, country or area of destination",
    "Notes of destination",
    "Location code of destination",
    "Type of data of destination",
    "Region, development group, country or area of origin",
    "Location code of origin",
)

Pair = tuple[str, str]
Figures = dict[tuple[str, str], int]


@dataclass(frozen=True)
class Edition:
    """What is at hand of an edition: the long table, whose pairs with `countries` at either end are complete."""

    label: str
    file: str
    copied: str
    countries: tuple[str, ...]
    licence: str
    note: str


EDITIONS = (
    Edition(
        "2020",
        "un_desa/undesa_stocks_2020rev_gdidata_ca_rus.csv",
        # the agency's dates of the editions, the month's last day for 2020: when the copies were taken is not recorded
        "2020-12-31T00:00:00+00:00",
        ("KAZ", "KGZ", "TJK", "TKM", "UZB", "RUS"),
        "CC BY 3.0 IGO",
        "pairs of a public copy of the edition of December 2020 with one of six countries at either end; rows with World are their sums,"
        " the row World to World is that of the destination workbook; names and notes left out;"
        " dated by the agency's edition, when the copy was taken is not recorded",
    ),
    Edition(
        "2024",
        "un_desa/undesa_stocks_2024rev_gdidata.csv",
        "2025-01-27T00:00:00+00:00",
        ("KAZ", "CHN", "IND", "ARM", "UZB", "KGZ", "TJK", "TKM", "RUS", "DEU", "TUR", "KOR", "MNG", "POL", "LTU", "ISR"),
        "CC BY 3.0 IGO as readers of the workbook quote it; the workbook itself is not at hand",
        "pairs of a public copy of the file of 2025-01-27 with one of sixteen countries at either end; rows with World are sums of the"
        " complete copy; names and notes left out;"
        " dated by the agency's edition, when the copy was taken is not recorded",
    ),
)


def write(inputs: Path, archive: Archive) -> int:
    """Writes all answers of the Population Division from the folder that also holds IOM's files; returns how many."""
    source = load_source("undesa")
    world_2020 = _destinations(inputs / DESTINATION_FILE, archive, source)
    codes = _codes(inputs / CODES_FILE)
    for edition in EDITIONS:
        pairs, types = _long_table(inputs / edition.file, codes)
        world = world_2020 if edition.label == "2020" else _sum(pairs.values())
        kept = _kept(pairs, {codes[iso] for iso in edition.countries}, world)
        book = _pair_book(edition.label, kept, types, source.dataset(PAIRS).request["blocks"])
        cited = _cited(source, edition.label, edition.licence)
        _store(archive, cited, PAIRS, edition.label, workbook_bytes(book, None), edition.copied, edition.note)
    return len(EDITIONS) + len(DESTINATION_DATASETS)


def _codes(file: Path) -> dict[str, str]:
    """ISO 3166 alpha-3 (and OOO, others) → the location code of the workbooks, which is M49 without leading zeros."""
    with file.open(encoding="utf-8", newline="") as lines:
        return {row["iso3"]: row["m49"].removesuffix(".0") for row in csv.DictReader(lines) if row["m49"]}


def _long_table(file: Path, codes: dict[str, str]) -> tuple[dict[Pair, Figures], dict[str, str]]:
    """Figures by (destination, origin), then (year, sex), and the types of data by destination."""
    pairs: dict[Pair, Figures] = defaultdict(dict)
    types: dict[str, str] = {}
    with file.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            destination, figures = codes[row["geo"]], pairs[codes[row["geo"]], codes[row["from"]]]
            figures[row["t"], row["sex"]] = persons = int(row["n"])
            # both sexes are males and females in every row of the workbooks
            figures[row["t"], "both"] = figures.get((row["t"], "both"), 0) + persons
            types[destination] = " ".join(mark for mark, name in TYPES.items() if row[name] == "1")
    return dict(pairs), types


def _sum(parts: Iterable[Figures]) -> Figures:
    total: Figures = defaultdict(int)
    for figures in parts:
        for key, persons in figures.items():
            total[key] += persons
    return dict(total)


def _kept(pairs: dict[Pair, Figures], countries: set[str], world: Figures) -> dict[Pair, Figures]:
    """The pairs with one of the countries at either end, the totals of these countries, and the world.

    Only these countries have all their partners in the copies, so only they get a total: a set without one is partial.
    """
    kept = {pair: figures for pair, figures in pairs.items() if countries & set(pair)}
    for country in countries:
        kept[country, WORLD] = _sum(figures for (destination, _), figures in pairs.items() if destination == country)
        kept[WORLD, country] = _sum(figures for (_, origin), figures in pairs.items() if origin == country)
    kept[WORLD, WORLD] = world
    return kept


def _pair_book(label: str, pairs: dict[Pair, Figures], types: dict[str, str], blocks: list[str]) -> Workbook:
    """Table 1 of the workbook by destination and origin (its columns: undesa.md 3.3)."""
    years = sorted({year for figures in pairs.values() for year, _ in figures})
    book = Workbook()
    sheet = book.worksheets[0]
    sheet.title = "Table 1"
    sheet[EDITION_CELL] = f"POP/DB/MIG/Stock/Rev.{label}"
    for number, block in enumerate(blocks):
        sheet.cell(TITLE_ROW, len(PAIR_HEADER) + 1 + number * len(years), block)
    for position, text in enumerate((*PAIR_HEADER, *(int(year) for _ in SEXES for year in years)), start=1):
        sheet.cell(HEADER_ROW, position, text)
    for (destination, origin), figures in sorted(pairs.items(), key=lambda item: (int(item[0][0]), int(item[0][1]))):
        about = (None, None, None, int(destination), types.get(destination), None, int(origin))
        sheet.append([*about, *(figures[year, sex] for sex in SEXES for year in years)])
    return book


def _destinations(file: Path, archive: Archive, source: Source) -> Figures:
    """The tables of stock and population by destination, edition 2020, cell by cell; returns the world's stock."""
    original, book = load_workbook(file, data_only=True), Workbook()
    book.remove(book.worksheets[0])
    for name in DESTINATION_DATASETS:
        table = original[source.dataset(name).request["table"]]
        copy = book.create_sheet(table.title)
        for line in table.iter_rows():
            for cell in line:
                # titles of the table and its citation are words, not figures
                if cell.value not in (None, "") and (cell.row >= TITLE_ROW or cell.coordinate in (EDITION_CELL, LICENCE_CELL)):
                    copy[cell.coordinate] = cell.value
    body = workbook_bytes(book, "2021-01-25T19:38:13Z")
    note = "tables 1 and 2 of the workbook last modified on 2021-01-25; the other tables and the notes left out"
    for name in DESTINATION_DATASETS:
        _store(archive, _cited(source, "2020", source.licence), name, "2020", body, DESTINATION_COPIED, note)
    lines = original["Table 1"].iter_rows(min_row=HEADER_ROW, max_row=HEADER_ROW + 1, min_col=6, values_only=True)
    years, world = (list(line) for line in lines)
    third = len(years) // len(SEXES)
    return {(str(year), SEXES[number // third]): int(str(world[number])) for number, year in enumerate(years)}


def _cited(source: Source, label: str, licence: str) -> Source:
    """The source with the citation that the Population Division suggests for this edition."""
    publisher, _, _ = source.attribution.partition(" (")
    return source.model_copy(update={"attribution": f"{publisher} ({label}). International Migrant Stock {label}.", "licence": licence})


def _store(archive: Archive, source: Source, dataset: str, label: str, body: bytes, delivered: str, note: str) -> None:
    request = questions(source, source.dataset(dataset))[label]
    store(archive, source, dataset, request, body, delivered=delivered, content_type=XLSX, note=note)
