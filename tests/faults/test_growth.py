"""A release costs what it brings: what readers have already, and what has not changed, is not looked at again."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from psycopg import Connection, Cursor, sql

from extractors import delivery
from extractors.archive import Archive, Snapshot
from extractors.landing import land
from extractors.replay import catch_up
from extractors.source import Source, load_source
from tests import flat, small
from tests.conftest import new_profile
from tests.state import read, state
from warehouse import build, ledger
from warehouse.candidate import shown as shown_releases
from warehouse.connection import connect
from warehouse.fingerprint import core_schema, fact_fingerprints
from warehouse.journal import Entry, Journal, now
from warehouse.profile import Profile
from warehouse.publication import sweep
from warehouse.served import shown
from warehouse.statistics import analyze_changed


def _spared(profile: Profile, other: list[int]) -> set[int]:
    """The releases that the tests for keys pass by where these come, go or change."""
    with connect(profile) as connection:
        base = shown(connection)
        connection.execute("update meta.candidate_release set is_as_shown = false")
    assert base is not None
    build._spare_what_is_shown(profile, base, other)
    return {int(str(key)) for (key,) in read(profile, "select release_key from meta.candidate_release where is_as_shown")}


def test_keys_are_looked_for_in_releases_that_come_and_go(settled: Profile, monkeypatch: pytest.MonkeyPatch) -> None:
    first, *others = [int(str(key)) for (key,) in read(settled, "select release_key from meta.candidate_release order by 1")]
    assert others
    assert _spared(settled, [first]) == {*others}
    # what was published with such a failure is looked at until it is gone
    monkeypatch.setattr(build, "set_aside", lambda *_: [{"name": "dbt: fct_population_keys_resolve"}])
    assert _spared(settled, [first]) == set()


def test_a_further_release_builds_upon_what_readers_have(settled: Profile) -> None:
    before = {key for (key,) in read(settled, "select release_key from meta.candidate_release")}
    small.put(settled, "external_arrivals", small.tree(small.arrivals() | {2021: 1031}), "2026-03-01")
    _, outcome = small.run(settled)
    assert outcome.outcome == "published"
    looked_at = {key for (key,) in read(settled, "select release_key from meta.candidate_release where not is_as_shown")}
    new = {key for (key,) in read(settled, "select release_key from meta.candidate_release")} - before
    # the new one, and the one that it makes an earlier vintage
    assert len(new) == 1
    assert new < looked_at
    assert len(looked_at) == 2


def test_a_delivery_that_has_landed_is_not_read_again(settled: Profile, monkeypatch: pytest.MonkeyPatch) -> None:
    small.put(settled, "external_arrivals", small.tree(small.arrivals() | {2021: 1031}), "2026-03-01")
    held: list[str] = []
    look = delivery._held

    def noted(archive: Archive, source: Source, dataset: str, name: str) -> list[Snapshot]:
        held.append(name)
        return look(archive, source, dataset, name)

    monkeypatch.setattr(delivery, "_held", noted)
    landed = list(delivery.deliver(settled, "bns", "external_arrivals"))
    assert [one.known for one in landed] == [True, False]
    assert [name[:8] for name in held] == ["20260301"]


def test_a_delivery_of_many_slices_asks_the_server_no_more_often_than_one_of_few(bare: Profile, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    for name in ("execute", "executemany", "copy"):

        def counted(self: Cursor, query: Any, *more: Any, name: str = name, go_on: Any = getattr(Cursor, name), **rest: Any) -> Any:
            asked.append(name)
            return go_on(self, query, *more, **rest)

        monkeypatch.setattr(Cursor, name, counted)
    counts, source = [], load_source("bns")
    for day, years in enumerate((range(2020, 2022), range(2010, 2022)), 1):
        small.put(bare, "population", small.population(years), f"2026-02-0{day}")
        archive = Archive(bare.archive)
        snapshots = archive.snapshots("bns", "population", archive.deliveries("bns", "population")[-1])
        with connect(bare, "koshi_loader") as connection:
            asked.clear()
            landed = land(connection, Journal(bare.journal), archive, source, "population", snapshots)
        counts.append((len(landed.slices), asked.count("copy"), len(asked)))
    (few, *at_first), (many, *then) = counts
    assert (few, many) == (2, 12)
    assert then == at_first
    assert then[0] == 1


def test_tables_are_analyzed_when_a_tenth_of_them_is_new(settled: Profile) -> None:
    def changed(rows: int) -> set[tuple[str, str]]:
        with connect(settled) as connection:
            connection.execute("insert into meta.grows select generate_series(1, %s)", [rows])
            connection.execute("select pg_stat_force_next_flush()")
        with connect(settled) as connection:
            found = analyze_changed(connection, "meta")
            connection.execute("select pg_stat_force_next_flush()")
        return {name for name in found if name == ("meta", "grows")}

    with connect(settled) as connection:
        connection.execute("create table meta.grows (number int)")
    assert changed(1000) == {("meta", "grows")}
    assert changed(60) == set()
    assert changed(60) == {("meta", "grows")}  # the two together


def test_what_was_only_tried_goes_out_of_core(settled: Profile) -> None:
    table = sql.Identifier(core_schema(), "release_period")
    before = read(settled, f"select count(*) from {core_schema()}.release_period")
    with connect(settled) as connection:
        for key in (-(2**62), 42, 2**62):
            connection.execute(
                sql.SQL(
                    "insert into {0} (release_key, period_key, period_kind, period_start_date, period_end_date)"
                    " select {1}, period_key, max(period_kind), max(period_start_date), max(period_end_date) from {0} group by period_key"
                ).format(table, sql.Literal(key))
            )
    sweep(settled)
    assert read(settled, f"select count(*) from {core_schema()}.release_period") == before


def _facts(profile: Profile) -> dict[str, object]:
    """Of each core table the file that holds it: another one is a table that was filled anew."""
    rows = read(
        profile, f"select relname, relfilenode from pg_class where relnamespace = '{core_schema()}'::regnamespace and relkind = 'r'"
    )
    return {str(name): file for name, file in rows if str(name).startswith("int_") or name == "release_period"}


@pytest.mark.slow
def test_a_change_of_one_facts_code_makes_that_fact_anew(settled: Profile, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    root = flat.grown(tmp_path / "tree")
    model, old, before = root / "dbt" / "models" / "core" / "int_population.sql", core_schema(), _facts(settled)
    model.write_text(f"{model.read_text('utf-8')}-- said otherwise\n", encoding="utf-8")
    with flat.standing_in(monkeypatch, root):  # killed as soon as it has taken over what it can
        build.stage(settled)
        build._take_over(settled)
        assert before.items() - _facts(settled).items() == {("int_population", before["int_population"])}
    build._take_over(settled)  # the code of before goes on with what it made
    assert _facts(settled) == before
    small.put(settled, "external_arrivals", small.tree(small.arrivals() | {2021: 1031}), "2026-03-01")
    with flat.standing_in(monkeypatch, root):
        _, end = small.run(settled)
        assert end.outcome == "published"
        after = _facts(settled)
        assert {name for name in before if after[name] != before[name]} == {"int_population"}
        assert read(settled, f"select to_regnamespace('{old}')") == [(None,)]
        replayed = dataclasses.replace(new_profile(tmp_path / "fresh", "koshi_replay"), archive=settled.archive, journal=settled.journal)
        catch_up(replayed)
        found, expected = state(settled), state(replayed)
    assert found.keys() == expected.keys()
    assert [name for name in found if found[name] != expected[name]] == []


def test_a_fact_has_the_code_of_all_that_is_before_it(settled: Profile) -> None:
    manifest = build.copy_of_manifest(settled)
    before = fact_fingerprints(manifest, {})

    def made_anew() -> set[str]:
        return {name for name, code in fact_fingerprints(manifest, {}).items() if code != before[name]}

    manifest.nodes["model.koshi.stg_mol__kandas"].raw_code += " -- other"
    assert made_anew() == {"int_repatriation", "release_period"}
    before = fact_fingerprints(manifest, {})
    manifest.nodes["model.koshi.int_vital_event"].columns["value"].data_type = "numeric(30,6)"
    assert made_anew() == {"int_vital_event"}
    before = fact_fingerprints(manifest, {})
    manifest.nodes["model.koshi.int_vital_event"].columns["value"].description = "Other words."
    manifest.nodes["model.koshi.region_balance"].raw_code += " -- other"
    assert made_anew() == set()
    manifest.macros[
        "macro.koshi.series_breaks"
    ].macro_sql += " -- other"  # two facts call it, and a macro in a condition would count as well
    assert {"int_population", "int_migration_flow"} <= made_anew() < set(before)
    before = fact_fingerprints(manifest, {})
    manifest.macros["macro.koshi.postgres__get_delete_insert_merge_sql"].macro_sql += " -- other"  # dbt calls it
    assert made_anew() == set(before)
    before = fact_fingerprints(manifest, {})
    assert {name for name, code in fact_fingerprints(manifest, {"contracts": []}).items() if code != before[name]} == {
        "int_area_indicator", "release_period",
    }  # fmt: skip


def test_ten_thousand_releases_are_published_in_a_few_statements(settled: Profile, monkeypatch: pytest.MonkeyPatch) -> None:
    statements: list[object] = []
    execute = Connection.execute

    def counted(connection: Connection[Any], query: Any, *given: Any, **more: Any) -> Any:
        statements.append(query)
        return execute(connection, query, *given, **more)

    with connect(settled) as connection:
        columns = read(settled, "select column_name from information_schema.columns where (table_schema, table_name) = ('meta', 'release')")
        listed = ", ".join({"release_key": "number", "slice": "number::text"}.get(str(name), str(name)) for (name,) in columns)
        connection.execute(
            f"insert into meta.release ({', '.join(str(name) for (name,) in columns)})"
            f" select {listed} from (select * from meta.release limit 1) as one, generate_series(1, 10000) as number"
        )
        body = connection.execute("select entry from meta.journal_entry where kind = 'published'").fetchall()[0][0]
        shown_by = Entry(10**6, "published", now(), {**body, "results": [], "releases": [[number, True] for number in range(1, 10001)]})
        monkeypatch.setattr(Connection, "execute", counted)
        ledger.apply(connection, shown_by)
        found = shown_releases(connection)
        written = connection.execute("select pg_stat_get_xact_tuples_updated('meta.release'::regclass)").fetchone()
        ledger.apply(connection, dataclasses.replace(shown_by, sequence=10**6 + 1))
        again = connection.execute("select pg_stat_get_xact_tuples_updated('meta.release'::regclass)").fetchone()
        connection.rollback()
    assert set(range(1, 10001)) <= found.keys()
    assert len(statements) < 40
    assert written == again, "a release that is shown already is written again"
