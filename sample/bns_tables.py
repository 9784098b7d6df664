"""Answers of the national bureau beyond the flows across the border: element files, internal moves, figures in print."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from extractors.archive import Archive
from extractors.bns.client import questions, requests
from extractors.bns.printed import PRINTED
from extractors.source import Source
from sample.answer import store
from warehouse.profile import ROOT

CSV = "text/csv; charset=utf-8"
JSON = "application/json; charset=utf-8"
ELEMENTS_COPIED = "2026-09-30T00:00:00+00:00"
EXCERPT_FILE = "bns_6567_migration_balance_excerpt_ru.csv"
BY_KATO_FILE = "bns_6567_migration_balance_by_kato_2023_2024.json"
EXTRACT_FILE = "bns_region_balance_extract_2022_2025.csv"
KATO_FILE = "kato_nk_rk_11-2025_full.csv"
REGIONS_YEARS = ("2022", "2023")
REGIONS_COPIED = "2025-09-24T00:00:00+00:00"
MATRIX_FILE = "internal_migration_od_2010_2025.csv"
MATRIX_COPIED = "2026-03-26T00:00:00+00:00"
# when each subject was last read from print: what was read before lies in the archive as it was shipped, and is no longer written
READ = {
    "external_by_country": "2026-11-22T00:00:00+00:00",
    "all_flows_by_education": "2026-11-22T00:00:00+00:00",
    "flows_by_specialty": "2026-11-22T00:00:00+00:00",
    "kandas": "2026-11-25T00:00:00+00:00",  # periods by the ministry's own releases; read on 2026-11-22 as the documents print them
}
REPUBLIC = "РЕСПУБЛИКА КАЗАХСТАН"
ALMATY = "750000000"
TOTAL, URBAN = "Всего", "городская местность"
# What the readers noted in words beside a figure, as codes; a note that is not here is an error, so that none is lost
NOTES: dict[str, dict[str, str]] = {
    "": {},
    "end year not printed": {"remark": "end_not_printed"},
    "315.8 thousand families; end year not printed": {"remark": "end_not_printed"},
    "a year, by quota alone": {"unit": "families per year", "breakdown": "admission", "category": "quota"},
    "printed as of the year; the ministry printed the same figures as of 1 November 2024": {"remark": "printed_as_year"},
    "as of 1 December 2024 by the cited article and the chain of the ministry": {"remark": "end_by_cited_article"},
}


def write_tables(inputs: Path, archive: Archive, source: Source) -> int:
    """Writes the answers and returns how many; the printed figures lie two folders above, in `published`."""
    names = _territories(inputs / KATO_FILE)
    _net_migration(inputs, names, archive, source)
    _cube(inputs / EXTRACT_FILE, names, archive, source, "natural_increase")
    _cube(inputs / EXTRACT_FILE, names, archive, source, "births")
    tables = _internal_by_region(inputs, archive, source)
    _internal_matrix(inputs / MATRIX_FILE, archive, source)
    for dataset in READ:
        _printed(inputs.parent.parent / "published", archive, source, dataset)
    return 4 + tables + len(READ)


def _read(file: Path, delimiter: str = ",") -> list[dict[str, str]]:
    with file.open(encoding="utf-8-sig", newline="") as lines:
        return list(csv.DictReader(lines, delimiter=delimiter))


def _whole(text: str | float) -> int:
    value = float(text)
    if not value.is_integer():
        raise ValueError(f"persons must be whole, found {text!r}")
    return int(value)


def _table(header: Sequence[str], rows: Iterable[Sequence[object]], **style: Any) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, **{"lineterminator": "\n", **style})
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode()


def _territories(file: Path) -> dict[str, str]:
    """KATO code → name in capitals, as the bureau's element files print it."""
    return {row["kato"]: row["name_ru"].upper() for row in _read(file) if row["level"] == "oblast"}


def _net_migration(inputs: Path, names: dict[str, str], archive: Archive, source: Source) -> None:
    """The element file: the republic by locality, then the regions; districts are left out."""
    excerpt = _read(inputs / EXCERPT_FILE, "\t")
    header = list(excerpt[0])
    rows = sorted(
        (list(row.values()) for row in excerpt if row["КАТО(по каталогу)"] == REPUBLIC),
        key=lambda cells: (cells[header.index("СПТМ (по каталогу)")], cells[header.index("PERIOD")]),
    )
    by_year: dict[str, dict[str, float]] = json.loads((inputs / BY_KATO_FILE).read_text("utf-8"))["values"]
    name = excerpt[0]["NAM"]
    for year, figures in by_year.items():
        for kato, value in figures.items():
            # the excerpt has no total for the city of Almaty, which has no rural territory: it prints the urban row alone
            locality = URBAN if kato == ALMATY else TOTAL
            figure = f"{_whole(value):,}".replace(",", " ")
            rows.append([name, f"{year} год", f"{year}12", names[kato], "0", locality, "0", TOTAL, "0", TOTAL, "0", figure])
    note = (
        "figures of element 6567 as copied by a public client on 2026-09-30: the republic from an excerpt of the file, the regions from "
        "its extract by KATO code, under the names of the classifier in capitals; districts left out"
    )
    body = _table(header, rows, delimiter="\t", quoting=csv.QUOTE_ALL)
    _store(archive, source, "net_migration", body, ELEMENTS_COPIED, CSV, note)


def _cube(file: Path, names: dict[str, str], archive: Archive, source: Source, indicator: str) -> None:
    """The flat cube of an element: 20 regions, totals of locality and sex, no republic."""
    known = _read(ROOT / "dbt/seeds/taldau_term.csv")
    terms = {row["code"]: int(row["term_id"]) for row in known if row["dimension"] == "area"}
    totals = {row["dictionary_id"]: int(row["term_id"]) for row in known if row["code"] == "_T"}
    wanted = source.dataset(indicator).request
    others = [totals[dictionary] for dictionary in wanted["dictionaries"][1:]]
    figures: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in _read(file):
        if row["indicator"] == indicator:
            year = row["year"]
            figures[row["kato"]].append({"name": f"{year} год", "date": f"31.12.{year}", "value": str(_whole(row["value"]))})
    cells = [
        {"terms": [terms[kato[:2]], *others], "termNames": [names[kato], *[TOTAL] * len(others)], "periods": periods}
        for kato, periods in figures.items()
    ]
    body = json.dumps(cells, ensure_ascii=False, separators=(",", ":")).encode()
    note = (
        f"figures of element {wanted['element_id']} as extracted by a public client in September 2026: 20 regions, 2022-2024, "
        "no republic; under the terms of Taldau's regions"
    )
    _store(archive, source, indicator, body, ELEMENTS_COPIED, JSON, note)


def _internal_by_region(inputs: Path, archive: Archive, source: Source) -> int:
    """One table a year, regions in the order of their names."""
    asked = questions(source, source.dataset("internal_by_region"))
    for number, year in enumerate(REGIONS_YEARS, 1):
        rows = _read(inputs / f"internal_migration_by_region_{year}.csv")
        body = _table(list(rows[0]), sorted(list(row.values()) for row in rows))
        note = f"internal moves of {year} by region from a copy in a public repository of 2025-09-24; the agency's request is not known"
        place = archive, source, "internal_by_region", asked[year]
        store(*place, body, delivered=REGIONS_COPIED, content_type=CSV, note=note, number=number)
    return len(REGIONS_YEARS)


def _internal_matrix(file: Path, archive: Archive, source: Source) -> None:
    """All years, sorted by year, origin and destination; the doubtful year 2022 is written as it is."""
    rows = _read(file)
    body = _table(list(rows[0]), sorted(list(row.values()) for row in rows))
    note = "interregional moves from a copy in a public repository of 2026-03-26; 2025 probably partial; the agency's request is not known"
    _store(archive, source, "internal_matrix", body, MATRIX_COPIED, CSV, note)


def _printed(published: Path, archive: Archive, source: Source, dataset: str) -> None:
    """Writes the figures of one printed table, or of the declared measures in whatever document prints them."""
    wanted = source.dataset(dataset).request
    chosen = [row for row in _read(published / "figures.csv") if _is_wanted(row, wanted)]
    if not chosen:
        raise ValueError(f"bns.{dataset}: {published} has no figure of {wanted['reading']}")
    body = _table(PRINTED, [_transcribed(row) for row in chosen])
    titles = {row["document"]: re.sub(r"^\d+ ", "", row["title"]) for row in _read(published / "documents.csv")}
    documents = "; ".join(titles[document] for document in sorted({row["document"] for row in chosen}))
    if citation := wanted.get("citation"):
        cited = source.model_copy(update={**citation, "attribution": f"{citation['attribution']} {documents}"})
    else:
        cited = source.model_copy(update={"attribution": f"{source.attribution}, as printed in: {documents}"})
    day = READ[dataset].partition("T")[0]
    note = f"{len(chosen)} figures read from print by {day}, each with its document and place; no bytes of the agency are at hand"
    request = requests(source, source.dataset(dataset))[0]
    store(archive, cited, dataset, request, body, delivered=READ[dataset], content_type=CSV, note=note, capture="transcribed")


def _is_wanted(row: dict[str, str], wanted: dict[str, Any]) -> bool:
    if "measures" in wanted:
        return row["measure"] in wanted["measures"]
    return (row["document"], row["locator"]) == (wanted["document"], wanted["locator"])


def _transcribed(row: dict[str, str]) -> list[str]:
    row = {**row, "remark": ""}
    note = row.pop("note")
    if note not in NOTES:
        raise ValueError(f"figure {row['figure_id']}: the note {note!r} has no code; add one to NOTES")
    row.update(NOTES[note])
    return [row.pop(column) for column in PRINTED]


def _store(archive: Archive, source: Source, dataset: str, body: bytes, delivered: str, content_type: str, note: str) -> None:
    [request] = requests(source, source.dataset(dataset))
    store(archive, source, dataset, request, body, delivered=delivered, content_type=content_type, note=note)
