"""Two processes, or a process and a person, at the same warehouse: what one decides or writes is not lost by what the other does.

Something happens exactly when another comes to a step: the step's listener does it, or starts it and waits until it waits for its lock.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Literal

import pytest
from psycopg import sql

from expectations.intake import take_in
from expectations.settle import settle
from extractors.delivery import deliver
from extractors.replay import catch_up
from reporting import airflow_home
from tests.small import arrivals, departures, put, tree
from tests.state import read
from warehouse import build, ledger, publication, steps
from warehouse.connection import alone_on_the_server, connect, drop_database, ensure_database
from warehouse.fingerprint import core_schema
from warehouse.journal import Entry, Journal, now
from warehouse.locks import DBT, LockedError, locked
from warehouse.profile import Profile
from warehouse.publication import decide, prune, roll_back, status
from warehouse.relation import PublicationError
from warehouse.roles import ensure_roles

ARRIVALS_2020 = "select arrivals_persons from bi.migration_balance where year = 2020"
DOUBLES = "select _release_key, _row, count(*) from raw.bns_taldau group by 1, 2 having count(*) > 1"
PATIENCE = 300  # seconds after which a test has failed; nothing here takes as long


class _Meanwhile:
    """Deeds of others, begun while the test's own thread is at a step."""

    def __init__(self) -> None:
        self.owner = threading.get_ident()
        self.pool = ThreadPoolExecutor()
        self.waits = threading.Event()
        self.others: list[Future[Any]] = []
        self.listeners: list[Callable[[str], None]] = []
        self.listen(self._hear_that_another_waits)

    def listen(self, listener: Callable[[str], None]) -> None:
        """Hears of every step until the test ends."""
        self.listeners.append(listener)
        steps.listen(listener)

    def _hear_that_another_waits(self, name: str) -> None:
        if name.startswith("waiting for ") and threading.get_ident() != self.owner:
            self.waits.set()

    def begin(self, deed: Callable[[], object]) -> Future[Any]:
        """Begins the deed in another thread, which knows nothing of the locks of this one."""
        self.others.append(self.pool.submit(deed))
        return self.others[-1]

    def at(self, place: str, deed: Callable[[], object], until: Literal["it ends", "it waits"] = "it ends") -> None:
        """Begins the deed when this thread comes to the step for the first time, and stays there until it ends or waits for a lock."""

        def listener(name: str) -> None:
            if name != place or threading.get_ident() != self.owner or self.others:
                return
            other = self.begin(deed)
            other.add_done_callback(lambda _: self.waits.set())
            if until == "it ends":
                other.result(PATIENCE)
            else:
                assert self.waits.wait(PATIENCE)

        self.listen(listener)

    def result(self) -> Any:
        """What the deed of the other came to."""
        return self.others[0].result(PATIENCE)


@pytest.fixture
def meanwhile() -> Iterator[_Meanwhile]:
    """Other processes, as far as locks and transactions are concerned."""
    others = _Meanwhile()
    yield others
    for listener in others.listeners:
        steps._listeners.remove(listener)
    others.pool.shutdown()


def _revised(profile: Profile) -> int:
    """A revision of arrivals is accepted; returns its release."""
    put(profile, "external_arrivals", tree(arrivals() | {2020: 1021}), "2026-03-01")
    (verdict,) = take_in(profile, "bns", "external_arrivals").accepted
    return verdict.release_key


def _died_after_its_entry(profile: Profile) -> None:
    """What a process leaves that died between its entry in the journal and its commit."""
    journal = Journal(profile.journal)
    body = {"kind": "unpin", "release_key": None, "person": "a test", "reason": "died before the commit"}
    journal.append(Entry(journal.head() + 1, "decided", now(), body))


def _kept(profile: Profile, number: int) -> int:
    return int({row[0]: row[1] for row in status(profile)["kept"]}[number])


def test_a_rollback_while_another_publication_is_built_stands(settled: Profile, meanwhile: _Meanwhile) -> None:
    _revised(settled)
    meanwhile.at("gate2", lambda: roll_back(settled, _kept(settled, 1), "a test", "the revision looks wrong"))
    assert settle(settled).outcome == "pinned"
    meanwhile.result()
    assert read(settled, ARRIVALS_2020) == [(1020,)]
    decide(settled, "unpin", "a test", "the revision was right")
    assert settle(settled).outcome == "published"
    assert read(settled, ARRIVALS_2020) == [(1021,)]


def test_a_release_that_is_withdrawn_while_it_is_built_is_not_published(settled: Profile, meanwhile: _Meanwhile) -> None:
    release = _revised(settled)
    meanwhile.at("gate2", lambda: decide(settled, "withdraw", "a test", "printed by mistake", release))
    assert settle(settled).outcome == "nothing new"
    assert read(settled, ARRIVALS_2020) == [(1020,)]
    assert read(settled, f"select state from meta.release where release_key = {release}") == [("withdrawn",)]


def test_a_release_that_is_withdrawn_while_gate_2_blames_it_stays_withdrawn(settled: Profile, meanwhile: _Meanwhile) -> None:
    put(settled, "external_arrivals", tree(arrivals(range(2018, 2023))), "2026-03-01")
    (verdict,) = take_in(settled, "bns", "external_arrivals").accepted
    meanwhile.at("hold", lambda: decide(settled, "withdraw", "a test", "a year too many", verdict.release_key))
    settle(settled)
    assert read(settled, f"select state from meta.release where release_key = {verdict.release_key}") == [("withdrawn",)]


def test_a_release_that_is_withdrawn_while_gate_1_looks_at_it_stays_withdrawn(settled: Profile, meanwhile: _Meanwhile) -> None:
    put(settled, "external_arrivals", tree(arrivals() | {2020: 1021}), "2026-03-01")

    def withdraw() -> None:
        ((key,),) = read(settled, "select release_key from meta.release where state = 'landed'")
        decide(settled, "withdraw", "a test", "not to be looked at", int(str(key)))

    meanwhile.at("gate1", withdraw)
    take_in(settled, "bns", "external_arrivals")
    meanwhile.result()
    assert read(settled, "select count(*) from meta.release where state = 'withdrawn'") == [(1,)]


def test_a_withdrawn_release_stays_withdrawn_after_a_rollback_to_a_publication_that_has_it(settled: Profile) -> None:
    _revised(settled)
    settle(settled)
    ((key,),) = read(settled, "select release_key from meta.release where dataset = 'external_arrivals' and state = 'published'")
    decide(settled, "withdraw", "a test", "printed by mistake", int(str(key)))
    roll_back(settled, _kept(settled, 2), "a test", "to see what was said")
    assert read(settled, f"select state from meta.release where release_key = {key}") == [("withdrawn",)]


def test_nobody_can_roll_back_to_a_publication_that_is_being_dropped(
    settled: Profile, meanwhile: _Meanwhile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publication, "KEEP", 1)
    _revised(settled)
    first = _kept(settled, 1)

    def roll_back_too_late(name: str) -> None:
        if name == "publish.journal":
            meanwhile.begin(lambda: roll_back(settled, first, "a test", "too late"))
            blocked = "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
            while not read(settled, blocked) and not meanwhile.others[0].done():
                time.sleep(0.02)

    meanwhile.listen(roll_back_too_late)
    assert settle(settled).outcome == "published"
    with pytest.raises(PublicationError, match="is not kept"):
        meanwhile.result()
    assert read(settled, ARRIVALS_2020) == [(1021,)]


def test_a_second_builder_waits_and_finds_nothing_new(settled: Profile, meanwhile: _Meanwhile) -> None:
    _revised(settled)
    meanwhile.at("gate2", lambda: settle(settled), until="it waits")
    assert settle(settled).outcome == "published"
    assert meanwhile.result().outcome == "nothing new"
    assert read(settled, "select count(*) from meta.publication") == [(2,)]


def test_a_build_goes_on_after_another_process_died_and_a_third_catches_up(settled: Profile, meanwhile: _Meanwhile) -> None:
    _revised(settled)

    def third() -> int:
        _died_after_its_entry(settled)
        return catch_up(settled).entries

    meanwhile.at("gate2", third, until="it waits")
    assert settle(settled).outcome == "published"
    assert meanwhile.result() == 0, "the builder has applied the entry itself"
    assert read(settled, ARRIVALS_2020) == [(1021,)]


def test_a_landing_goes_on_after_another_process_died(settled: Profile, meanwhile: _Meanwhile) -> None:
    meanwhile.at("land.copy", lambda: _died_after_its_entry(settled))
    _revised(settled)
    with connect(settled) as connection:
        assert ledger.last_applied(connection) == Journal(settled.journal).head()


def test_an_entry_that_is_about_to_be_committed_is_not_applied_by_another(settled: Profile, meanwhile: _Meanwhile) -> None:
    meanwhile.at("land.commit", lambda: catch_up(settled), until="it waits")
    _revised(settled)
    assert meanwhile.result().entries == 0


def test_two_at_one_dataset_take_it_in_one_after_the_other(settled: Profile, meanwhile: _Meanwhile) -> None:
    meanwhile.at("land", lambda: take_in(settled, "bns", "external_arrivals"), until="it waits")
    _revised(settled)
    second = meanwhile.result()
    assert [delivery.known for delivery in second.deliveries] == [True, True]
    assert not second.verdicts
    assert read(settled, DOUBLES) == []


def test_what_another_process_left_of_the_dataset_is_applied_before_it_is_taken_in(settled: Profile, meanwhile: _Meanwhile) -> None:
    put(settled, "external_departures", tree(departures() | {2020: 1461}), "2026-03-01")

    def die(name: str) -> None:
        if name == "land.commit" and not meanwhile.waits.is_set():
            meanwhile.waits.set()
            raise KeyboardInterrupt

    meanwhile.listen(die)
    with pytest.raises(KeyboardInterrupt):
        list(deliver(settled, "bns", "external_departures"))  # its entry is in the journal, its rows are nowhere
    assert [verdict.state for verdict in take_in(settled, "bns", "external_departures").verdicts] == ["accepted"]
    assert read(settled, DOUBLES) == []
    assert read(settled, "select kind from meta.journal_entry order by sequence desc limit 2") == [("judged",), ("landed",)]


def test_the_second_to_prepare_a_new_code_finds_it_prepared(settled: Profile, meanwhile: _Meanwhile) -> None:
    schema = sql.Identifier(core_schema())

    def comment(text: str | None) -> None:
        with connect(settled) as connection:
            connection.execute(sql.SQL("comment on schema {} is {}").format(schema, sql.Literal(text)))

    views = f"select max(oid) from pg_class where relnamespace = '{core_schema()}'::regnamespace"
    before = read(settled, views)
    comment(None)
    with locked(settled, DBT):
        other = meanwhile.begin(lambda: build.stage(settled))
        assert meanwhile.waits.wait(PATIENCE)
        comment(build.PREPARED)
    assert other.result(PATIENCE) == core_schema()
    assert read(settled, views) == before, "views that another may look through were not built once more"


def test_a_reader_who_does_not_let_go_of_an_old_publication_holds_nobody_up(settled: Profile) -> None:
    with connect(settled) as reader, connect(settled) as maker:
        maker.execute("create schema pub_00000000000000ab create table mart (one int)")
        maker.commit()
        reader.execute("select * from pub_00000000000000ab.mart")
        assert prune(settled) == []
    assert prune(settled) == ["pub_00000000000000ab"]


def test_a_lock_that_the_caller_holds_is_not_asked_for_again(settled: Profile, meanwhile: _Meanwhile) -> None:
    with locked(settled, "run sample"):
        with locked(settled, "run sample"):
            pass
        with pytest.raises(LockedError, match=f"run sample is locked by: koshi run sample pid {os.getpid()}"):
            meanwhile.begin(lambda: locked(settled, "run sample").__enter__()).result(PATIENCE)


def test_databases_and_roles_are_made_by_one_process_at_a_time(settled: Profile, meanwhile: _Meanwhile) -> None:
    other = dataclasses.replace(settled, database="koshi_other")

    def prepare(profile: Profile) -> None:
        for _ in range(5):
            with alone_on_the_server():
                ensure_database(profile)
                with connect(profile) as connection:
                    ensure_roles(connection)

    try:
        for begun in [meanwhile.begin(functools.partial(prepare, profile)) for profile in (settled, other) * 3]:
            begun.result(PATIENCE)
    finally:
        drop_database(other)


def test_an_airflow_that_lives_for_one_run_has_records_of_its_own(settled: Profile) -> None:
    records = airflow_home.records_of_a_run(settled)
    assert records["AIRFLOW_HOME"] != airflow_home.service(settled, 1)["AIRFLOW_HOME"]
    assert records["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].endswith(f"{records['AIRFLOW_HOME']}/airflow.db")
