"""JSON in one bounded way: every parser of it refuses the same things, with a pointer."""

from __future__ import annotations

import json

import pytest

from extractors.decode import NESTING, decode_json, read_json
from extractors.rows import LONGEST_TEXT, ContractError
from tests.fuzz.sound import answers, outcome

JSON = ["bns.external_arrivals", "bns.births", "iom.missing_migrants", "uis.outbound_totals"]


def said(text: str) -> str:
    with pytest.raises(ContractError) as caught:
        read_json(text, "#")
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "old", "new", "pointer", "values"),
    [
        ("bns.external_arrivals", '"id"', '"id": "1", "id"', "/0/id", '"1" and "741880"'),
        ("bns.births", '"date"', '"date": "31.12.1999", "date"', "/0/periods/0/date", '"31.12.1999" and "31.12.'),
        ("iom.missing_migrants", '"number_dead"', '"number_dead": "5", "number_dead"', "2018#/0/number_dead", '"5" and "'),
        ("uis.outbound_totals", '"year"', '"year":1,"year"', "/records/0/year", '"1" and "'),
        ("uis.outbound_totals", '"hints"', '"hints":[{}],"hints"', "/hints", "a list and a list"),
    ],
)
def test_a_key_twice_is_refused_with_pointer_and_both_values(name: str, old: str, new: str, pointer: str, values: str) -> None:
    first, *rest = answers(name)
    changed = first.replace(old.encode(), new.encode(), 1)
    assert changed != first
    count, [error] = outcome(name, (changed, *rest))
    assert (count, error.position) == (0, pointer)
    assert error.found.startswith(values)


def test_a_key_twice_in_a_later_record_of_a_long_answer_has_its_own_number() -> None:
    first, version = answers("uis.outbound_totals")
    found = json.loads(first)
    records = [json.dumps(record, separators=(",", ":")) for record in found["records"] * 50]
    records[1_700] = records[1_700].replace('"geoUnit"', '"geoUnit":"XXX","geoUnit"')
    body = f'{{"hints":[],"records":[{",".join(records)}],"indicatorMetadata":[]}}'.encode()
    _, [error] = outcome("uis.outbound_totals", (body, version))
    assert error.position == "/records/1700/geoUnit"


@pytest.mark.parametrize("name", JSON)
def test_a_key_twice_in_a_version_or_beside_what_is_read_is_refused_too(name: str) -> None:
    sound = answers(name)
    if len(sound) > 1:
        _, [error] = outcome(name, (*sound[:-1], b'{"version":"2020","version":"2021"}'))
    else:
        changed = sound[0].rstrip().removesuffix(b"]").rstrip().removesuffix(b"}") + b', "note": {"a": 1, "a": 2}}]'
        _, [error] = outcome(name, (changed,))
    assert error.expected == "each key once in an object"


def test_nesting_is_bounded_whatever_the_decoder_bears() -> None:
    assert read_json("[" * NESTING + "]" * NESTING) is not None
    assert "levels of nesting" in said("[" * (NESTING + 1) + "]" * (NESTING + 1))
    assert "levels of nesting" in said('{"a":' * 500 + "1" + "}" * 500)
    assert said("[" * 100_000).startswith("at #, line 1 column 33:")
    # a bracket inside a text is none
    assert read_json(json.dumps(["[" * 100])) == ["[" * 100]


def test_texts_and_figures_are_as_long_as_they_may_be() -> None:
    longest = "9" * LONGEST_TEXT
    assert read_json(f'[{longest}, "{longest}"]') == [longest, longest]
    assert said(f'{{"a": {{"b/c": [1, {longest}9]}}}}').startswith("at #/a/b~1c/1: expected at most 4096 characters, found 4097")


@pytest.mark.parametrize(
    ("name", "old", "new", "position"),
    [
        ("uis.outbound_totals", '"value":', '"value":' + "9" * 5_000, "/records/0/value"),
        ("iom.missing_migrants", '"number_dead": "', '"number_dead": "' + "9" * 5_000, "2018#/0/number_dead"),
        ("bns.births", '"value": "', '"value": "' + "9" * 5_000, "/0/periods/0/value"),
        ("bns.internal_matrix", "2010,", "2010," + "9" * 5_000, "line 2"),
    ],
)
def test_a_figure_or_a_name_without_end_is_refused_where_it_stands(name: str, old: str, new: str, position: str) -> None:
    first, *rest = answers(name)
    count, errors = outcome(name, (first.replace(old.encode(), new.encode(), 1), *rest))
    assert [(error.position, error.found.startswith("5")) for error in errors] == [(position, True)]
    assert not count


def test_figures_keep_the_agencys_digits() -> None:
    assert read_json("[99.35000000000001, 1e3, -0, NaN, null, true]") == ["99.35000000000001", "1e3", "-0", "NaN", None, True]


def test_what_is_no_json_is_said_with_line_and_column() -> None:
    with pytest.raises(ContractError, match="at 2018, line 2 column 3: expected a JSON document"):
        decode_json(b"[\n1 2]", "2018, ")
