"""A dataset of flat records lands, is read anew and replayed by its declaration alone: no migration, client or parser is of its own."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from expectations import places
from extractors.archive import Request, archive_of
from extractors.delivery import land_each
from extractors.landing import Landed
from extractors.records.client import questions
from extractors.replay import catch_up
from extractors.rows import UNREADABLE
from extractors.source import Source
from sample.answer import store
from tests.conftest import new_profile
from tests.flat import CODE, NAME, RECORDS, REQUEST, SHAPE, declared, written
from tests.small import NOTE, land_all
from tests.state import read, state
from warehouse import migrate, raw_tables
from warehouse.connection import connect
from warehouse.fingerprint import parser_fingerprint
from warehouse.journal import Journal
from warehouse.profile import Profile
from warehouse.records import declared_tables

FIRST = [{"year": 2024, "n": 10, "by": "land"}, {"year": 2025, "n": "11.0", "by": "sea"}]
SECOND = [{"year": 2024, "n": 10, "by": "land"}, {"year": 2025, "n": 12, "by": "sea"}]
PLAIN = RECORDS | {"ignored": ["by"]}
ADDED = RECORDS | {"fields": {"year": "period", "n": "value", "by": "way"}}
RENAMED = RECORDS | {"fields": {"year": "period", "n": "persons"}, "figures": ["persons"], "ignored": ["by"]}
REMOVED = RECORDS | {"fields": {"n": "value"}, "ignored": ["by", "year"]}


def deliver(
    profile: Profile, source: Source, body: object, day: int, request: Request | None = None, number: int = 1, name: str = NAME
) -> None:
    """An archived answer of that day of February."""
    asked = request or next(iter(questions(source, source.dataset(name)).values()))
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    store(
        archive_of(profile), source, name, asked, text, delivered=f"2026-02-{day:02}T00:00:00+00:00",
        content_type="application/json", note=NOTE, number=number,
    )  # fmt: skip


def land(profile: Profile, source: Source) -> list[Landed]:
    return land_all(profile, source, NAME)


def reread(profile: Profile, source: Source) -> list[Landed]:
    """What other code makes of what has landed; it counts as accepted."""
    done = list(land_each(profile, source, NAME, iter(())))
    with connect(profile, "koshi_loader") as connection:
        connection.execute("update meta.release set state = 'accepted' where state = 'landed'")
    return done


def rows(profile: Profile, columns: str, parse_number: int = 1) -> list[tuple[object, ...]]:
    """The rows of all deliveries by one parse."""
    return read(
        profile,
        f"select {columns} from raw.{SHAPE} inner join meta.release on release_key = _release_key"
        f" where parse_number = {parse_number} order by rank, _row",
    )


def columns(profile: Profile) -> set[str]:
    found = read(profile, f"select column_name from information_schema.columns where table_schema = 'raw' and table_name = '{SHAPE}'")
    return {str(name) for (name,) in found} - {"_release_key", "_snapshot_key", "_row"}


def filled(profile: Profile, monkeypatch: pytest.MonkeyPatch, root: Path, records: Mapping[str, Any] = PLAIN) -> None:
    """Two deliveries have landed under the declaration."""
    with written(monkeypatch, root, declared(records)) as source:
        for day, items in enumerate((FIRST, SECOND), 1):
            deliver(profile, source, {"items": items}, day)
        assert [(one.landed, one.rows) for one in land(profile, source)] == [(1, 2), (1, 2)]


def landed_state(profile: Profile) -> dict[str, list[tuple[object, ...]]]:
    """All that landing wrote, but for the state of releases, which no gate has judged here."""
    found = {name: rows for name, rows in state(profile).items() if name.startswith("raw.") or name in ("meta.delivery", "meta.parser")}
    about = "release_key, dataset, slice, edition, rank, parse_number, rows_landed, row_digest, reason, delivery, rows_at_hand"
    return found | {"meta.release": read(profile, f"select {about} from meta.release order by release_key")}


def replayed(profile: Profile, folder: Path) -> Profile:
    """The same archive and journal in an empty database."""
    fresh = dataclasses.replace(profile, database=new_profile(folder / "fresh", "koshi_replay", like="koshi_migrated").database)
    assert catch_up(fresh).not_at_hand == []
    return fresh


def test_a_declared_dataset_lands_into_a_table_that_the_first_release_makes(
    bare: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(bare, monkeypatch, tmp_path)
    assert rows(bare, "_row, period, value") == [
        ("/items/0", "2024", "10"), ("/items/1", "2025", "11.0"), ("/items/0", "2024", "10"), ("/items/1", "2025", "12"),
    ]  # fmt: skip
    # as a migration makes it: the owner's, with the rights and the index of every other raw table
    rights = (
        "select tableowner, has_table_privilege('koshi_loader', t, 'insert, delete'),"
        " has_table_privilege('koshi_transformer', t, 'insert'),"
        " has_table_privilege('koshi_transformer', t, 'select'), has_table_privilege('bi_reader', t, 'select'),"
        " indexdef like '%(_release_key)' from pg_tables inner join pg_indexes using (schemaname, tablename),"
        " lateral (select 'raw.' || tablename as t) as named where schemaname = 'raw' and tablename = '{}'"
    )
    there = read(bare, rights.format(SHAPE))
    assert there == read(bare, rights.format("uis_observation")) == [("koshi_owner", True, False, True, False, True)]
    declarations = [entry.body["declaration"] for entry in Journal(bare.journal).entries()]
    assert [kept["records"]["fields"] for kept in declarations] == [PLAIN["fields"]] * 2
    with written(monkeypatch, tmp_path, declared(PLAIN)) as source:
        assert [one.known for one in land(bare, source)] == [True, True]
        assert landed_state(replayed(bare, tmp_path)) == landed_state(bare)


def test_a_process_makes_declared_tables_before_anything_reads_them(bare: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with written(monkeypatch, tmp_path, declared(PLAIN)):
        migrate.to_head(bare)
        assert columns(bare) == {"period", "value"}
    with written(monkeypatch, tmp_path, declared(ADDED)):
        migrate.to_head(bare)
        assert columns(bare) == {"period", "value", "way"}
    # a file that is none keeps nobody else from a database: whoever loads it says what is wrong with it
    (tmp_path / "extractors" / CODE / "source.yml").write_text("datasets: {moves: {records: 1}}", encoding="utf-8")
    assert not any(table.startswith(CODE) for table in declared_tables(tmp_path))


def test_a_dataset_of_records_needs_no_module_and_no_migration(bare: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with written(monkeypatch, tmp_path, declared(PLAIN)):
        assert list(places._modules(CODE, NAME, tmp_path)) == []
        assert [missing.file for missing in places._raw(bare, CODE, NAME, tmp_path)] == [f"dbt/models/staging/{CODE}/_{CODE}.yml"]


CHANGES: list[tuple[dict[str, Any], set[str], str, list[str]]] = [
    (ADDED, {"period", "value", "way"}, "period, value, way", ["2024 10 land", "2025 11.0 sea", "2024 10 land", "2025 12 sea"]),
    (REMOVED, {"period", "value"}, "period, value", ["- 10", "- 11.0", "- 10", "- 12"]),
    (RENAMED, {"period", "value", "persons"}, "period, value, persons", ["2024 - 10", "2025 - 11.0", "2024 - 10", "2025 - 12"]),
]


@pytest.mark.parametrize(("records", "there", "asked", "found"), CHANGES, ids=["added", "removed", "renamed"])
def test_a_field_added_removed_or_renamed_reads_old_bytes_anew_and_a_replay_gives_both_readings(
    bare: Profile,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    records: dict[str, Any],
    there: set[str],
    asked: str,
    found: list[str],
) -> None:
    filled(bare, monkeypatch, tmp_path)
    before = rows(bare, "_row, period, value")
    with written(monkeypatch, tmp_path, declared(records)) as source:
        [anew] = reread(bare, source)
        assert (anew.reparsed, anew.landed, anew.rows) == (True, 2, 4)
        assert columns(bare) == there, "no column goes: the old releases rest on it"
        assert [" ".join(str(cell or "-") for cell in row) for row in rows(bare, asked, parse_number=2)] == found
        # what was read before stands as it was
        assert rows(bare, "_row, period, value") == before
        assert read(bare, f"select declaration -> 'records' -> 'fields' = '{json.dumps(PLAIN['fields'])}'::jsonb from meta.delivery") == [
            (True,), (True,),
        ]  # fmt: skip
        [entry] = [entry.body for entry in Journal(bare.journal).entries() if entry.kind == "reparsed"]
        assert entry["records"]["fields"] == records["fields"]
        # once is enough
        assert reread(bare, source) == []
        # into an empty database both readings come back, each by the declaration of its time
        assert landed_state(replayed(bare, tmp_path)) == landed_state(bare)


def test_a_change_back_and_a_third_reading_are_replayed_as_well(bare: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(bare, monkeypatch, tmp_path)
    for records in (ADDED, PLAIN, RENAMED):
        with written(monkeypatch, tmp_path, declared(records)) as source:
            assert [one.landed for one in reread(bare, source)] == [2]
    with written(monkeypatch, tmp_path, declared(RENAMED)) as source:
        deliver(bare, source, {"items": [*SECOND, {"year": 2026, "n": 13, "by": "air"}]}, 3)
        assert [one.landed for one in land(bare, source)] == [0, 0, 1]
        assert [len(rows(bare, "_row", number)) for number in (1, 2, 3, 4)] == [7, 4, 4, 4]
        assert landed_state(replayed(bare, tmp_path)) == landed_state(bare)


def test_what_says_the_same_is_no_release(bare: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(bare, monkeypatch, tmp_path)
    same = PLAIN | {"fields": dict(reversed(PLAIN["fields"].items()))}
    wider = PLAIN | {"ignored": ["by", "more"]}
    with written(monkeypatch, tmp_path, declared(PLAIN)):
        first = parser_fingerprint(CODE)
    with written(monkeypatch, tmp_path, declared(same)) as source:
        assert (parser_fingerprint(CODE), reread(bare, source)) == (first, []), "the order of fields is no declaration"
    with written(monkeypatch, tmp_path, declared(wider)) as source:
        [anew] = reread(bare, source)
        assert (anew.landed, anew.unchanged) == (0, 2)
        assert landed_state(replayed(bare, tmp_path)) == landed_state(bare)


def test_what_could_not_be_read_is_read_once_it_is_declared(bare: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with written(monkeypatch, tmp_path, declared(RECORDS)) as source:
        deliver(bare, source, {"items": FIRST}, 1)
        [landed] = land(bare, source)
        assert (landed.slices, landed.rows) == ([UNREADABLE], 0)
        assert landed.unreadable == "at /items/0/by: expected only year, n, found an unknown field"
    with written(monkeypatch, tmp_path, declared(ADDED)) as source:
        [anew] = reread(bare, source)
        assert (anew.landed, anew.rows) == (1, 2)
        assert landed_state(replayed(bare, tmp_path)) == landed_state(bare)


def test_other_questions_of_today_do_not_change_what_was_asked(bare: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paged = REQUEST | {"params": {"limit": "1"}, "paging": {"by": "offset", "param": "from", "size": "limit"}}
    records = PLAIN | {"count": "/total"}
    with written(monkeypatch, tmp_path, declared(records, paged)) as source:
        for number, item in enumerate(FIRST):
            asked = Request("GET", "https://flat.example/moves", (("limit", "1"), ("from", str(number))))
            deliver(bare, source, {"total": 2, "items": [item]}, 1, asked, number + 1)
        assert [(one.landed, one.rows) for one in land(bare, source)] == [(1, 2)]
        snapshots = read(bare, f"select count(distinct _snapshot_key), count(distinct _row) from raw.{SHAPE}")
        assert snapshots == [(2, 1)], "each row is of its own answer"
    with written(monkeypatch, tmp_path, declared(ADDED | {"count": "/total"}, REQUEST)) as source:
        assert [one.landed for one in reread(bare, source)] == [1]
        assert landed_state(replayed(bare, tmp_path)) == landed_state(bare)


def test_two_that_widen_one_table_at_once_do_it_once(bare: Profile) -> None:
    with connect(bare, "koshi_loader") as first, connect(bare, "koshi_loader") as second:
        raw_tables.make(first, SHAPE, ("period", "value"))
        assert first.execute("select current_setting('role')").fetchone() == ("koshi_loader",)
        first.commit()
        raw_tables.make(second, SHAPE, ("period", "value", "way"))
        second.rollback()
        raw_tables.make(first, SHAPE, ("value", "way"))
    assert columns(bare) == {"period", "value", "way"}


def test_each_question_has_an_edition_and_a_release_of_its_own(bare: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    records = PLAIN | {"edition": "/updated", "of_question": {"flow": "flow"}}
    with written(monkeypatch, tmp_path, declared(records, REQUEST | {"each": {"flow": ["in", "out"]}})) as source:
        asked = questions(source, source.dataset(NAME)).values()
        for number, (request, day) in enumerate(zip(asked, ("2026-01-05", "2026-02-07"), strict=True), 1):
            deliver(bare, source, {"updated": day, "items": FIRST}, 9, request, number)
        assert [one.landed for one in land(bare, source)] == [2]
        assert read(bare, "select slice, edition, rank_basis from meta.release order by slice") == [
            ("in", "2026-01-05", "agency"), ("out", "2026-02-07", "agency"),
        ]  # fmt: skip
        assert rows(bare, "flow, value") == [("in", "10"), ("in", "11.0"), ("out", "10"), ("out", "11.0")]
        assert landed_state(replayed(bare, tmp_path)) == landed_state(bare)
