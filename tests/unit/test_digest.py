"""Order, places and spelling are not content; everything else is."""

from __future__ import annotations

import csv
import io
import json
import random
import re
from collections.abc import Callable, Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extractors import digest
from extractors.archive import Archive
from extractors.landing import parse
from extractors.rows import Answered, Parsed
from extractors.source import load_source, source_codes
from tests import asked
from warehouse.profile import BUNDLED_ARCHIVE

DATASETS = [(code, name) for code in source_codes() for name in load_source(code).datasets]
text = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=6)


def digest_of(parsed: Parsed, name: str, version: int = digest.CURRENT) -> str:
    """What the slice comes to."""
    found = digest.VERSIONS[version]()
    for block in parsed.blocks(name):
        found.update(block.lines, block.content)
    return found.result()


def _reversed_json(body: bytes) -> bytes:
    """Lists turned round, the keys of objects in another order, pairs of parallel lists kept together, a header row first."""

    def turn(value: object) -> object:
        if isinstance(value, dict):
            return {key: value[key] if key in ("terms", "termNames") else turn(value[key]) for key in reversed(value)}
        if not isinstance(value, list):
            return value
        header = value[:1] if value and isinstance(value[0], list) else []
        return [turn(item) for item in [*header, *reversed(value[len(header) :])]]

    # a number keeps its digits: Python would write 36562.0010986328125 with fewer
    turned = json.dumps(turn(json.loads(body, parse_float=lambda digits: f"@{digits}@")), ensure_ascii=False)
    return re.sub(r'"@([^"]*)@"', r"\1", turned).encode()


def _shuffled_lines(delimiter: str) -> Callable[[bytes], bytes]:
    def shuffle(body: bytes) -> bytes:
        header, *records = csv.reader(io.StringIO(body.decode("utf-8-sig"), newline=""), delimiter=delimiter)
        random.Random(7).shuffle(records)  # noqa: S311 - a test's order, not a secret
        out = io.StringIO(newline="")
        csv.writer(out, delimiter=delimiter, lineterminator="\r\n").writerows([header, *records])
        return out.getvalue().encode()

    return shuffle


def _reorder(body: bytes) -> bytes:
    if body[:1] in (b"[", b"{"):
        return _reversed_json(body)
    return _shuffled_lines("\t" if b"\t" in body.splitlines()[0] else ",")(body)


@pytest.mark.parametrize(("source", "dataset"), [pair for pair in DATASETS if pair[0] != "undesa" and pair[1] != "population"])
def test_a_reordered_answer_says_the_same(source: str, dataset: str) -> None:
    archive = Archive(str(BUNDLED_ARCHIVE))
    delivery = archive.deliveries(source, dataset)[-1]
    snapshots = archive.snapshots(source, dataset, delivery)
    if source == "uis":  # the version is asked first and read last
        snapshots.sort(key=lambda snapshot: snapshot.request.url.endswith("/versions/default"))
    declared = load_source(source).dataset(dataset)
    first = parse(source, declared, archive, snapshots)
    answers = [Answered(s.request.url, s.request.params, s.request.form, _reorder(archive.body(s))) for s in snapshots]
    second = asked.parser(source, declared).parse(declared, answers)
    assert first.slices.keys() == second.slices.keys()
    assert any(digest_of(first, name, 1) != digest_of(second, name, 1) for name in first.slices), "the order really is another"
    assert [digest_of(first, name) for name in first.slices] == [digest_of(second, name) for name in first.slices]


def _parsed(rows: Iterable[tuple[str | None, ...]], **more: object) -> Parsed:
    numbered = [(f"line {number}", *row) for number, row in enumerate(rows)]
    return Parsed(("place", "code", "value"), {"whole": numbered}, places=("place",), **more)  # type: ignore[arg-type]


@given(st.lists(st.tuples(text, text, text), max_size=12), st.randoms(use_true_random=False))
def test_rows_in_any_order_and_place_give_one_digest(rows: list[tuple[str, str, str]], chance: random.Random) -> None:
    other = [(str(chance.random()), *row[1:]) for row in rows]
    chance.shuffle(other)
    assert digest_of(_parsed(rows), "whole") == digest_of(_parsed(other), "whole")


@given(st.lists(st.tuples(text, st.integers(-99, 99).map(str)), min_size=1, max_size=8), st.data())
def test_another_figure_or_code_or_one_row_more_gives_another_digest(rows: list[tuple[str, str]], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(rows) - 1))
    code, value = rows[at]
    for changed in ([*rows[:at], (code, str(int(value) + 1)), *rows[at + 1 :]], [*rows, rows[at]], rows[:at] + rows[at + 1 :]):
        one, two = (_parsed([("", *row) for row in some]) for some in (rows, changed))
        assert digest_of(one, "whole") != digest_of(two, "whole")


@pytest.mark.parametrize(
    ("spellings", "marks"),
    [
        (("1234.5", "1 234,5", "1\u00a0234.50", "+1234,500", "01234.5"), ".,"),
        (("-3", "\u22123", "-3.0", "-03"), "."),
        (("0", "-0", "0.00", "00", "0e5"), "."),
        (("1000", "1e3", "1E+3", "1000.0"), "."),
        (("12*", "12 *", "12.0*"), "."),
    ],
)
def test_one_figure_has_one_spelling(spellings: tuple[str, ...], marks: str) -> None:
    assert len({digest.one_spelling(spelling, marks) for spelling in spellings}) == 1


@pytest.mark.parametrize(
    ("one", "two"), [("12", "12*"), ("1,5", "1.5"), ("", "0"), ("..", "0"), ("1 23", "123"), ("x", "0"), (None, "0"), ("1e999", "0")]
)
def test_different_figures_keep_different_spellings(one: str | None, two: str | None) -> None:
    assert digest.one_spelling(one) != digest.one_spelling(two)


def test_a_missing_mark_is_no_figure() -> None:
    assert digest.one_spelling("1,234") == "1,234", "a comma is no decimal mark of an agency that writes points"


def test_a_digest_of_the_first_version_is_as_the_first_version_wrote_it() -> None:
    parsed = _parsed([("", "a", "1.0"), ("", "b", "2")])
    # sha256 of the two lines as they land: ",a,1.0" and ",b,2", each with a line feed
    assert digest_of(parsed, "whole", 1) == "b7b5e9176bd32f5fa3bb62955469de65ec5ddbf3e3cbf79687786369b0ffd545"


def test_the_fast_way_of_the_answer_in_blocks_says_what_the_slow_way_says() -> None:
    def answer(*values: str) -> bytes:
        records = ",".join(
            f'{{"indicatorId":"26637","geoUnit":"KAZ","year":{2000 + at},"value":{value},"magnitude":null,"qualifier":null}}'
            for at, value in enumerate(values)
        )
        return f'{{"hints":[],"records":[{records}],"indicatorMetadata":[]}}'.encode()

    dataset = load_source("uis").dataset("inbound_and_net_flow")
    version = json.dumps({"version": asked.VERSION}).encode()
    plain, spelt = (
        asked.parse("uis", dataset, [answer(*values), version]) for values in (("10", "5", "-2.5", "0"), ("10.0", "5e0", "-2.50", "-0"))
    )
    assert digest_of(plain, "whole") == digest_of(spelt, "whole")
    assert digest_of(plain, "whole", 1) != digest_of(spelt, "whole", 1)


@given(st.from_regex(r"[-+]?0*[0-9]{0,4}([.,][0-9]{0,3}0*)?( ?\*)?", fullmatch=True), st.sampled_from([".", ".,"]))
def test_a_figure_that_stands_in_one_spelling_is_left_as_the_long_way_leaves_it(figure: str, marks: str) -> None:
    found = digest.one_spelling(figure, marks)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(digest, "_SPELT", re.compile("(?!)"))
        assert found == digest.one_spelling(figure, marks)
