"""The reader of UIS answers and the questions it belongs to; every byte here is made by hand, in the agency's shape."""

from __future__ import annotations

import json
import re
import tracemalloc
from collections import deque
from collections.abc import Collection, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extractors.archive import Request, Snapshot
from extractors.rows import WHOLE, Answered, ContractError, Row
from extractors.source import Dataset
from extractors.uis import client, parse
from tests.asked import as_bundled
from tests.asked import parse as read

SOURCE = as_bundled("uis")
TOTALS = SOURCE.dataset("inbound_and_net_flow")
HOSTS = SOURCE.dataset("students_from_kazakhstan")
ORIGINS = SOURCE.dataset("students_to_kazakhstan")
VERSION = b'{"version":"20250416-f6707727","publicationDate":"2025-04-16T00:00:00.000Z","description":"string","themeDataStatus":[]}'


def record(**changes: Any) -> dict[str, Any]:
    return {"indicatorId": "26637", "geoUnit": "KAZ", "year": 2019, "value": 22728, "magnitude": None, "qualifier": None} | changes


def answer(*records: object, hints: object = (), metadata: object = ()) -> bytes:
    return json.dumps({"hints": hints, "records": records, "indicatorMetadata": metadata}).encode()


def rows(*bodies: bytes, dataset: Dataset = TOTALS) -> list[Row]:
    return list(read("uis", dataset, [*bodies, VERSION]).slices[WHOLE])


def complaint(*bodies: bytes, dataset: Dataset = TOTALS) -> ContractError:
    with pytest.raises(ContractError) as caught:
        rows(*bodies, dataset=dataset)
    return caught.value


def test_a_figure_keeps_the_digits_that_the_agency_wrote() -> None:
    body = (
        b'{"hints":[],"records":[{"indicatorId":"26637","geoUnit":"AUT","year":2014,"value":65164.97265625,"magnitude":null,"qualifier":null},'
        b'{"indicatorId":"26637","geoUnit":"CHE","year":2021,"value":99.35000000000001,"magnitude":null,"qualifier":"UIS_EST"},'
        b'{"indicatorId":"MENF.5T8","geoUnit":"KAZ","year":2019,"value":-66619,"magnitude":null,"qualifier":null},'
        b'{"indicatorId":"MENF.5T8","geoUnit":"KAZ","year":2018,"value":1.50e2,"magnitude":null,"qualifier":null}],"indicatorMetadata":[]}'
    )
    assert rows(body) == [
        ("/records/0", "26637", "AUT", "2014", "65164.97265625", None, None),
        ("/records/1", "26637", "CHE", "2021", "99.35000000000001", None, "UIS_EST"),
        ("/records/2", "MENF.5T8", "KAZ", "2019", "-66619", None, None),
        ("/records/3", "MENF.5T8", "KAZ", "2018", "1.50e2", None, None),
    ]


def test_marks_and_strange_figures_are_rows_for_the_gate_to_judge() -> None:
    body = answer(
        record(value=0, magnitude="NA"),
        record(value=0, magnitude="NIL"),
        record(value=None, magnitude="SUPP"),
        record(value="2538a7", geoUnit="SDG: World"),
        record(year=20190),
        record(magnitude="NEWMARK"),
    )
    assert [row[2:6] for row in rows(body)] == [
        ("KAZ", "2019", "0", "NA"),
        ("KAZ", "2019", "0", "NIL"),
        ("KAZ", "2019", None, "SUPP"),
        ("SDG: World", "2019", "2538a7", None),
        ("KAZ", "20190", "22728", None),
        ("KAZ", "2019", "22728", "NEWMARK"),
    ]


def test_an_empty_text_is_a_missing_one() -> None:
    assert rows(answer(record(magnitude="", qualifier=""))) == [("/records/0", "26637", "KAZ", "2019", "22728", None, None)]


def test_fields_are_read_by_name_in_any_order_and_any_layout() -> None:
    backwards = dict(reversed(record(magnitude="NIL", qualifier="NAT_EST").items()))
    body = json.dumps({"records": [backwards], "hints": [], "indicatorMetadata": []}, indent=2).encode()
    assert rows(b"\xef\xbb\xbf" + body) == [("/records/0", "26637", "KAZ", "2019", "22728", "NIL", "NAT_EST")]


def test_an_answer_without_records_is_empty_and_no_error() -> None:
    assert rows(answer()) == []
    assert rows(b'{"records":[ ],"hints":[],"indicatorMetadata":[]}') == []


def test_no_data_for_the_time_range_is_an_answer() -> None:
    assert rows(answer(hints=[{"code": "UIS::HINT::004", "message": "No data for the given time range"}])) == []


@pytest.mark.parametrize("code", ["UIS::HINT::001", "UIS::HINT::002", "UIS::HINT::003", "UIS::HINT::099"])
def test_good_records_beside_a_hint_that_a_part_is_missing_are_refused(code: str) -> None:
    error = complaint(
        answer(record(), hints=[{"code": "UIS::HINT::004"}, {"code": code, "message": "The geoUnit could not be found, XXX"}])
    )
    assert error.position == "/hints/1"
    assert code in error.found


@pytest.mark.parametrize(
    ("body", "position", "found"),
    [
        (b"", "byte 0", "0 bytes"),
        (b"<!DOCTYPE html><html></html>", "byte 0", "an HTML page"),
        (b"[]", "/", "list"),
        (b'{"hints":[],"indicatorMetadata":[]}', "/", "no records"),
        (b'{"records":[],"indicatorMetadata":[]}', "/", "no hints"),
        (b'{"message":"Too much data requested","error":"Bad Request","statusCode":400}', "/error", "unknown key"),
        (b'{"start_end":{"jahre":[2015],"zeilen":4}}', "/start_end", "unknown key"),
        (b'{"data":{"hints":[],"records":[],"indicatorMetadata":[]}}', "/data", "unknown key"),
        (b'{"hints":[],"records":{},"indicatorMetadata":[]}', "/records", "{}"),
        (b'{"hints":[],"records":[],"indicatorMetadata":[{"indicatorCode":"26637"}]}', "/indicatorMetadata", "entries"),
        (b'{"hints":[],"records":[],"indicatorMetadata":[]} and more', "byte", "Extra data"),
        (b'{"hints":["\xff"],"records":[],"indicatorMetadata":[]}', "byte 11", "0xff"),
    ],
)
def test_what_is_not_an_answer_is_refused_with_its_position(body: bytes, position: str, found: str) -> None:
    error = complaint(body)
    assert error.position.startswith(position)
    assert found in error.found


def test_half_an_answer_is_refused_wherever_it_breaks_off() -> None:
    body = answer(record(), record(year=2020))
    for length in range(len(body)):
        assert "JSON" in complaint(body[:length]).expected


@pytest.mark.parametrize(
    ("changed", "position"),
    [
        ({"footnotes": []}, "/records/1/footnotes"),
        ({"value": True}, "/records/1/value"),
        ({"geoUnit": {"id": "KAZ"}}, "/records/1/geoUnit"),
        ({"magnitude": ["NIL"]}, "/records/1/magnitude"),
        ({"indicatorId": "26638"}, "/records/1/indicatorId"),
        ({"indicatorId": None}, "/records/1/indicatorId"),
    ],
)
def test_a_record_of_another_contract_is_refused_with_its_pointer(changed: dict[str, Any], position: str) -> None:
    assert complaint(answer(record(), record(**changed))).position == position


def test_a_record_that_lacks_a_field_or_is_none_is_refused() -> None:
    short = record()
    del short["qualifier"]
    assert complaint(answer(record(), short)).found == "no qualifier"
    assert complaint(answer(record(), 7)).position == "/records/1"
    assert complaint(answer(record(), None)).position == "/records/1"


def test_a_unit_that_was_not_asked_for_shows_that_a_parameter_was_ignored() -> None:
    good, other = record(indicatorId="26528"), record(indicatorId="26528", geoUnit="UZB")
    assert complaint(answer(good, other), dataset=ORIGINS).position == "/records/1/geoUnit"


def test_the_remainder_of_a_lumped_copy_is_a_member_only_where_it_is_declared() -> None:
    assert rows(answer(record(indicatorId="_O", value=907)), dataset=ORIGINS)[0][1] == "_O"
    assert complaint(answer(record(indicatorId="_O"))).position == "/records/0/indicatorId"


def test_of_several_answers_each_row_says_in_which_it_lies() -> None:
    first, last = answer(record(indicatorId="26528"), record(indicatorId="26533")), answer(record(indicatorId="26567"))
    parsed = read("uis", ORIGINS, [first, answer(), last, VERSION])
    found = [(block.answer, address) for block in parsed.blocks(WHOLE) for address in block.addresses]
    assert found == [(0, "/records/0"), (0, "/records/1"), (2, "/records/0")]
    assert [row[1] for row in parsed.slices[WHOLE]] == ["26528", "26533", "26567"]
    # what is wrong is said of the delivery, so the position of the answer comes first
    assert complaint(first, b"", dataset=ORIGINS).position == "answer 1, byte 0"


TRICKY = [
    record(geoUnit='ECA: "},{" and ],"hints":[', year=2001),
    record(geoUnit="a } , { b } ] }", year=2002),
    record(geoUnit='back\\slash"', magnitude='"records":[', year=2003),
    record(geoUnit="Türkiye 東京", year=2004),
    record(geoUnit="", year=2005),
]


@pytest.mark.parametrize("block", [1, 7, 100, 333, 1 << 20])
@pytest.mark.parametrize("layout", [{}, {"indent": 1}, {"separators": (",", ":")}, {"ensure_ascii": False}])
def test_blocks_are_cut_between_records_and_never_inside_a_text(
    block: int, layout: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parse, "BLOCK_BYTES", block)
    records = TRICKY * 7
    body = json.dumps({"records": records, "hints": [], "indicatorMetadata": []}, **layout).encode()
    assert [(row[0], row[2], row[3]) for row in rows(body)] == [
        (f"/records/{number}", found["geoUnit"] or None, str(found["year"])) for number, found in enumerate(records)
    ]


# what may stand in a field, well written or not
WRITTEN = (
    "null", '""', '"null"', '"KAZ"', '"a,b"', r'"\""', r'"a\nb"', '"a\nb"', '"},{"', '"a:b {c}"', f'"{"x" * 401}"', "7", "-0", "-0.5",
    "01", "1.50", "-7.25", "1e3", "9" * 401, f"0.{'0' * 401}1", '7\n"value":8', '7,"value":8', "7,8", "7 ", "true", "[]", "",
)  # fmt: skip


@given(
    st.lists(st.tuples(st.sampled_from(parse.FIELDS), st.sampled_from(WRITTEN)), min_size=1, max_size=3),
    st.sampled_from((",", ", ", ",,", ",null,")),
    st.sampled_from(("", ',{"indicatorId":"26637"')),
)
@settings(max_examples=500, derandomize=True, database=None, deadline=None)
def test_what_commas_cut_is_what_the_decoder_reads(changes: list[tuple[str, str]], between: str, end: str) -> None:
    sound = {name: json.dumps(value) for name, value in record().items()}
    records = [",".join(f'"{name}":{text}' for name, text in (sound | dict([change])).items()) for change in changes]
    body = f'{{"hints":[],"records":[{between.join(f"{{{text}}}" for text in records)}{end}],"indicatorMetadata":[]}}'
    asked = (("indicator", "26637"), *(("indicator", text.strip('"')) for _, text in changes))

    def outcome() -> object:
        try:
            found = parse.parse(TOTALS, [Answered("", asked, (), body.encode()), Answered("", (), (), VERSION)])
            return [(block.lines, block.content) for block in found.blocks(WHOLE)]
        except ContractError as error:
            return str(error)

    quickly = outcome()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(parse, "SPELT_FIGURES", re.compile("none"))
        patched.setattr(parse, "PLAIN_FIGURES", re.compile("none"))
        assert outcome() == quickly


def test_more_false_cuts_than_are_tried_cost_memory_and_no_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parse, "BLOCK_BYTES", 10)
    records = [record(geoUnit="},{" * (parse.CUTS + 1)), *[record()] * 5]
    assert len(rows(answer(*records))) == 6


def test_a_damaged_record_far_inside_is_refused_at_its_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parse, "BLOCK_BYTES", 1000)
    body = answer(*[record(qualifier="ü")] * 500).replace(b'"value": 22728', b'"value": 227x28', 400)
    sound, damaged = answer(*[record(qualifier="ü")] * 100), body.index(b"x28")
    error = complaint(body)
    assert error.position == f"byte {damaged}"
    assert len(rows(sound)) == 100


def test_rows_can_be_read_twice_and_lie_in_memory_a_block_at_a_time() -> None:
    body = answer(*[record(year=1000 + number % 9000) for number in range(30_000)])  # about 3.5 MB of JSON
    found = read("uis", TOTALS, [body, VERSION]).slices[WHOLE]
    tracemalloc.start()
    last = deque(found, maxlen=1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert last == deque(found, maxlen=1)
    assert last[0][0] == "/records/29999"
    assert peak < 2_000_000


def test_the_edition_is_the_version_that_the_answers_are_pinned_to() -> None:
    assert read("uis", TOTALS, [answer(), VERSION]).edition == "20250416-f6707727"
    assert parse.read_version(b'{"version":"2022","publicationDate":null,"description":"","themeDataStatus":[]}') == "2022"


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]", b"{}", b'{"version":null}', b'{"version":"latest"}', b'{"version":"20250416-f6707727","hash":1}', answer()],
)
def test_an_unreadable_version_is_refused(body: bytes) -> None:
    with pytest.raises(ContractError):
        read("uis", TOTALS, [answer(), body])


def test_a_version_alone_is_no_delivery() -> None:
    with pytest.raises(ContractError, match="an answer of /data/indicators"):
        read("uis", TOTALS, [VERSION])


class Answers:
    """A transport that answers the version, and every other question with nothing."""

    delivery = "2026-01-01T00:00:00+00:00"

    def __init__(self, version: bytes) -> None:
        self.version = version
        self.asked: list[Request] = []

    def answers(self, declared: Mapping[str, Request], asked: Collection[str] | None = None) -> list[Snapshot]:
        self.asked += declared.values()
        return [
            Snapshot("uis", "x", self.delivery, request, "", 0, self.delivery, 200, "application/json", "live", "", "")
            for request in declared.values()
        ]

    def body(self, snapshot: Snapshot) -> bytes:
        return self.version if snapshot.request.url.endswith("/versions/default") else answer()


def test_the_version_is_asked_first_and_every_question_is_pinned_to_it() -> None:
    transport = Answers(VERSION)
    snapshots = client.fetch(SOURCE, HOSTS, transport)
    version, question = transport.asked
    assert version.url == "https://api.uis.unesco.org/api/public/versions/default"
    assert question.params == (("indicator", "26540"), ("geoUnitType", "NATIONAL"), ("version", "20250416-f6707727"))
    assert [snapshot.request for snapshot in snapshots] == [question, version]


def test_a_version_that_cannot_be_read_is_handed_on_alone() -> None:
    transport = Answers(b"<html>")
    assert [snapshot.request for snapshot in client.fetch(SOURCE, HOSTS, transport)] == transport.asked
    assert len(transport.asked) == 1


def test_origins_are_asked_in_batches_of_forty_without_losing_one() -> None:
    asked = client.requests(SOURCE, ORIGINS, "20250416-f6707727")
    batches = [[value for key, value in request.params if key == "indicator"] for request in asked]
    # 217 origins: five batches of 40, and 17
    assert [len(batch) for batch in batches] == [40, 40, 40, 40, 40, 17]
    assert [code for batch in batches for code in batch] == ORIGINS.request["indicators"]
    assert len(set(ORIGINS.request["indicators"])) == 217
    assert all(("geoUnit", "KAZ") in request.params and "geoUnitType" not in dict(request.params) for request in asked)
    assert len({request.fingerprint for request in asked}) == 6
