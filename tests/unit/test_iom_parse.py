"""Answers of the Missing Migrants Project made by hand: every trap of the source, one at a time."""

from __future__ import annotations

import json
from typing import Any

import pytest

from extractors.iom.client import requests
from extractors.iom.parse import INCIDENT, REQUIRED, parse
from extractors.rows import ContractError, Row
from extractors.source import Dataset
from tests.asked import answered, as_bundled
from tests.asked import parse as read

SOURCE = as_bundled("iom")
DATASET = SOURCE.dataset("missing_migrants")


def incident(**fields: Any) -> dict[str, Any]:
    """An incident in the agency's shape: all values text, empty where nothing is known."""
    return {**dict.fromkeys(REQUIRED, ""), "web_id": "2018.MMP00048", "reported_date": "2018-01-18", **fields}


def rows(*incidents: Any) -> list[Row]:
    """The rows of the year 2018 answered by these incidents."""
    return list(read("iom", DATASET, [json.dumps(incidents).encode()]).slices["2018"])


def value(row: Row, name: str) -> str | None:
    """The row's value of a column."""
    return row[1 + INCIDENT.index(name)]


def test_each_incident_is_a_row_addressed_by_year_and_position() -> None:
    found = rows(incident(), incident(web_id="2018.MMP00049"))
    assert [row[0] for row in found] == ["2018#/0", "2018#/1"]
    assert all(len(row) == 1 + len(INCIDENT) for row in found)


def test_empty_text_is_missing_and_zero_is_zero() -> None:
    [row] = rows(incident(number_dead="52", number_missing="", number_of_children="0"))
    assert [value(row, name) for name in ("number_dead", "number_missing", "number_of_children")] == ["52", None, "0"]


def test_negative_counts_and_thousands_commas_are_landed_as_they_are() -> None:
    [row] = rows(incident(number_missing="-4", total_dead_and_missing="1,022"))
    assert (value(row, "number_missing"), value(row, "total_dead_and_missing")) == ("-4", "1,022")


def test_an_incident_told_twice_lands_as_two_rows() -> None:
    first, second = rows(incident(), incident())
    assert first[1:] == second[1:]
    assert first[0] != second[0]


def test_entities_and_line_breaks_are_left_for_staging() -> None:
    [row] = rows(incident(country_of_incident="Côte d&#039;Ivoire", location_description="Aktobe region\n"))
    assert value(row, "country_of_incident") == "Côte d&#039;Ivoire"
    assert value(row, "location_description") == "Aktobe region\n"


def test_an_empty_date_is_a_row_without_a_date() -> None:
    [row] = rows(incident(reported_date=""))
    assert value(row, "reported_date") is None


def test_fields_of_later_years_have_their_columns_and_unknown_ones_are_kept_and_shown() -> None:
    [row] = rows(incident(country_origin="Uzbekistan", incident_type="Split", age="7"))
    assert value(row, "country_origin") == "Uzbekistan"
    assert value(row, "other_fields") == '{"age": "7", "incident_type": "Split"}'
    [plain] = rows(incident())
    assert value(plain, "other_fields") is None


def test_a_number_is_not_spelt_anew() -> None:
    body = json.dumps([incident()]).replace('"number_dead": ""', '"number_dead": 2.10').encode()
    [row] = read("iom", DATASET, [body]).slices["2018"]
    assert value(row, "number_dead") == "2.10"


@pytest.mark.parametrize("body", [b"", b"[]"])
def test_a_year_without_incidents_is_a_slice_without_rows(body: bytes) -> None:
    assert read("iom", DATASET, [body]).slices == {"2018": []}


@pytest.mark.parametrize(
    ("body", "position"),
    [
        (b"<html><body>Access denied</body></html>", "2018, line 1 column 1"),
        (json.dumps([incident()]).encode()[:-20], "2018, line 1 column "),
        (b"\xff\xfe[]", "2018, byte 0"),
        (b'{"error": "no such year"}', "2018#/"),
        (b'["2018.MMP00048"]', "2018#/0"),
        (json.dumps([incident(), {"web_id": "2018.MMP00049"}]).encode(), "2018#/1"),
        (json.dumps([incident(number_dead=["52"])]).encode(), "2018#/0/number_dead"),
        (json.dumps([incident(number_dead=True)]).encode(), "2018#/0/number_dead"),
    ],
)
def test_an_answer_that_is_not_a_list_of_incidents_is_refused_with_its_position(body: bytes, position: str) -> None:
    parsed = read("iom", DATASET, [body])
    assert not parsed.slices
    assert parsed.unreadable["2018"].position.startswith(position)


def test_the_year_is_that_of_the_question_whatever_is_declared_today() -> None:
    two_years = DATASET.model_copy(update={"request": {**DATASET.request, "years": ["2017", "2018"]}})
    assert isinstance(two_years, Dataset)
    assert [request.url.rsplit("global-figures/", 1)[-1] for request in requests(SOURCE, two_years)] == ["2017/json", "2018/json"]
    answers = answered("iom", two_years, [b"[]", json.dumps([incident()]).encode()])
    for declared in (DATASET, two_years):
        found = parse(declared, answers)
        assert {name: len(list(rows)) for name, rows in found.slices.items()} == {"2017": 0, "2018": 1}
        assert found.answers == {"2017": (0,), "2018": (1,)}


def test_two_answers_for_one_year_are_refused() -> None:
    with pytest.raises(ContractError, match="a second answer of 2018"):
        parse(DATASET, answered("iom", DATASET, [b"[]"]) * 2)
