"""What stands at an address, in every form that an address has."""

from __future__ import annotations

import io
import zipfile

import pytest
from openpyxl import Workbook

from extractors.address import Answer, numbers_in
from extractors.rows import ContractError


def _workbook() -> bytes:
    book, body = Workbook(), io.BytesIO()
    sheet = book.worksheets[0]
    sheet.title = "Table 1"
    sheet.append(["area", None, 7])
    sheet.append(["all", 40537])
    book.save(body)
    return body.getvalue()


def _zip() -> bytes:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        archive.writestr("a.csv", "year,n\n2020,5\n")
    return body.getvalue()


JSON = b'{"records": [{"value": 1}, {"a/b": "2"}], "data": [["year"], [2020]]}'
CSV = b'region,arrivals\nAbay,159\n"two\nlines",7\n'
TSV = b'"NAM"\t"VAL"\n"moves"\t"-108 307"\n'


@pytest.mark.parametrize(
    ("body", "position", "found"),
    [
        (JSON, "/records/0", [{"value": "1"}]),  # a number is as it is printed
        (JSON, "/records/1/a~1b", ["2"]),
        (JSON, "/data/1", [["2020"]]),
        (b"[1, 2]", "2018#/1", ["2"]),
        (CSV, "line 2", [{"region": "Abay", "arrivals": "159"}]),
        (CSV, "2022, line 2, arrivals", ["159"]),
        (CSV, "line 4, arrivals", ["7"]),
        (TSV, "line 2", [{"NAM": "moves", "VAL": "-108 307"}]),
        (_zip(), "a.csv, line 2", [{"year": "2020", "n": "5"}]),
        (_workbook(), "Table 1!B2", [40537]),
        (_workbook(), "Table 1!C1; Table 1!B2", [7, 40537]),
    ],
)
def test_what_stands_there_is_found(body: bytes, position: str, found: list[object]) -> None:
    assert Answer(body).at(position) == found


@pytest.mark.parametrize(
    ("body", "position", "said"),
    [
        (JSON, "/records/2", "expected a value, found nothing"),
        (JSON, "somewhere", "expected a JSON pointer, a cell of a sheet or a line"),
        (CSV, "line 9", "expected a record, found nothing"),
        (CSV, "line 2, departures", "expected a record, found nothing"),
        (_workbook(), "Table 1!B1", "expected a filled cell, found nothing"),
        (_workbook(), "Table 2!B1", "expected one of the sheets Table 1, found Table 2"),
    ],
)
def test_where_nothing_stands_the_position_is_named(body: bytes, position: str, said: str) -> None:
    with pytest.raises(ContractError, match=said) as raised:
        Answer(body).at(position)
    assert position in str(raised.value)


def test_numbers_are_read_however_they_are_written() -> None:
    assert numbers_in({"a": "-108 307", "b": "text", "c": "−3,5", "d": "12*"}) == ["-108307", "-3.5", "12"]
    assert numbers_in(7) == ["7"]
    assert numbers_in([[1], "2.5E-1"]) == ["2.5E-1"]
