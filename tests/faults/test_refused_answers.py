"""What goes wrong with one answer is said of that answer; the deliveries behind it land."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Any

import pytest

from extractors import raw
from extractors.bns import parse as bns_parse
from extractors.rows import Block, Parsed, Row
from tests.fuzz.sound import SOURCES
from tests.small import arrivals, land_all, population, put, tree
from tests.state import read
from warehouse.profile import Profile

DATASET = "external_arrivals"


def _landed(bare: Profile, first: bytes, dataset: str = DATASET) -> tuple[str, list[int]]:
    """What is said of the first answer when good ones follow it, and how many rows these have."""
    put(bare, dataset, first, "2026-03-01")
    put(bare, dataset, tree(arrivals()), "2026-03-02")
    put(bare, dataset, tree(arrivals() | {2020: 5}), "2026-03-03")
    bad, *good = land_all(bare, SOURCES["bns"], dataset)
    assert [landed.unreadable for landed in good] == ["", ""]
    assert read(bare, "select count(*) from meta.release where row_digest = '' and rows_landed = 0") == [(1,)]
    return bad.unreadable, [landed.rows for landed in good]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (tree(arrivals(), text="a\0b"), r"at /0/y122018: expected text that the database takes, found U+0000 in"),
        (tree(arrivals()).replace(b'"1000"', b'"10\\ud8000"'), "at /0/y122018: expected text that the database takes, found U+D800 in"),
        (tree(arrivals() | {2020: 1}).replace(b"y122020", b"y12\\u00002020"), r"at /0/y12\x002020: expected a period key"),
        (
            tree(arrivals()).replace(b"{", b'{"y122018": "2376", ', 1),
            'at /0/y122018: expected each key once in an object, found "2376" and "1000"',
        ),
        (tree(arrivals()).replace(b"{", b'{" y122018": "2376", ', 1), "at /0/y122018: expected each key once in a node, found '1000' and"),
        (b"[" * 100_000, "at line 1 column 33: expected at most 32 levels of nesting, found more"),
        (tree(arrivals() | {2020: "1" * 5_000}), "at /0/y122020: expected at most 4096 characters, found 5000"),
    ],
    ids=["NUL", "half a surrogate pair", "NUL in a key", "a key twice", "a key twice but for a blank", "depth", "digits"],
)  # fmt: skip
def test_an_answer_that_cannot_be_kept_is_refused_with_its_position(bare: Profile, body: bytes, said: str) -> None:
    found, rows = _landed(bare, body)
    assert said in found
    assert rows == [4, 4]


def _raises(error: Exception) -> Callable[..., Parsed]:
    def parse(*_: object) -> Parsed:
        raise error

    return parse


def _raises_late(error: Exception, parse: Any, slices: Collection[str] = ()) -> Callable[..., Parsed]:
    """A parser whose rows, or those of these slices, break off while they are read."""

    class Breaking:
        def __init__(self, rows: list[Row]) -> None:
            self.rows = rows

        def __iter__(self) -> Iterator[Row]:
            yield from self.rows[:2]
            raise error

    def late(*asked: Any) -> Parsed:
        parsed: Parsed = parse(*asked)
        parsed.slices |= {name: Breaking(list(rows)) for name, rows in parsed.slices.items() if name in (slices or parsed.slices)}
        return parsed

    return late


@pytest.mark.parametrize("late", [False, True], ids=["at once", "while rows are read"])
@pytest.mark.parametrize("error", [TypeError("no such thing"), RecursionError("deep"), IndexError("list index"), OSError("seek")], ids=repr)
def test_a_fault_of_a_parser_is_a_rejected_release_that_says_so(
    bare: Profile, monkeypatch: pytest.MonkeyPatch, error: Exception, late: bool
) -> None:
    sound, body = bns_parse.PARSERS["taldau_tree"], tree(arrivals(range(2000, 2010)))
    broken = _raises_late(error, sound) if late else _raises(error)

    def breaks_once(dataset: Any, answers: Any) -> Parsed:
        return (broken if answers[0].body == body else sound)(dataset, answers)

    monkeypatch.setitem(bns_parse.PARSERS, "taldau_tree", breaks_once)
    found, rows = _landed(bare, body)
    assert "this is a fault of the parser" in found
    assert f"found {type(error).__name__}: {error}" in found
    assert rows == [4, 4]
    assert read(bare, "select count(*) from raw.bns_taldau") == [(8,)]


def test_a_want_of_memory_is_not_said_of_the_answer(bare: Profile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(bns_parse.PARSERS, "taldau_tree", _raises(MemoryError()))
    put(bare, DATASET, tree(arrivals()), "2026-03-01")
    with pytest.raises(MemoryError):
        land_all(bare, SOURCES["bns"], DATASET)
    assert read(bare, "select count(*) from meta.release") == [(0,)]


def test_what_only_the_database_refuses_is_a_rejected_release_with_the_line(bare: Profile, monkeypatch: pytest.MonkeyPatch) -> None:
    checked = raw.addressed

    def unchecked(keys: str, block: Block) -> bytes:
        # a byte that no text of Python can become
        return checked(keys, block).replace(b"2376", b"23\xff76")

    monkeypatch.setattr(raw, "addressed", unchecked)
    found, rows = _landed(bare, tree(arrivals() | {2020: 2376}))
    assert found.startswith("at COPY bns_taldau, line 3")
    assert 'invalid byte sequence for encoding "UTF8": 0xff' in found
    assert rows == [4, 4]


def test_rows_that_are_not_as_many_as_were_written_are_not_kept(bare: Profile, monkeypatch: pytest.MonkeyPatch) -> None:
    checked = raw.addressed
    monkeypatch.setattr(raw, "addressed", lambda keys, block: checked(keys, block) * 2)
    put(bare, DATASET, tree(arrivals()), "2026-03-01")
    with pytest.raises(raw.LandingError, match=r"4 rows were parsed, raw\.bns_taldau took in 8; nothing was kept"):
        land_all(bare, SOURCES["bns"], DATASET)
    assert read(bare, "select count(*) from raw.bns_taldau") == [(0,)]


@pytest.mark.parametrize("refused_by", ["the parser", "the database"])
def test_a_slice_that_cannot_be_kept_leaves_the_others_of_its_delivery(
    bare: Profile, monkeypatch: pytest.MonkeyPatch, refused_by: str
) -> None:
    checked, sound = raw.addressed, bns_parse.PARSERS["workbook"]
    if refused_by == "the parser":
        monkeypatch.setitem(bns_parse.PARSERS, "workbook", _raises_late(IndexError("late"), sound, {"region/2020-01-01"}))
    else:
        monkeypatch.setattr(raw, "addressed", lambda keys, block: checked(keys, block).replace(b"1002000", b"10\xff000"))
    put(bare, "population", population(range(2018, 2022)), "2026-03-01")
    [landed] = land_all(bare, SOURCES["bns"], "population")
    assert ("IndexError: late" if refused_by == "the parser" else "invalid byte sequence") in landed.unreadable
    assert (landed.landed, landed.rows, landed.parsed) == (4, 54, 54)
    kept = "select slice, rows_landed, (select count(*) from raw.bns_table where _release_key = release_key) from meta.release order by 1"
    assert read(bare, kept) == [(f"region/{year}-01-01", rows, rows) for year, rows in ((2018, 18), (2019, 18), (2020, 0), (2021, 18))]
    assert read(bare, "select count(*) from raw.bns_table") == [(54,)]


@pytest.mark.parametrize(
    ("dataset", "body", "said"),
    [
        ("net_migration", b'"NAM;DAT', "at line 1: expected a complete record, found unexpected end of data"),
        ("internal_matrix", b'Year,region_emmigr,region_immigr,N\n2010,a,b,"1', "at line 2: expected a complete record"),
        ("kandas", b'figure_id,"document\n', "at line 1: expected a complete record"),
    ],
)
def test_an_open_quote_in_a_header_is_refused_with_the_line(bare: Profile, dataset: str, body: bytes, said: str) -> None:
    put(bare, dataset, body, "2026-03-01")
    [landed] = land_all(bare, SOURCES["bns"], dataset)
    assert said in landed.unreadable
