"""Answers of the national bureau, written from the figures at hand (see docs/data.md for where each was taken from)."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from pathlib import Path

from openpyxl import Workbook, load_workbook

from extractors.archive import Archive
from extractors.bns.client import requests
from extractors.source import Source, load_source
from sample.answer import store, workbook_bytes
from sample.bns_tables import write_tables

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
REPUBLIC_TERM = "741880"
TALDAU_FILES = {
    "external_arrivals": "taldau_2929752_external_migration_arrivals_KZ_1991_2025.csv",
    "external_departures": "taldau_2929753_external_migration_departures_KZ_1991_2025.csv",
}
TALDAU_COPIED = "2026-09-28T00:00:00+00:00"
WORKBOOK_FILE = "bns_6584_population_by_region_sex_2000_2023_ru.xlsx"
WORKBOOK_COPIED = "2023-07-19T04:31:56+00:00"
EXTRACT_FILE = "bns_region_balance_extract_2022_2025.csv"
EXTRACT_COPIED = "2026-09-30T00:00:00+00:00"
EDITION = "2026-04-30"
EDITION_FILE = "bns_6584_population_1jan_by_region_1991_2026_edition_2026_04_30.csv"
EDITION_COPIED = "2026-11-25T00:00:00+00:00"
# rows of that edition which the workbook of 2023 has under one name with a footnote, or not at all
EDITION_NAMES = {"510000000": "Южно-Казахстанская", "610000000": "Туркестанская", "": "Республика Казахстан"}
TOTAL_SHEET = "Все население"


def write(inputs: Path, archive: Archive) -> int:
    """Writes all answers of the bureau; returns how many. `inputs` is its folder; the printed figures lie beside its parent."""
    source = load_source("bns")
    for dataset, name in TALDAU_FILES.items():
        _tree(inputs / name, archive, source, dataset)
    names = _territories(inputs / WORKBOOK_FILE)
    _workbook_2023(inputs / WORKBOOK_FILE, archive, source)
    _workbook_2026(inputs / EXTRACT_FILE, names, archive, source)
    _edition_2026(inputs / EDITION_FILE, names, archive, source)
    return len(TALDAU_FILES) + 3 + write_tables(inputs, archive, source)


def _tree(file: Path, archive: Archive, source: Source, dataset: str) -> None:
    """The root node of a Taldau index: one key a year, December of the year as the agency writes it (MMYYYY)."""
    node = {"id": REPUBLIC_TERM, "text": "РЕСПУБЛИКА КАЗАХСТАН ", "leaf": "false", "expanded": "false", "measureName": "Человек"}
    with file.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            year, month, _ = row["date"].split("-")
            node[f"y{month}{year}"] = _whole(row["value"])
    body = json.dumps([node], ensure_ascii=False).encode()
    request = requests(source, source.dataset(dataset))[0]
    note = f"figures of Taldau index {source.dataset(dataset).request['index_id']} as copied by a public client on 2026-09-28"
    store(archive, source, dataset, request, body, delivered=TALDAU_COPIED, content_type="application/json; charset=utf-8", note=note)


def _whole(text: str) -> str:
    value = float(text)
    if not value.is_integer():
        raise ValueError(f"persons must be whole, found {text!r}")
    return str(int(value))


def _territories(file: Path) -> dict[str, str]:
    """KATO code → name as the workbook prints it; its rows of regions are in the order of the codes."""
    labels = [row[0].value for row in load_workbook(file)[TOTAL_SHEET].iter_rows(min_row=3, max_row=22)]
    codes = ["10", "11", "15", "19", "23", "27", "31", "33", "35", "39", "43", "47", "55", "59", "61", "62", "63", "71", "75", "79"]
    return {f"{code}0000000": str(label) for code, label in zip(codes, labels, strict=True)}


def _workbook_2023(file: Path, archive: Archive, source: Source) -> None:
    """The workbook of July 2023: regions and republic, all, men and women; urban and rural are not carried over."""
    original, book = load_workbook(file, data_only=True), Workbook()
    book.remove(book.worksheets[0])
    for sheet in original.worksheets:
        last = 22 if sheet.title == TOTAL_SHEET else 28
        copy = book.create_sheet(sheet.title)
        for row in sheet.iter_rows(max_row=last):
            for cell in row:
                if cell.value is not None:
                    copy[cell.coordinate] = cell.value
    note = "figures of the workbook last modified on 2023-07-19; urban and rural sections left out"
    _store_workbook(archive, source, workbook_bytes(book, "2023-07-19T04:31:56Z"), WORKBOOK_COPIED, note)


def _workbook_2026(file: Path, names: dict[str, str], archive: Archive, source: Source) -> None:
    """The extract of 2026 in the workbook's layout: 20 regions, both sexes, no republic row, no date of its own."""
    figures: dict[str, dict[int, int]] = defaultdict(dict)
    with file.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            if row["indicator"] == "population_start_of_year":
                figures[row["kato"]][int(row["year"])] = int(_whole(row["value"]))
    years = sorted({year for by_year in figures.values() for year in by_year})
    book = Workbook()
    sheet = book.worksheets[0]
    sheet.title = TOTAL_SHEET
    sheet.append([None, *years])
    for kato, name in names.items():
        sheet.append([name, *(figures[kato].get(year) for year in years)])
    note = "figures of element 6584 as extracted by a public client in September 2026: 20 regions, both sexes, 2022-2025, no republic row"
    _store_workbook(archive, source, workbook_bytes(book, None), EXTRACT_COPIED, note)


def _edition_2026(file: Path, names: dict[str, str], archive: Archive, source: Source) -> None:
    """The edition of 2026-04-30 in the workbook's layout: 16 regions to 2008, 20 from 2009, and the republic, both sexes."""
    figures: dict[str, dict[int, int]] = defaultdict(dict)
    with file.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            figures[row["kato"]][int(row["date"][:4])] = int(_whole(row["persons"]))
    years = sorted({year for by_year in figures.values() for year in by_year})
    book = Workbook()
    sheet = book.worksheets[0]
    sheet.title = TOTAL_SHEET
    sheet.append([None, *years])
    # the republic stands first, as in the workbook of 2023; a region has no cell for the years in which this edition does not know it
    for kato in sorted(figures):
        sheet.append([EDITION_NAMES.get(kato) or names[kato], *(figures[kato].get(year) for year in years)])
    note = (
        "figures of element 6584, edition of 2026-04-30, from another author's cut of the workbook: republic and regions, both sexes, "
        "1991-2026, 16 regions to 2008 and 20 from 2009; a region without a figure has an empty cell"
    )
    _store_workbook(archive, source, workbook_bytes(book, EDITION), EDITION_COPIED, note)


def _store_workbook(archive: Archive, source: Source, body: bytes, delivered: str, note: str) -> None:
    request = requests(source, source.dataset("population"))[0]
    store(archive, source, "population", request, body, delivered=delivered, content_type=XLSX, note=note)
