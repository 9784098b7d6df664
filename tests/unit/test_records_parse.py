"""Flat records are read as they are declared, and anything else is refused with its place."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extractors.archive import Archive
from extractors.iom import parse as iom_parse
from extractors.records.parse import parse
from extractors.rows import LONGEST_TEXT, WHOLE, Answered, ContractError, Parsed
from extractors.source import Source, load_source
from extractors.uis import parse as uis_parse
from tests.flat import RECORDS, answer, dataset, declared
from tests.fuzz.test_parsers import changes, mutated
from warehouse.profile import BUNDLED_ARCHIVE
from warehouse.records import columns_of

TABLE = {
    "form": "table", "at": "/data", "beside": ["/dateLabel"], "edition": "/maxUpdateDate",
    "fields": {"Страны": "area", "Год": "period", "Значение": "value"}, "optional": {"Примечание": "remark"},
    "ignored": ["Точность"], "of_answer": {"/valueScale": "scale"}, "of_question": {"fact": "fact"}, "figures": ["value"],
}  # fmt: skip
FACTS = {"base": "api", "path": "/fact/data/{fact}/freq/44", "params": {"locale": "ru"}, "each": {"fact": ["44243", "44245"]}}
CSV = {"form": "csv", "fields": {"year": "period", "n": "value"}, "figures": ["value"]}


def rows(records: dict[str, Any], *bodies: object) -> list[tuple[str | None, ...]]:
    return list(parse(dataset(records), [answer(body) for body in bodies]).slices[WHOLE])


def refused(records: dict[str, Any], body: object) -> str:
    with pytest.raises(ContractError) as caught:
        parse(dataset(records), [answer(body)])
    return str(caught.value)


def test_records_become_rows_of_the_declared_columns_with_their_pointer() -> None:
    body = b'{"items": [{"year": 2024, "n": 6846.3250000000001424035600}, {"n": null, "year": "2025"}, {"n": -0.50, "year": ""}]}'
    assert rows(RECORDS, body) == [
        ("/items/0", "2024", "6846.3250000000001424035600"), ("/items/1", "2025", None), ("/items/2", "", "-0.50"),
    ]  # fmt: skip
    parsed = parse(dataset(), [answer(body)])
    assert parsed.columns == ("period", "value")
    assert [block.content for block in parsed.blocks(WHOLE)] == [["period,value", "2024,6846.32500000000014240356", "2025,", ",-0.5"]]


def test_the_order_of_a_declaration_is_no_content() -> None:
    body = {"items": [{"year": "2024", "n": "1"}]}
    assert rows(RECORDS | {"fields": {"n": "value", "year": "period"}}, body) == rows(RECORDS, body)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"items": [{"year": "1", "n": "2", "note": "x"}]}, "at /items/0/note: expected only year, n, found an unknown field"),
        ({"items": [{"year": "1", "n": "2"}, {"n": "2"}]}, "at /items/1: expected a record with year, n, found no year"),
        ({"items": [{"year": "1", "n": {"a": 1}}]}, "at /items/0/n: expected a text, a number or null, found an object"),
        ({"items": [{"year": "1", "n": [1]}]}, "at /items/0/n: expected a text, a number or null, found a list"),
        ({"items": [{"year": "1", "n": True}]}, "at /items/0/n: expected a text, a number or null, found true or false"),
        ({"items": [["1", "2"]]}, "at /items/0: expected an object, found a list"),
        ({"items": [None]}, "at /items/0: expected an object, found null"),
        ({"items": {}}, "at /items: expected a list of records, found an object"),
        ({"items": [], "truncated": True}, "at /truncated: expected only /items, found a place that is not declared"),
        ({"records": []}, "at /records: expected only /items, found a place that is not declared"),
        ({}, "at /items: expected what is declared to stand there, found nothing"),
        ([], "at /items: expected what is declared to stand there, found a list"),
        (b"", "at byte 0: expected a JSON document, found 0 bytes"),
        (b"<html></html>", "at line 1 column 1: expected a JSON document, found an HTML page"),
        (b'{"items": [{"year": 1, "n": 2, "n": 3}]}', "at /items/0/n: expected each key once in an object"),
        (b'{"items": ' + b"[" * 5_000 + b"]" * 5_000 + b"}", "expected at most 32 levels of nesting, found more"),
        ('{"items": [{"year": "Қ", "n": 1}]}'.encode("utf-16"), "expected UTF-8 text"),
        ('{"items": [{"year": "г", "n": 1}]}'.encode("cp1251"), "at byte 21: expected UTF-8 text, found byte 0xe3"),
        ({"items": [{"year": "x" * (LONGEST_TEXT + 1), "n": 1}]}, f"at /items/0/year: expected at most {LONGEST_TEXT} characters"),
        (b'{"items": [' + b"[]," * 500_001 + b"[]]}", "expected at most 500000 objects and lists"),
    ],
)  # fmt: skip
def test_what_nobody_declared_is_refused_with_its_pointer(body: object, said: str) -> None:
    assert said in refused(RECORDS, body)


def test_fields_may_be_absent_or_ignored_where_that_is_declared() -> None:
    records = RECORDS | {"optional": {"note/s": "remark"}, "ignored": ["id"]}
    body = {"items": [{"year": "1", "n": "2", "note/s": "x"}, {"year": "1", "n": "3", "id": {"any": ["thing"]}}]}
    assert rows(records, body) == [("/items/0", "1", "x", "2"), ("/items/1", "1", None, "3")]
    assert "at /items/0/note~1s: expected a text" in refused(records, {"items": [{"year": "1", "n": "2", "note/s": []}]})


def test_the_count_that_the_source_reports_must_be_what_there_is() -> None:
    records = RECORDS | {"count": "/meta/total", "beside": ["/meta/took"]}
    body = {"meta": {"total": 1, "took": 0.2}, "items": [{"year": "1", "n": "2"}]}
    assert len(rows(records, body)) == 1
    assert "at /meta/total: expected the 2 records that the source reports, found 1" in refused(records, body | {"meta": {"total": 2}})
    assert "at /meta/total: expected a whole number, found 'many'" in refused(records, body | {"meta": {"total": "many"}})
    assert "at /meta/left: expected only" in refused(records, body | {"meta": {"total": 1, "left": 5}})


def facts(*bodies: object) -> Parsed:
    asked = [answer(body, f"/mirror/fact/data/{fact}/freq/44", locale="ru") for fact, body in zip(("44243", "44245"), bodies, strict=False)]
    return parse(dataset(TABLE, FACTS), asked)


def table(
    *lines: Sequence[object], header: Sequence[str] = ("Год", "Страны", "Значение", "Точность"), updated: str = "2026-09-17T13:02:44.987380"
) -> dict[str, object]:
    return {"dateLabel": "Год", "valueScale": "тысяч", "maxUpdateDate": updated, "data": [list(header), *map(list, lines)]}


def test_a_header_row_with_lists_is_read_by_its_names_a_slice_a_question() -> None:
    parsed = facts(
        table(["2016", "Казахстан", "6846.3250000000001424035600", "1"]), table(["2017", "Россия", "5", ""], updated="2026-09-18")
    )
    assert parsed.columns == ("area", "fact", "period", "remark", "scale", "value")
    assert {name: list(rows) for name, rows in parsed.slices.items()} == {
        "44243": [("/data/1", "Казахстан", "44243", "2016", None, "тысяч", "6846.3250000000001424035600")],
        "44245": [("/data/1", "Россия", "44245", "2017", None, "тысяч", "5")],
    }
    assert parsed.answers == {"44243": (0,), "44245": (1,)}
    assert parsed.editions == {"44243": "2026-09-17T13:02:44.987380", "44245": "2026-09-18"}


def test_one_question_that_cannot_be_read_leaves_the_others() -> None:
    parsed = facts(table(header=["Год", "Страны", "Значение", "Пол"]), table(["2017", "Россия", "5", ""]))
    assert list(parsed.slices) == ["44245"]
    assert str(parsed.unreadable["44243"]).startswith(
        "at /data/0/3: expected only Страны, Год, Значение, Примечание, Точность, found an un"
    )


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (table(header=["Год", "Страны"]), "at /data/0: expected the fields Страны, Год, Значение, found no Значение"),
        (table(header=["Год", "Страны", "Значение", "Год"]), "at /data/0/3: expected each field once, found 'Год' again"),
        (table(header=["Год", "Страны", "Значение"]) | {"data": []}, "at /data/0: expected a header row, found nothing"),
        (table() | {"data": [{"Год": "1"}]}, "at /data/0: expected a header row, found an object"),
        (table(["2016", "Казахстан"]), "at /data/1: expected a list of 4 values, as the header has, found 2"),
        (table(["2016", "Казахстан", "1", "1", "1"]), "at /data/1: expected a list of 4 values, as the header has, found 5"),
        (table(["2016", "Казахстан", ["1"], "1"]), "at /data/1/2: expected a text, a number or null, found a list"),
        (table(["2016", "Казахстан", False, "1"]), "at /data/1/2: expected a text, a number or null, found true or false"),
        (table(updated="17.09.2026"), "at /maxUpdateDate: expected an edition that sorts as time does"),
        (table() | {"valueScale": ["тысяч"]}, "at /valueScale: expected a text, a number or null, found a list"),
    ],
)  # fmt: skip
def test_another_header_or_row_is_refused_with_its_pointer(body: object, said: str) -> None:
    assert said in str(facts(body).unreadable["44243"])


def zipped(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for name, body in members.items():
            file.writestr(name.replace("_", "."), body)
    return out.getvalue()


def test_lines_of_a_csv_also_of_the_named_member_of_a_zip() -> None:
    body = "\ufeffn;year\r\n1,50;2024\r\n;2025\r\n".encode()
    records = CSV | {"delimiter": ";", "decimal_marks": ","}
    assert rows(records, body) == [("line 2", "2024", "1,50"), ("line 3", "2025", "")]
    [block] = parse(dataset(records), [answer(body)]).blocks(WHOLE)
    assert block.content == ["period,value", "2024,1.5", "2025,"]
    member = records | {"member": "data.csv"}
    assert rows(member, zipped(data_csv=body, readme_txt=b"x"))[0] == ("data.csv, line 2", "2024", "1,50")
    assert "at the ZIP: expected one file data.csv, found 0 of that name; it holds other.csv" in refused(member, zipped(other_csv=body))
    assert "at byte 0: expected a ZIP, found BadZipFile" in refused(member, body)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"year,n,sex\n1,2,3\n", "at line 1, column 3: expected only year, n, found an unknown field 'sex'"),
        (b"year\n1\n", "at line 1: expected the fields year, n, found no n"),
        (b"year,n,n\n1,2,3\n", "at line 1, column 3: expected each field once"),
        (b"year,n\n1,2,3\n", "at line 2: expected 2 cells, as the header has, found 3"),
        (b'year,n\n1,"2\n', "at line 2: expected a complete record"),
        (b"", "at byte 0: expected a delimited table, found 0 bytes"),
        (b"<html>", "at line 1: expected a delimited table, found an HTML page"),
        ("year,n\nг,1\n".encode("cp1251"), "at byte 7: expected UTF-8 text"),
        (b"year,n\n" + b"x" * (LONGEST_TEXT + 1) + b",1\n", f"at line 2: expected at most {LONGEST_TEXT} characters"),
    ],
)
def test_another_table_is_refused_with_its_line(body: bytes, said: str) -> None:
    assert said in refused(CSV, body)


def test_a_zip_bomb_is_refused_by_what_it_says_and_by_what_it_holds() -> None:
    records = CSV | {"member": "data.csv"}
    body = bytearray(zipped(data_csv=b"year,n\n" + b"0" * 3_000_000))
    at = body.rindex(b"PK\x01\x02") + 24
    body[at : at + 4] = (500_000_000).to_bytes(4, "little")
    assert "at data.csv: expected at most 400000000 bytes when unpacked, found 500000000" in refused(records, bytes(body))
    body[at : at + 4] = (10).to_bytes(4, "little")
    # not more is unpacked than it says, and then the rest is missed
    assert "at data.csv: expected a file that can be unpacked" in refused(records, bytes(body))
    many = zipped(data_csv=b"year,n\n") + b"PK\x01\x02" * 1_001
    assert "at the ZIP: expected at most 1000 files" in refused(records, many)


def test_a_field_that_is_the_edition_has_one_value() -> None:
    records = CSV | {"fields": {"year": "period", "n": "value", "release": "release"}, "edition": "release"}
    assert parse(dataset(records), [answer(b"year,n,release\n1,2,2026-01-01\n2,3,2026-01-01\n")]).editions == {WHOLE: "2026-01-01"}
    assert "at line 3, release: expected '2026-01-01', as in the first record" in refused(
        records, b"year,n,release\n1,2,2026-01-01\n2,3,2026-02-01\n"
    )


PAGED = {"base": "api", "path": "/moves", "params": {"limit": "2"}, "paging": {"by": "page", "param": "page", "pages": "/pages", "most": 5}}
EMPTY = PAGED | {"paging": {"by": "page", "param": "page", "size": "limit", "most": 5}}
ONE = {"year": "1", "n": "1"}
LINKED = PAGED | {"paging": {"by": "link", "next": "/next"}}


def page(number: int, years: Sequence[int], **more: object) -> Answered:
    items = [{"year": str(year), "n": "1"} for year in years]
    return answer({"items": items} | more, limit="2", page=str(number))


def read_pages(request: dict[str, Any], *pages: Answered, **more: object) -> list[tuple[str | None, ...]]:
    parsed = parse(dataset(RECORDS | more, request), pages)
    assert parsed.answers == {WHOLE: tuple(range(len(pages)))}
    assert [block.answer for block in parsed.blocks(WHOLE)] == [
        number for number, _ in enumerate(pages) if json.loads(pages[number].body)["items"]
    ]
    return list(parsed.slices[WHOLE])


def test_pages_make_one_slice_and_each_row_is_of_its_own_answer() -> None:
    found = [("/items/0", "1", "1"), ("/items/1", "2", "1"), ("/items/0", "3", "1")]
    assert read_pages(PAGED, page(1, [1, 2], pages=2), page(2, [3], pages=2)) == found
    assert read_pages(EMPTY, page(1, [1, 2]), page(2, [3]), page(3, [])) == found
    assert read_pages(EMPTY, page(1, [1, 2], total=3), page(2, [3], total=3), count="/total") == found
    first = answer({"items": [{"year": "1", "n": "1"}], "next": "https://other.example/moves?limit=2&after=x%2B1"}, limit="2")
    last = answer({"items": [{"year": "2", "n": "1"}], "next": None}, limit="2", after="x+1")
    assert len(read_pages(LINKED, first, last)) == 2


@pytest.mark.parametrize(
    ("request_", "pages", "said"),
    [
        (PAGED, [page(1, [1, 2], pages=3), page(3, [5], pages=3)], "page=2, found the answer to limit=2 page=3"),
        (PAGED, [page(1, [1, 2], pages=2)], "at page 2: expected the answer to limit=2 page=2, found none"),
        (PAGED, [page(2, [1, 2], pages=2)], "at page 1: expected page=1, found page=2"),
        (PAGED, [page(1, [1, 2], pages=3), page(2, [], pages=3)], "at page 2, /items: expected as many records as were asked for"),
        (PAGED, [page(1, [1, 2], pages=3), page(2, [1, 2], pages=3)], "at page 2: expected other records than"),
        (PAGED, [page(1, [1, 2], pages=2), page(2, [3], pages=3)], "at page 2, /pages: expected '2', as on page 1, found '3': it changed"),
        (PAGED, [page(number, [number], pages=9) for number in range(1, 6)], "expected at most 5 pages, found one more: limit=2 page=6"),
        (PAGED, [page(1, [1], pages=1), page(2, [2], pages=1)], "at the answer 2: expected one answer a question"),
        (EMPTY, [page(1, [1, 2]), page(2, [3]), page(3, [4])], "at page 2, /items: expected as many records as were asked for"),
        (EMPTY, [page(1, [1, 2, 3])], "at page 1, /items: expected at most 2 records, as was asked for, found 3"),
        (EMPTY, [page(1, [1, 2]), page(2, [3])], "at page 3: expected the answer to limit=2 page=3, found none"),
        (LINKED, [answer({"items": [ONE], "next": "?limit=2"}, limit="2")], "a page that was not asked for before"),
        (LINKED, [answer({"items": [ONE], "next": "/other?a=1"}, limit="2")], "at page 1, /next: expected a page of /moves"),
        (LINKED, [answer({"items": [{"year": "1", "n": {}}], "next": None}, limit="2")], "at page 1, /items/0/n: expected a text"),
    ],
)  # fmt: skip
def test_a_page_that_repeats_is_missing_or_has_no_end_refuses_the_question(
    request_: dict[str, Any], pages: list[Answered], said: str
) -> None:
    with pytest.raises(ContractError) as caught:
        parse(dataset(RECORDS, request_), pages)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("records", "request_", "said"),
    [
        ({"fields": {"a": "value", "b": "value"}}, {}, "each column once"),
        ({"fields": {"a": "_row"}}, {}, "is no column"),
        ({"fields": {"a": "value"}, "ignored": ["a"]}, {}, "each field once"),
        ({"figures": ["year"]}, {}, "figures: year is no column"),
        ({"edition": "year of"}, {}, "edition: year of is neither"),
        ({"form": "csv"}, {}, "there is nothing beside the lines of a csv"),
        ({"member": "x.csv"}, {}, "are of a csv"),
        ({"of_question": {"fact": "fact"}}, {}, "'fact' is no parameter of the request"),
        ({"of_answer": {"total": "total"}}, {}, "'total' is no place"),
        ({}, {"base": "nowhere"}, "'nowhere' is none of base_urls"),
        ({}, {"path": "/x/{year}"}, "{year} is no name of `each`"),
        ({}, {"params": {"year": 2024}}, "params.year"),
        ({}, {"each": {"year": ["1", "1"]}}, "each.year: at least one value, and each once"),
        ({}, {"paging": {"by": "page"}}, "param: the parameter that says which page"),
        ({}, {"paging": {"by": "offset", "param": "at"}}, "size: an offset is counted in records"),
        ({}, {"paging": {"by": "page", "param": "p", "size": "limit"}}, "paging.size: limit is none of params"),
        ({"surprise": "1"}, {}, "surprise"),
    ],
)  # fmt: skip
def test_a_declaration_that_does_not_hold_together_is_refused(records: dict[str, Any], request_: dict[str, Any], said: str) -> None:
    asked = {"base": "api", "path": "/moves"} | request_
    with pytest.raises(ValueError, match="validation error") as caught:
        Source.model_validate({"code": "flatland", **declared(RECORDS | records, asked)})
    assert said in str(caught.value)


INCIDENTS = {"form": "json", "fields": {name: name for name in iom_parse.REQUIRED}, "optional": {name: name for name in iom_parse.OPTIONAL}}
OBSERVATIONS = {
    "form": "json", "at": "/records", "beside": ["/hints", "/indicatorMetadata"], "figures": ["value"],
    "fields": dict(zip(uis_parse.FIELDS, uis_parse.COLUMNS, strict=True)),
}  # fmt: skip


@pytest.mark.parametrize(
    ("code", "name", "records", "request_"),
    [
        ("iom", "missing_migrants", INCIDENTS, {"base": "api", "path": "/global-figures/2018/json"}),
        ("uis", "inbound_and_net_flow", OBSERVATIONS, {"base": "api", "path": "/data/indicators"}),
    ],
)
def test_what_has_a_parser_of_its_own_would_be_read_alike(code: str, name: str, records: dict[str, Any], request_: dict[str, Any]) -> None:
    archive, declared_today = Archive(str(BUNDLED_ARCHIVE)), load_source(code).dataset(name)
    snapshots = sorted(archive.snapshots(code, name, archive.deliveries(code, name)[-1]), key=lambda s: "versions" in s.request.url)
    answers = [Answered(s.request.url, s.request.params, s.request.form, archive.body(s)) for s in snapshots]
    own = import_module(f"extractors.{code}.parse").parse(declared_today, answers)
    [expected] = [[dict(zip(own.columns, row[1:], strict=True)) for row in found] for found in own.slices.values()]
    parsed = parse(dataset(records, request_), answers[:1])
    found = [dict(zip(parsed.columns, (cell or None for cell in row[1:]), strict=True)) for row in parsed.slices[WHOLE]]
    assert [{column: row[column] for column in parsed.columns} for row in expected] == found != []


SOUND = {
    "json": (RECORDS, json.dumps({"items": [{"year": "2024", "n": 1.5}, {"year": "2025", "n": None}]}).encode()),
    "table": (TABLE | {"of_question": {}}, json.dumps(table(["2016", "Казахстан", "6846.32", "1"])).encode()),
    "csv": (CSV, b"year,n\n2024,1.5\n2025,\n"),
    "zip": (CSV | {"member": "data.csv"}, zipped(data_csv=b"year,n\n2024,1.5\n")),
}  # fmt: skip


@settings(max_examples=60, derandomize=True, database=None, deadline=None)
@given(st.data())
@pytest.mark.parametrize("kind", SOUND)
def test_whatever_the_bytes_are_rows_come_out_or_the_place_is_said(kind: str, data: st.DataObject) -> None:
    records, body = SOUND[kind]
    said = ""
    try:
        list(parse(dataset(records), [answer(mutated(body, data.draw(changes)))]).blocks(WHOLE))
    except ContractError as error:
        said = str(error)
    assert "fault of the parser" not in said
    assert said.isprintable()


UNPIVOT = {"fields": ["refugees", "asylum"], "name": "category", "value": "persons"}


@pytest.mark.parametrize(
    ("records", "body", "addresses"),
    [
        (
            {"form": "json", "at": "/items"},
            {"total": 2, "items": [{"year": 2024, "refugees": 7, "asylum": None}, {"year": 2025, "refugees": "0", "asylum": 3}]},
            ("/items/0/refugees", "/items/0/asylum", "/items/1/refugees", "/items/1/asylum"),
        ),
        (
            {"form": "table", "at": "/items"},
            {"total": 2, "items": [["asylum", "year", "refugees"], [None, "2024", "7"], ["3", "2025", "0"]]},
            ("/items/1/refugees", "/items/1/asylum", "/items/2/refugees", "/items/2/asylum"),
        ),
        (
            {"form": "csv"},
            b"year,asylum,refugees\n2024,,7\n2025,3,0\n",
            ("line 2, refugees", "line 2, asylum", "line 3, refugees", "line 3, asylum"),
        ),
    ],
    ids=["json", "table", "csv"],
)
def test_each_figure_of_a_record_is_a_row_with_an_address_of_its_own(
    records: dict[str, Any], body: object, addresses: tuple[str, ...]
) -> None:
    declared = records | {"fields": {"year": "period"}, "unpivot": UNPIVOT, "figures": ["persons"]}
    declared |= {} if records["form"] == "csv" else {"count": "/total"}  # records are counted, not rows
    expected = [("refugees", "2024", "7"), ("asylum", "2024", None), ("refugees", "2025", "0"), ("asylum", "2025", "3")]
    found = [(address, *(cell or None for cell in cells)) for address, *cells in rows(declared, body)]
    assert found == [(address, *cells) for address, cells in zip(addresses, expected, strict=True)]
    assert dataset(declared).declared_records.columns == columns_of(declared) == ("category", "period", "persons")
    lacking = body.replace(b"refugees", b"other") if isinstance(body, bytes) else json.loads(json.dumps(body).replace("refugees", "other"))
    assert "refugees" in refused(declared, lacking)
