"""A reader who polls while publications come and go sees one or the other in every answer; one who stays holds nobody up for long."""

from __future__ import annotations

import dataclasses
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from typing import Any

import psycopg
import pytest

from expectations.settle import settle
from tests.small import arrivals, departures, put, run, tree
from tests.state import read
from tests.worlds import World
from warehouse import readers, served
from warehouse.connection import connect, reader_url
from warehouse.profile import Profile
from warehouse.publication import decide, roll_back, status
from warehouse.readers import look_after
from warehouse.relation import PublicationError
from warehouse.served import serve

# two views in one statement: both must be of the same publication
QUESTION = (
    "select max(arrivals_persons) filter (where year = 2020), max(departures_persons) filter (where year = 2020),"
    " (select count(*) from bi.dim_release) from bi.migration_balance"
)


PARTS = (
    "select max(arrivals_persons) filter (where year = 2020) from bi.migration_balance",
    "select max(departures_persons) filter (where year = 2020) from bi.migration_balance_all",
    "select count(*) from bi.dim_release",
)


class Poller(threading.Thread):
    """Asks the same question until it is told to stop, in one statement or in several of one transaction; keeps answers and errors."""

    def __init__(self, url: str, level: psycopg.IsolationLevel | None = None) -> None:
        super().__init__(daemon=True)
        self.level = level
        self.url, self.done = url, threading.Event()
        self.answers: list[tuple[object, ...]] = []
        self.errors: list[str] = []

    def run(self) -> None:
        """Polls."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.isolation_level = self.level
            # a reader who thinks between two questions, as all but a benchmark do
            while not self.done.wait(0.02):
                try:
                    if self.level is None:
                        self.answers += connection.execute(QUESTION).fetchall()
                        continue
                    with connection.transaction():
                        parts = []
                        for part in PARTS:
                            parts += connection.execute(part).fetchall()
                            time.sleep(0.01)
                    self.answers.append(tuple(value for (value,) in parts))
                except psycopg.Error as error:
                    self.errors.append(str(error))


def test_a_polling_reader_sees_one_publication_or_the_other_in_every_answer(settled: Profile) -> None:
    levels = (None, psycopg.IsolationLevel.READ_COMMITTED, psycopg.IsolationLevel.REPEATABLE_READ)
    pollers = [Poller(reader_url(settled), level) for level in levels]
    for poller in pollers:
        poller.start()
    put(settled, "external_arrivals", tree(arrivals() | {2020: 1021}), "2026-03-01")
    put(settled, "external_departures", tree(departures() | {2020: 1461}), "2026-03-01")
    run(settled)
    first, second = status(settled)["kept"]
    for _ in range(5):
        roll_back(settled, first[1], "a test", "to and fro")
        roll_back(settled, second[1], "a test", "to and fro")
    decide(settled, "unpin", "a test", "enough")
    for poller in pollers:
        poller.done.set()
        poller.join()
        assert not poller.errors
        # 4 dates of population and 2 flows; the second publication has a further release of each flow
        assert set(poller.answers) == {(1020, 1460, 6), (1021, 1461, 8)}
    # all that built, judged and published has given its sessions back, in this process too
    left = "select application_name, state, query from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
    assert read(settled, f"{left} and usename <> 'bi_reader'") == []


def _lifted(profile: Profile) -> psycopg.Connection[tuple[object, ...]]:
    """A session of a reader who lets himself have everything."""
    connection = psycopg.connect(reader_url(profile), autocommit=True)
    for name in ("statement_timeout", "idle_in_transaction_session_timeout", "transaction_timeout", "idle_session_timeout"):
        connection.execute(f"set {name} = 0")
    connection.execute("set work_mem = '1GB'")
    return connection


def _slowly(reader: psycopg.Connection[tuple[object, ...]]) -> None:
    with suppress(psycopg.OperationalError):
        reader.execute("select pg_sleep(60)")


# what the reader does, and the bound that it is beyond
BEYOND: dict[str, tuple[str, ...]] = {
    "idle_in_transaction_session_timeout": ("begin", "select 1"),
    "transaction_timeout": ("begin", "select 1"),
    "statement_timeout": (),
    "idle_session_timeout": ("select 1",),
    "memory": ("begin", "declare c cursor for select g, count(*) from generate_series(1, 500000) as g group by g", "fetch 1 from c"),
}


@pytest.mark.parametrize("bound", BEYOND)
def test_a_reader_who_lifts_every_default_is_ended_beyond_the_bound(bare: Profile, monkeypatch: pytest.MonkeyPatch, bound: str) -> None:
    with closing(_lifted(bare)) as reader, ThreadPoolExecutor(1) as pool:
        for statement in BEYOND[bound]:
            reader.execute(statement)
        if bound == "statement_timeout":
            pool.submit(_slowly, reader)
        time.sleep(0.3)
        assert look_after(bare) == []
        lower: dict[str, Any] = {bound: 1 << 25 if bound == "memory" else 0.2}
        monkeypatch.setattr(readers, "BOUNDS", dataclasses.replace(readers.BOUNDS, **lower))
        (ended,) = look_after(bare)
        assert f"beyond {bound} = " in ended
        pool.shutdown()
        with pytest.raises(psycopg.OperationalError):
            reader.execute("select 1")


def _published_twice(profile: Profile) -> None:
    world = World(profile)
    for rank, value in (("1", 10), ("2", 20)):
        world.deliver("a", rank, value)
        assert settle(profile, world).outcome == "published"


def test_a_reader_who_idles_in_a_transaction_delays_what_others_see_by_no_more_than_the_bound(
    bare: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    _published_twice(bare)
    monkeypatch.setattr(readers, "BOUNDS", dataclasses.replace(readers.BOUNDS, idle_in_transaction_session_timeout=2))
    world, begun = World(bare), time.monotonic()
    with closing(_lifted(bare)) as reader:
        reader.execute("begin")
        reader.execute("select * from bi.figures")
        roll_back(bare, status(bare)["kept"][0][1], "a test", "to and fro")
        with pytest.raises(psycopg.OperationalError, match="terminating connection"):
            reader.execute("select * from bi.figures")
    decide(bare, "unpin", "a test", "enough")
    with closing(_lifted(bare)) as reader:
        reader.execute("begin")
        reader.execute("select * from bi.figures")
        world.deliver("a", "3", 30)
        world.columns += ", 1 as more"
        assert settle(bare, world).outcome == "published"
    assert 4 < time.monotonic() - begun < 20


def test_somebody_else_who_holds_what_readers_see_is_named(bare: Profile, monkeypatch: pytest.MonkeyPatch) -> None:
    _published_twice(bare)
    monkeypatch.setattr(served, "PATIENCE", 0)
    with connect(bare, application_name="a person's tool") as other:
        other.execute("select * from bi.figures")
        with pytest.raises(PublicationError, match=r"held for 0 s by koshi a person's tool at 127.0.0.1\S* pid \d+: end these sessions"):
            roll_back(bare, status(bare)["kept"][0][1], "a test", "to and fro")


def _seen(reader: psycopg.Connection[tuple[object, ...]]) -> list[tuple[object, ...]]:
    return reader.execute("select dataset, slice, release_key from bi.figures order by 1, 2").fetchall()


def test_an_old_snapshot_sees_the_publication_of_its_time_whole_whatever_comes(bare: Profile) -> None:
    world = World(bare)
    for name in ("a", "b", "c"):
        world.deliver(name, "1", 10)
    assert settle(bare, world).outcome == "published"
    with ExitStack() as stack:
        old: list[tuple[psycopg.Connection[tuple[object, ...]], list[tuple[object, ...]]]] = []

        def look() -> None:
            reader = stack.enter_context(psycopg.connect(reader_url(bare)))
            reader.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            reader.execute("select 1")  # the snapshot; no relation is held, so that columns may change
            with psycopg.connect(reader_url(bare)) as now:
                old.append((reader, _seen(now)))

        look()
        world.deliver("a", "2", 20)
        assert settle(bare, world).outcome == "published"
        look()
        roll_back(bare, status(bare)["kept"][0][1], "a test", "back")
        look()
        decide(bare, "unpin", "a test", "enough")
        world.columns += ", 1 as more"
        world.deliver("b", "2", 20)
        assert settle(bare, world).outcome == "published"
        look()
        world.columns = "dataset, release_key, slice"
        for rank in ("3", "4", "5"):  # what came first is forgotten on the way
            world.deliver("c", rank, 30)
            assert settle(bare, world).outcome == "published"
        assert len({str(rows) for _, rows in old}) == 3
        for reader, rows in old:
            assert _seen(reader) == rows


def test_a_rollback_brings_back_columns_and_rows_of_its_time(bare: Profile) -> None:
    world = World(bare)
    world.deliver("a", "1", 10)
    assert settle(bare, world).outcome == "published"
    first = read(bare, "select * from bi.figures")
    world.columns = "dataset, slice, 'new' as label, release_key::text"
    world.deliver("a", "2", 20)
    world.deliver("b", "1", 20)
    assert settle(bare, world).outcome == "published"
    second = read(bare, "select dataset, slice, label, release_key from bi.figures order by 1")
    kept = [key for _, key, *_ in status(bare)["kept"]]
    for _ in range(2):
        roll_back(bare, kept[0], "a test", "back")
        assert sorted(read(bare, "select dataset, slice, release_key from bi.figures")) == sorted((row[0], row[1], row[2]) for row in first)
        assert "label" not in str(read(bare, "select column_name from information_schema.columns where table_schema = 'bi'"))
        roll_back(bare, kept[1], "a test", "forth")
        assert read(bare, "select dataset, slice, label, release_key from bi.figures order by 1") == second


def test_what_a_person_made_on_it_survives_and_is_named_where_its_column_goes(bare: Profile) -> None:
    world = World(bare)
    world.deliver("a", "1", 10)
    assert settle(bare, world).outcome == "published"
    with connect(bare) as connection:
        connection.execute("create schema mine")
        connection.execute("create view mine.slices as select dataset, slice from bi.figures")
    world.columns += ", 1 as more"
    world.deliver("b", "1", 20)
    assert settle(bare, world).outcome == "published"
    assert read(bare, "select * from mine.slices order by 1") == [("a", "all"), ("b", "all")]
    world.columns = "dataset, 'the ' || slice as part, release_key"
    world.key = "dataset, part"
    world.deliver("b", "2", 20)
    with pytest.raises(
        PublicationError, match=r"the columns of what readers see change, and view mine.slices depends on .*drop or change it"
    ):
        settle(bare, world)
    assert read(bare, "select * from mine.slices order by 1") == [("a", "all"), ("b", "all")]


def _indexes(profile: Profile, relation: str) -> dict[str, object]:
    """The indexes of a relation beside its key, each with its number."""
    rows = read(
        profile,
        f"select pg_get_indexdef(indexrelid), indexrelid from pg_index where indrelid = '{relation}'::regclass and not indisprimary",
    )
    return {str(definition).partition(" USING ")[2].removeprefix("btree "): number for definition, number in rows}


def test_an_index_that_a_model_declares_stands_from_its_publication_to_that_which_has_it_no_more(bare: Profile) -> None:
    world = World(bare)
    world.indexes = ("slice, dataset", "release_key")
    world.deliver("a", "1", 10)
    assert settle(bare, world).outcome == "published"
    first = _indexes(bare, "bi.figures")
    assert first.keys() == {"(slice, dataset)", "(release_key)"}
    world.deliver("a", "2", 20)
    assert settle(bare, world).outcome == "published"
    assert _indexes(bare, "bi.figures") == first
    world.indexes = ("slice, dataset", "dataset")
    world.deliver("a", "3", 30)
    assert settle(bare, world).outcome == "published"
    third = _indexes(bare, "bi.figures")
    assert third == {"(slice, dataset)": first["(slice, dataset)"], "(dataset)": third["(dataset)"]}


def test_a_fact_has_the_indexes_of_the_model_that_it_is_a_view_on(settled: Profile) -> None:
    for schema in ("bi", "bi_rest"):
        assert _indexes(settled, f"{schema}.fct_migration_flow").keys() == {
            "(release_key)",
            "(area_key, counterpart_area_key, period_key)",
            # of every fact: the row of an address (bi.provenance)
            "hash (lpad(to_hex(((series_key # period_key) # release_key)), 16, '0'::text))",
        }


def test_a_relation_without_a_key_is_not_shown(bare: Profile) -> None:
    with connect(bare, "koshi_transformer") as connection:
        connection.execute("create schema pub_00000000000000ab")
        connection.execute("create table pub_00000000000000ab.figures (one int)")
    with connect(bare) as connection, pytest.raises(PublicationError, match=r"pub_00000000000000ab.figures declares no primary key"):
        serve(connection, "pub_00000000000000ab", 171)
