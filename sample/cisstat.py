"""Answers of CIS Stat, written from the figures of Kazakhstan and its mirrors at hand (cisstat.md 10)."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from extractors.archive import Archive
from extractors.records.client import questions
from extractors.source import load_source
from sample.answer import store

DATASET = "external_flows"
FIGURES = "cisstat_migration_KAZ_and_mirrors_1991_2025.csv"
# The day on which the copy was taken, and what its author's recorded answers of that day give as `maxUpdateDate`
COPIED = "2026-09-28T00:00:00+00:00"
UPDATED = "2026-09-17T13:02:44.987380"
NOTE = (
    "figures of Kazakhstan and of its partners about it as copied by a public client on 2026-09-28; maxUpdateDate is that of the answers"
    " that this client keeps as examples, of which fact it is not said; Дата_обновления and Точность are not at hand"
)
FLOWS = {"4650866": "arrivals", "4679599": "departures", "44243": "arrivals", "44245": "departures"}
BY_PARTNER = ("44243", "44245")
COUNTRIES = {
    "ARM": "Армения", "AZE": "Азербайджан", "BLR": "Беларусь", "KAZ": "Казахстан", "KGZ": "Кыргызстан", "MDA": "Молдова", "RUS": "Россия",
    "TJK": "Таджикистан", "TKM": "Туркменистан", "UKR": "Украина", "UZB": "Узбекистан",
}  # fmt: skip
WHOLE = {"_T": "Международная миграция - всего", "CIS": "Всего по странам СНГ", "NON_CIS": "Другие страны (исключая страны СНГ) - всего"}
TAIL = ("Значение", "Примечание", "Дата_обновления", "Оценочное", "Точность")
TOTALS = ("Страны", "Территориальный справочник по миграции", "Год", *TAIL)
PARTNERS = ("Страны", "Тип местности", "Территориальный справочник по миграции", "Год", *TAIL)


def write(inputs: Path, archive: Archive) -> int:
    """Writes the answer of each fact; returns how many. The copy holds no estimates."""
    source = load_source("cisstat")
    with (inputs / FIGURES).open(encoding="utf-8", newline="") as lines:
        figures = list(csv.DictReader(lines))
    asked = questions(source, source.dataset(DATASET))
    for number, (fact, flow) in enumerate(FLOWS.items(), 1):
        body = json.dumps(_answer(fact, [row for row in figures if row["flow"] == flow]), ensure_ascii=False, separators=(",", ":"))
        store(
            archive, source, DATASET, asked[fact], body.encode(),
            delivered=COPIED, content_type="application/json", note=NOTE, number=number,
        )  # fmt: skip
    return len(FLOWS)


def _answer(fact: str, figures: list[dict[str, str]]) -> dict[str, object]:
    """The answer of one fact: the totals, or the partners with their two sums, of which the totals have a third part."""
    header = PARTNERS if fact in BY_PARTNER else TOTALS
    known = {**COUNTRIES, "_T": WHOLE["_T"], "CIS": WHOLE["CIS"]} if fact in BY_PARTNER else WHOLE
    # before 2016 there are no partners, and so no answer by partner
    kept = [row for row in figures if row["partner"] in known and (fact not in BY_PARTNER or int(row["year"]) >= 2016)]
    rows = []
    for row in kept:
        of = (COUNTRIES[row["reporter"]], *(["Всего"] if fact in BY_PARTNER else []), known[row["partner"]], row["year"])
        rows.append([*of, row["persons"], None, None, "f", None])
    return {"dateLabel": "Дата", "valueScale": 1, "maxUpdateDate": UPDATED, "data": [list(header), *rows]}
