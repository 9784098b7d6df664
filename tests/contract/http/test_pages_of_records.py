"""Pages of flat records are asked for to the last; a page rule that fails is refused by name, and nothing is cut in silence."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from extractors.archive import Archive
from extractors.delivery import client_of
from extractors.http import LiveTransport, ReplayTransport, UndeclaredError
from extractors.landing import parse
from extractors.polite import FetchError
from extractors.record import RecordError, record
from extractors.rows import WHOLE, ContractError
from extractors.source import Source
from tests import flat
from tests.agency import Agency, Reply
from tests.flat import CODE, NAME, RECORDS, declared, written
from warehouse.profile import Profile

LIMIT = {"base": "api", "path": "/moves", "params": {"limit": "2"}}
BY_PAGE = LIMIT | {"paging": {"by": "page", "param": "page", "pages": "/pages", "most": 4}}
BY_OFFSET = LIMIT | {"paging": {"by": "offset", "param": "from", "size": "limit", "most": 4}}
BY_LINK = LIMIT | {"paging": {"by": "link", "next": "/next", "most": 4}}
BY_CURSOR = LIMIT | {"paging": {"by": "link", "param": "after", "next": "/next"}}


def page(years: Sequence[int], **more: object) -> Reply:
    return Reply(body=json.dumps({"items": [{"year": str(year), "n": year * 10} for year in years]} | more).encode())


def source_at(agency: Agency, request: dict[str, Any], **records: object) -> Source:
    return flat.source(RECORDS | records, request, agency.url)


def fetched(archive: Archive, source: Source) -> tuple[list[str], list[tuple[str | None, ...]]]:
    """The years that a live delivery gives, and what a replay of it gives must be the same."""
    dataset = source.dataset(NAME)
    client = client_of(CODE, dataset)
    snapshots = client.fetch(source, dataset, LiveTransport(archive, source, NAME))
    [delivery] = archive.deliveries(CODE, NAME)
    transport = ReplayTransport(archive, CODE, NAME, delivery)
    assert client.fetch(source, dataset, transport) == snapshots
    transport.check()
    rows = list(parse(CODE, dataset, archive, snapshots).slices[WHOLE])
    return [str(row[1]) for row in rows], rows


@pytest.mark.parametrize(
    ("request_", "pages", "asked", "more"),
    [
        (BY_PAGE, [page([1, 2], pages=2), page([3], pages=2)], ["page=1", "page=2"], {}),
        (BY_PAGE, [page([1, 2, 3], pages=1)], ["page=1"], {}),
        (BY_OFFSET, [page([1, 2]), page([3]), page([])], ["from=0", "from=2", "from=4"], {}),
        (BY_OFFSET, [page([1, 2], total=3), page([3], total=3)], ["from=0", "from=2"], {"count": "/total"}),
        (BY_LINK, [page([1], next="https://elsewhere.example/moves?limit=2&p=b"), page([2, 3], next=None)], ["", "p=b"], {}),
        (BY_CURSOR, [page([1, 2], next="x y"), page([3])], ["", "after=x y"], {}),
    ],
    ids=["page", "one page", "offset", "offset with a count", "link", "cursor"],
)
def test_pages_are_asked_for_to_the_last(
    agency: Agency, archive: Archive, request_: dict[str, Any], pages: list[Reply], asked: list[str], more: dict[str, object]
) -> None:
    agency.plays(*pages)
    years, _ = fetched(archive, source_at(agency, request_, **more))
    assert years == ["1", "2", "3"]
    assert [" ".join(f"{name}={value}" for name, value in seen.request.params if name != "limit") for seen in agency.seen] == asked


@pytest.mark.parametrize(
    ("request_", "pages", "said", "questions"),
    [
        (BY_PAGE, [page([1, 2], pages=9)] * 2, "at page 2: expected other records than on the pages before, found those of page 1", 2),
        (BY_PAGE, [page([year], pages=9) for year in range(1, 9)], "at page 4: expected at most 4 pages, found one more", 4),
        (BY_PAGE, [page([1, 2], pages=3), page([], pages=3)], "at page 2, /items: expected as many records as were asked for", 2),
        (BY_OFFSET, [page([1, 2], total=5), page([3], total=5)], "at page 2, /items: expected as many records as were asked for", 2),
        (BY_OFFSET, [page([1, 2], total=3), page([3], total=4)], "at page 2, /total: expected '3', as on page 1, found '4': it changed", 2),
        (BY_LINK, [page([1], next="?limit=2")], "at page 1, /next: expected a page that was not asked for before", 1),
        (BY_LINK, [page([1], next="?p=a"), page([2], next="?limit=2")], "at page 2, /next: expected a page that was not asked for", 2),
        (BY_LINK, [page([1], next="/admin?limit=2")], "at page 1, /next: expected a page of /moves, found '/admin?limit=2'", 1),
        (BY_PAGE, [page([1, 2], pages=2), Reply(body=b"<html>busy</html>")], "at page 2, line 1 column 1: expected a JSON document", 2),
    ],
    ids=["repeats", "never ends", "lacks a page", "a short page", "changes", "circle of one", "circle", "elsewhere", "no page"],
)
def test_a_page_rule_that_fails_ends_and_is_refused(
    agency: Agency, archive: Archive, request_: dict[str, Any], pages: list[Reply], said: str, questions: int
) -> None:
    agency.plays(*pages)
    records: dict[str, object] = {"count": "/total"} if b"total" in pages[0].body else {}
    with pytest.raises(ContractError) as caught:
        fetched(archive, source_at(agency, request_, **records))
    assert said in str(caught.value)
    assert len(agency.seen) == questions


def test_a_page_that_is_not_answered_ends_the_delivery(agency: Agency, archive: Archive) -> None:
    agency.plays(page([1, 2], pages=2), Reply(404))
    source = source_at(agency, BY_PAGE)
    with pytest.raises(FetchError, match=r"flatland\.moves: GET .*/moves .*'page': '2'.*404"):
        client_of(CODE, source.dataset(NAME)).fetch(source, source.dataset(NAME), LiveTransport(archive, source, NAME))


def test_an_archive_that_lacks_a_page_says_which(agency: Agency, archive: Archive, tmp_path: Path) -> None:
    agency.plays(page([1, 2], pages=2), page([3], pages=2))
    source = source_at(agency, BY_PAGE)
    fetched(archive, source)
    [last] = tmp_path.glob("archive/manifests/*/*/*/002_*.json")
    last.unlink()
    [delivery] = archive.deliveries(CODE, NAME)
    with pytest.raises(UndeclaredError, match="data page 2"):
        client_of(CODE, source.dataset(NAME)).fetch(source, source.dataset(NAME), ReplayTransport(archive, CODE, NAME, delivery))


@pytest.mark.parametrize(
    ("path", "values", "asked"),
    [
        ("/moves/{land}", ["a", "b"], ["a p=1", "b p=1", "a p=2", "b p=2"]),
        # the names of the parameters differ from question to question
        (
            "/moves?{land}",
            ["to=a&from=all", "from=a&to=all"],
            [f"moves {side} p={number}" for number in (1, 2) for side in ("to=a from=all", "from=a to=all")],
        ),
    ],
    ids=["in the address", "behind it"],
)
def test_each_question_has_pages_of_its_own(agency: Agency, archive: Archive, path: str, values: list[str], asked: list[str]) -> None:
    request_ = {"base": "api", "path": path, "each": {"land": values}, "paging": {"by": "page", "param": "p", "pages": "/pages"}}
    source = source_at(agency, request_, of_question={"land": "land"})
    agency.plays(page([1], pages=2), page([2], pages=2), page([3], pages=2), page([4], pages=3))
    dataset = source.dataset(NAME)
    snapshots = client_of(CODE, dataset).fetch(source, dataset, LiveTransport(archive, source, NAME))
    seen = [(each.request.path.rpartition("/")[2], *(f"{name}={value}" for name, value in each.request.params)) for each in agency.seen]
    assert list(map(" ".join, seen)) == asked
    assert not [snapshot.request.url for snapshot in snapshots if "?" in snapshot.request.url]
    parsed = parse(CODE, dataset, archive, snapshots)
    first, second = values
    assert [row[1:] for row in parsed.slices[first]] == [(first, "1", "10"), (first, "3", "30")]
    assert parsed.answers == {first: (0, 1), second: (2, 3)}
    assert str(parsed.unreadable[second]).startswith("at page 2, /pages: expected '2', as on page 1, found '3'")


def test_a_file_by_hand_answers_a_declared_question(bare: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [tmp_path / "first.json", tmp_path / "second.json"]
    for file, reply in zip(files, (page([1, 2], pages=2), page([3], pages=2)), strict=True):
        file.write_bytes(reply.body)
    with written(monkeypatch, tmp_path, declared(RECORDS, BY_PAGE)):
        with pytest.raises(RecordError, match="there are more questions"):
            record(bare, CODE, NAME, files[:1], [], "recorded")
        snapshots, landing = record(bare, CODE, NAME, files, ["data", "data page 2"], "recorded")
        assert [(landed.landed, landed.rows) for landed in landing] == [(1, 3)]
        assert [snapshot.request.params[-1] for snapshot in snapshots] == [("page", "1"), ("page", "2")]
