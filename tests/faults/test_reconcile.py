"""Every raw row of a release is named by a fact row, in quarantine, or dropped by a declared rule: exactly one of the three."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from psycopg import sql

from expectations.intake import take_in
from expectations.settle import settle
from extractors.heal import land_again
from tests.small import arrivals, departures, put, run, tree
from tests.state import read
from warehouse.build import BuildError, load
from warehouse.candidate import Candidate, form, pool
from warehouse.connection import connect
from warehouse.fingerprint import core_schema
from warehouse.keys import hex_key
from warehouse.profile import Profile
from warehouse.reconcile import ReconciliationError, account, unreconciled

MISSING = "neither named by a fact row, nor in quarantine, nor dropped by a rule"


def candidate(profile: Profile) -> Candidate:
    """The candidate of this moment."""
    with connect(profile) as connection:
        return form(pool(connection))


def releases(profile: Profile) -> list[int]:
    """Its releases."""
    return candidate(profile).release_keys


def look(profile: Profile) -> dict[int, str]:
    """What does not add up in core as it is."""
    return unreconciled(profile, core_schema(), releases(profile))


def damage(profile: Profile, statement: str) -> None:
    """A statement in which {core} is the core schema and {key} the release of population that says 2018, as the admin."""
    key = population_of_2018(profile)
    with connect(profile) as connection:
        # what added up once is only counted again, and some damage leaves the numbers as they were
        connection.execute("delete from meta.reconciliation")
        connection.execute(sql.SQL(statement).format(core=sql.Identifier(core_schema()), key=sql.Literal(key)))


def population_of_2018(profile: Profile) -> int:
    """The release of population that says 2018."""
    found = read(profile, "select release_key from meta.release where dataset = 'population' and slice like '%2018-01-01'")
    assert len(found) == 1
    return int(str(found[0][0]))


def test_every_row_of_a_small_delivery_is_accounted_for(settled: Profile) -> None:
    assert len(read(settled, "select 1 from meta.reconciliation")) == 6, "before it was published"
    assert look(settled) == {}
    with connect(settled) as connection:
        accounts = account(connection, core_schema(), releases(settled))
    assert len(accounts) == 6
    for one in accounts:
        assert one.landed == one.raw == one.facts > 0, one
        assert one.quarantined == one.dropped == one.derived == 0, one
    remembered = "select count(*), sum(raw_rows), sum(fact_rows) from meta.reconciliation"
    assert read(settled, remembered) == [(6, sum(one.raw for one in accounts), sum(one.facts for one in accounts))]


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        (
            "delete from {core}.int_population where release_key = {key} and source_row in"
            " (select source_row from {core}.int_population where release_key = {key} order by 1 limit 5)",
            f"{MISSING}: Все население!B10, Все население!B11, Все население!B12 and 2 more",
        ),
        (
            "delete from raw.bns_table where _release_key = {key} and _row = 'Все население!B3'",
            "18 rows landed, 17 are in raw; named by a fact row, not in raw: Все население!B3",
        ),
        (
            "insert into raw.bns_table select * from raw.bns_table where _release_key = {key} and _row = 'Все население!B3'",
            "18 rows landed, 19 are in raw; more than once in raw: Все население!B3",
        ),
        (
            "insert into quality.quarantine (release_key, snapshot_key, source_row, rule, detail)"
            " select _release_key, _snapshot_key, _row, 'a rule', 'found late' from raw.bns_table"
            " where _release_key = {key} and _row = 'Все население!B3'",
            "named by a fact row and in quarantine: Все население!B3",
        ),
        (
            "update {core}.int_population set source_row = 'Все население!B3' where release_key = {key}"
            " and source_row = 'Все население!B4'",
            f"named by several fact rows: Все население!B3; {MISSING}: Все население!B4",
        ),
        (
            "create view {core}.stg_bns__more as select _release_key as release_key, _snapshot_key as snapshot_key, _row as source_row,"
            " 'a reason' as dropped_because from raw.bns_table where _release_key = {key} and _row = 'Все население!B3';"
            " alter view {core}.stg_bns__more owner to koshi_transformer",
            "named by a fact row and dropped by a rule: Все население!B3",
        ),
        (
            "update {core}.int_population set source_row = 'Все население!B3; Все население!Z9', derivation = 'a sum'"
            " where release_key = {key} and source_row = 'Все население!B4'",
            f"{MISSING}: Все население!B4; part of a derived fact row, not in raw: Все население!Z9",
        ),
    ],
    ids=[
        "lost from a fact",
        "lost from raw",
        "doubled in raw",
        "named and in quarantine",
        "named twice",
        "named and dropped",
        "derived from nothing",
    ],
)
def test_a_row_that_is_not_in_exactly_one_class_is_named_with_its_address(settled: Profile, statement: str, expected: str) -> None:
    damage(settled, statement)
    key = population_of_2018(settled)
    assert look(settled) == {
        key: f"rows of bns.population region/2018-01-01, 2026-01-15 (release {hex_key(key)}) do not add up: {expected}"
    }
    assert look(settled).keys() == {key}, "what does not add up is not remembered as if it did"


@pytest.mark.parametrize("table", ["core", "raw"])
def test_a_release_that_does_not_add_up_is_landed_again_from_its_bytes(settled: Profile, table: str) -> None:
    before = read(settled, f"select * from {core_schema()}.int_population order by release_key, source_row")
    assert look(settled) == {}
    lost = {
        "core": "{core}.int_population where release_key = {key} and source_row like '%!B3'",
        "raw": "raw.bns_table where _release_key = {key} and _row like '%!B3'",
    }
    damage(settled, f"delete from {lost[table]}")  # its numbers are no longer those that were remembered
    key = population_of_2018(settled)
    assert look(settled).keys() == {key}
    assert land_again(settled, {key}) == {}
    load(settled, candidate(settled))
    assert look(settled) == {}
    assert read(settled, f"select * from {core_schema()}.int_population order by release_key, source_row") == before


def test_a_release_whose_bytes_are_gone_keeps_its_facts(settled: Profile) -> None:
    damage(settled, "delete from raw.bns_table where _release_key = {key}")
    key = population_of_2018(settled)
    shutil.rmtree(Path(settled.archive) / "snapshots")
    failed = land_again(settled, {key})
    assert failed.keys() == {key}
    assert "bns.population" in failed[key] and "restore the archive" in failed[key]
    load(settled, candidate(settled))
    assert read(settled, f"select count(*) from {core_schema()}.int_population where release_key = {key}") == [(18,)]
    assert look(settled).keys() == {key}


def test_a_release_that_its_bytes_no_longer_give_keeps_what_it_has(settled: Profile) -> None:
    damage(settled, "update meta.release set row_digest = 'another' where release_key = {key}")
    damage(settled, "delete from {core}.int_population where release_key = {key} and source_row = 'Все население!B3'")
    key = population_of_2018(settled)
    failed = land_again(settled, {key})
    assert "reads its bytes otherwise" in failed[key]
    assert read(settled, f"select count(*) from raw.bns_table where _release_key = {key}") == [(18,)]


def test_what_added_up_once_is_only_counted_again(settled: Profile, monkeypatch: pytest.MonkeyPatch) -> None:
    assert look(settled) == {}

    def nothing(connection: object, schema: str, keys: list[int]) -> list[object]:
        assert not keys, "no release is looked at row by row"
        return []

    monkeypatch.setattr("warehouse.reconcile.account", nothing)
    assert look(settled) == {}


def test_a_staging_view_that_says_nothing_of_dropped_rows_is_named(settled: Profile) -> None:
    damage(settled, "create view {core}.stg_bns__more as select {key} as release_key")
    with pytest.raises(ReconciliationError, match=r"stg_bns__more has no column snapshot_key, source_row, dropped_because.*add it in dbt"):
        look(settled)


def test_a_run_heals_what_does_not_add_up_before_it_publishes(settled: Profile) -> None:
    before = read(settled, "select * from bi.fct_population order by release_key, source_row")
    damage(settled, "delete from raw.bns_table where _release_key = {key}")
    damage(settled, "delete from {core}.int_population where release_key = {key}")
    assert read(settled, "select * from bi.fct_population order by release_key, source_row") == before, "readers have rows of their own"
    put(settled, "external_arrivals", tree(arrivals() | {2020: 1021}), "2026-03-01")
    _, end = run(settled)
    assert end.outcome == "published"
    assert read(settled, "select * from bi.fct_population order by release_key, source_row") == before


def _take_in_a_revision_and_lose_it(profile: Profile) -> str:
    """A revision of arrivals passes gate 1; then its rows and its bytes are lost. Returns the end of its release's name."""
    put(profile, "external_arrivals", tree(arrivals() | {2020: 1021}), "2026-03-01")
    put(profile, "external_departures", tree(departures() | {2020: 1461}), "2026-03-01")
    for dataset in ("external_arrivals", "external_departures"):
        take_in(profile, "bns", dataset)
    [(key, sha)] = read(
        profile,
        "select r.release_key, s.sha256 from meta.release as r join meta.release_snapshot using (release_key)"
        " join meta.snapshot as s using (snapshot_key) where r.dataset = 'external_arrivals' and r.state = 'accepted'",
    )
    damage(profile, f"delete from raw.bns_taldau where _release_key = {key}")
    (Path(profile.archive) / "snapshots" / str(sha)[:2] / str(sha)).unlink()
    return hex_key(int(str(key)))


def test_a_new_release_that_does_not_add_up_is_held_by_name_and_the_rest_is_published(settled: Profile) -> None:
    name = _take_in_a_revision_and_lose_it(settled)
    end = settle(settled)
    assert end.outcome == "published"
    assert [hex_key(key) for key in end.held] == [name]
    assert any("do not add up" in reason and name in reason and "restore the archive" in reason for reason in end.reasons)
    assert read(settled, "select arrivals_persons, departures_persons from bi.migration_balance where year = 2020") == [(1020, 1461)]


def test_what_readers_would_lose_stops_the_publication(settled: Profile, monkeypatch: pytest.MonkeyPatch) -> None:
    damage(settled, "delete from raw.bns_table where _release_key = {key}")
    shutil.rmtree(Path(settled.archive) / "snapshots")
    put(settled, "external_arrivals", tree(arrivals() | {2020: 1021}), "2026-03-01")
    # the facts that readers see stand: nothing is lost by publishing
    _, end = run(settled)
    assert end.outcome == "published"
    assert any("do not add up" in warning for warning in end.warnings)

    # under other code facts are made anew from raw, where the rows are not, and readers would lose them
    monkeypatch.setattr("warehouse.fingerprint.core_fingerprint", lambda: "0123456789ab")
    monkeypatch.setattr("warehouse.build.fact_fingerprints", lambda *_: {})
    seen = read(settled, "select * from bi.fct_population order by release_key, source_row")
    put(settled, "external_arrivals", tree(arrivals() | {2020: 1022}), "2026-04-01")
    with pytest.raises(BuildError, match=hex_key(population_of_2018(settled))):
        run(settled)
    assert read(settled, "select * from bi.fct_population order by release_key, source_row") == seen
