"""Answers of UNHCR, written from the figures of Kazakhstan at hand (extractors/unhcr/README.md)."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from extractors.archive import Archive
from extractors.records.client import questions
from extractors.source import load_source
from sample.answer import store

DATASET = "persons_of_concern"
FIGURES = "unhcr_population_KAZ.csv"
COPIED = "2026-11-25T00:00:00+00:00"
NOTE = (
    "figures of Kazakhstan as country of origin and of asylum, 1993-2025, as the package refugees 2025.12.1 has them (repository"
    " PopulationStatistics/refugees, commit 0c16a6d0); its gaps are written '-', as the interface writes them"
)
SIDES = ("coo_name", "coo", "coo_iso", "coa_name", "coa", "coa_iso")
CATEGORIES = ("refugees", "asylum_seekers", "returned_refugees", "idps", "returned_idps", "stateless", "ooc", "oip", "hst")


def write(inputs: Path, archive: Archive) -> int:
    """Writes the answer about each side of Kazakhstan; returns how many. Raises `ValueError` for a figure that is not whole."""
    source = load_source("unhcr")
    with (inputs / FIGURES).open(encoding="utf-8", newline="") as lines:
        figures = list(csv.DictReader(lines))
    asked = questions(source, source.dataset(DATASET))
    for number, (question, request) in enumerate(asked.items(), 1):
        side = question.partition("=")[0]
        items = [_item(row) for row in figures if row[f"{side}_iso"] == "KAZ"]
        body = json.dumps({"page": 1, "maxPages": 1, "total": [], "items": items}, ensure_ascii=False, separators=(",", ":"))
        store(
            archive, source, DATASET, request, body.encode(),
            delivered=COPIED, content_type="application/json", note=NOTE, number=number,
        )  # fmt: skip
    return len(asked)


def _item(row: dict[str, str]) -> dict[str, object]:
    """A record of the interface: names and codes of both sides, and a figure or `-` in each category."""
    said = {name: _whole(row[name]) if row[name] else "-" for name in CATEGORIES}
    return {"year": _whole(row["year"]), **{name: row[name] for name in SIDES}, **said}


def _whole(text: str) -> int:
    """The number that the copy spells with a decimal point."""
    number = float(text)
    if not number.is_integer():
        raise ValueError(f"expected a whole number, found {text!r}")
    return int(number)
