"""What is proposed from an answer loads, and reads that answer."""

from __future__ import annotations

import io
import json
import zipfile

import pytest
import yaml

from extractors.proposal import look, propose, roles, written
from extractors.records.parse import parse
from extractors.rows import WHOLE, Answered
from extractors.source import Source, SourceError
from warehouse.profile import ROOT

HEADER = ["Год", "Страны", "iso", "Значение", "вид"]
LINES = [
    ["2024", "Казахстан", "KAZ", "7", "прибывшие"],
    ["2024", "Россия", "RUS", "-", "выбывшие"],
    ["2025", "Россия", "RUS", "9.5", "выбывшие"],
]
OBJECTS = [
    {"year": 2024, "coo": "KAZ", "coo_name": "Kazakhstan", "coa": "DEU", "refugees": 7, "stateless": None, "id": 1},
    {"year": 2025, "coo": "KAZ", "coo_name": "Kazakhstan", "coa": "UKN", "refugees": "0", "stateless": 2, "id": 2, "note": {"a": 1}},
] + [{"year": 2026, "coo": "KAZ", "coo_name": "Kazakhstan", "coa": "DEU", "refugees": at, "stateless": 1, "id": at} for at in range(3, 15)]


def _csv(delimiter: str = ",") -> bytes:
    return "".join(delimiter.join(line) + "\r\n" for line in [HEADER, *LINES]).encode()


def _zip(*names: str) -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        for name in names:
            archive.writestr(name, _csv(";"))
    return whole.getvalue()


TABLE = json.dumps({"dateLabel": "x", "maxUpdateDate": "2026-09-17T13:02:44.987380", "data": [HEADER, *LINES]}, ensure_ascii=False).encode()
ITEMS = json.dumps({"page": 1, "total": len(OBJECTS), "items": OBJECTS}).encode()


@pytest.mark.parametrize(
    ("body", "form", "count"),
    [
        (_csv(), "csv", 3),
        (_csv(";"), "csv", 3),
        (_csv("\t"), "csv", 3),
        (_zip("a.csv", "readme.txt"), "csv", 3),
        (TABLE, "table", 3),
        (ITEMS, "json", 2 * len(OBJECTS)),
        (json.dumps(OBJECTS).encode(), "json", 2 * len(OBJECTS)),
    ],
    ids=["csv", "semicolons", "tabs", "zip", "table", "json", "list"],
)
def test_what_is_proposed_reads_the_answer(body: bytes, form: str, count: int) -> None:
    seen = look(body)
    text = written("agency", "figures", seen, roles(seen, ROOT))
    source = Source.model_validate({"code": "agency", **yaml.safe_load(text)})
    dataset = source.dataset("figures")
    parsed = parse(dataset, [Answered("https://agency.invalid/figures", (), (), body)])
    assert (dataset.declared_records.form, len(list(parsed.slices[WHOLE]))) == (form, count)
    assert dataset.staging is not None and dataset.staging.columns <= {*dataset.declared_records.columns}
    # nothing is guessed of what an answer cannot say
    assert (source.licence, dataset.redistribution, dataset.staging.counted) == ("unknown", "unknown", "unknown")
    for decision in ("licence", "redistribution", "counted", "estimate_kind", "unit", "period", "base_urls"):
        assert any(decision in line or "https://agency.invalid" in line for line in text.splitlines() if "FIXME" in line), decision


def test_fields_are_taken_for_what_their_texts_are() -> None:
    found = roles(look(ITEMS), ROOT)
    assert (found.period, found.form, found.figures, found.indicator) == ("year", "year", ["refugees", "stateless"], "")
    # the code goes before the name, and what it does not know is left to a person
    assert [(name, codes, unknown) for name, codes, unknown in found.ends] == [("coo", "iso3", []), ("coa", "iso3", ["UKN"])]
    table = roles(look(TABLE), ROOT)
    assert (table.period, table.figures, table.gaps, table.indicator) == ("Год", ["Значение"], ["-"], "Страны")
    assert table.columns == {"Год": "field_1", "Страны": "field_2", "iso": "iso", "Значение": "field_4", "вид": "field_5"}
    assert 'edition: "/maxUpdateDate"' in written("a", "b", look(TABLE), table)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"a": 1}', "holds no list of objects"),
        (b'[{"a": "x", "b": 1}]', "holds periods"),
        (b'[{"year": 2024, "a": "x"}]', "holds figures"),
        (b"<html><body>", "cannot be read"),
        (_zip("a.csv", "b.csv"), r"a ZIP with one \.csv, found a\.csv, b\.csv"),
        (b"PK\x03\x04 and more", "cannot be read"),
        (b"", "cannot be read"),
    ],
)
def test_what_is_no_answer_of_flat_records_is_refused(body: bytes, said: str) -> None:
    with pytest.raises(SourceError, match=said):
        seen = look(body)
        roles(seen, ROOT)


def test_a_folder_that_is_there_is_left_alone() -> None:
    with pytest.raises(SourceError, match="is there already"):
        propose("uis", "figures", ITEMS)
    with pytest.raises(SourceError, match="expected small letters"):
        propose("../uis", "figures", ITEMS)
