"""The server ends sessions of ours in the middle of a step, as it does when memory runs out: the step runs again, or says so."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from psycopg import sql

from expectations.settle import settle
from tests.state import read
from tests.worlds import World, below
from warehouse import build, connection, server, steps
from warehouse.build import BuildError
from warehouse.connection import LostError, TooLongError, connect, shared_sessions
from warehouse.locks import BUILD, JOURNAL, locked, until_commit
from warehouse.profile import Profile


def _kill_one(profile: Profile, named: str = "koshi%") -> None:
    """Ends one session of ours; returns once the server has ended all others, this one among them, to recover."""
    with pytest.raises(LostError), connect(profile, autocommit=True, application_name="a killer") as session:
        asked = session.execute("select pid from pg_stat_activity where datname = current_database() and application_name like %s", [named])
        ((pid,),) = asked.fetchmany(1)
        os.kill(int(pid), signal.SIGKILL)
        while True:
            session.execute("select pg_sleep(0.01)")


@contextmanager
def _meanwhile(deed: Callable[[], None], at: str) -> Iterator[list[str]]:
    """Does the deed once, when this process comes to the step, and gives the steps that were come to."""
    heard: list[str] = []

    def listener(name: str) -> None:
        heard.append(name)
        if heard.count(at) == 1 and name == at:
            deed()

    steps.listen(listener)
    try:
        yield heard
    finally:
        steps._listeners.remove(listener)


def test_a_session_that_the_server_ends_is_said_in_one_line(bare: Profile, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(LostError, match=r"ended a session .*: what was not committed is undone, run again"), connect(bare) as session:
        os.kill(session.info.backend_pid, signal.SIGKILL)
        session.execute("select 1")
    with connect(bare) as session:  # waits until the server has recovered
        assert session.execute("show statement_timeout").fetchone() == ("10min",)
    monkeypatch.setattr(connection, "STATEMENT_SECONDS", 0.1)
    with pytest.raises(TooLongError, match=r"due to statement timeout; 0.1 s are allowed"), connect(bare) as session:
        session.execute("select pg_sleep(5)")


@pytest.mark.parametrize("place", ["publish.journal", "publish.commit"])
def test_a_settling_goes_on_after_a_killed_session(bare: Profile, place: str) -> None:
    with connect(bare, autocommit=True) as session:
        # what a crash takes of the last half second is built anew by dbt, and this world is not dbt's
        session.execute(sql.SQL("alter database {} set synchronous_commit = on").format(sql.Identifier(bare.database)))
    world = World(bare)
    world.rule("below", below(100))
    world.deliver("a", "1", 10)
    with locked(bare, "run sample"), _meanwhile(lambda: _kill_one(bare), at=place) as heard:
        assert settle(bare, world).outcome in ("published", "nothing new")  # the entry of the first try stands, and was applied
    assert any(line.startswith("begun anew: ") for line in heard)
    assert read(bare, "select number from meta.publication") == [(1,)]
    assert read(bare, "select count(*) from bi.figures") == [(1,)]


def _pid(profile: Profile) -> int:
    with connect(profile) as session:
        return session.info.backend_pid


def _in_a_thread(deed: Callable[[], None]) -> None:
    thread = threading.Thread(target=deed)
    thread.start()
    thread.join()


def test_the_steps_of_a_task_share_a_session_of_which_no_use_leaves_anything(bare: Profile) -> None:
    with shared_sessions():
        with connect(bare, "koshi_loader", application_name="the first") as session:
            ((memory,),) = session.execute("show work_mem").fetchall()
            first = session.info.backend_pid
            session.execute("set work_mem = '5MB'")
            session.execute("select pg_advisory_lock(5)")
            with shared_sessions(), connect(bare) as other:  # in use is not at hand
                assert other.info.backend_pid != first
        with connect(bare) as session, connect(bare, autocommit=True) as other:
            assert first in {session.info.backend_pid, other.info.backend_pid}
            for one in (session, other):
                said = one.execute("select current_user::text, current_setting('work_mem'), current_setting('application_name')")
                assert said.fetchone() == (server.ADMIN, memory, "koshi")
            assert other.execute("select count(*) from pg_locks where locktype = 'advisory'").fetchone() == (0,)
        kept = {_pid(bare), _pid(bare)}
        with pytest.raises(ZeroDivisionError), connect(bare):
            raise ZeroDivisionError
        elsewhere = list[int]()
        _in_a_thread(lambda: elsewhere.append(_pid(bare)))
        assert elsewhere[0] not in kept
    left = read(bare, "select pid from pg_stat_activity")
    assert not {first, *kept} & {pid for (pid,) in left}


def test_a_session_that_ended_while_it_stood_idle_is_replaced(bare: Profile) -> None:
    with shared_sessions():
        first = _pid(bare)
        _in_a_thread(lambda: _kill_one(bare))  # which is no step of the task
        assert _pid(bare) != first


def test_a_session_that_ends_before_its_first_use_is_lost_and_no_other_fault(bare: Profile, monkeypatch: pytest.MonkeyPatch) -> None:
    given = connection.session

    def ended(*asked: Any, **how: Any) -> connection.Connection:
        session = given(*asked, **how)
        with given(bare, autocommit=True) as killer:
            killer.execute("select pg_terminate_backend(%s, 5000)", [session.info.backend_pid])
        return session

    monkeypatch.setattr(connection, "session", ended)
    with pytest.raises(LostError, match="the server ended a session"), connect(bare, "koshi_loader"):
        pass


def test_who_lost_his_lock_writes_nothing(bare: Profile) -> None:
    with locked(bare, BUILD), pytest.raises(LostError, match=f"the lock {BUILD} was lost with its session"):
        _kill_one(bare, f"koshi {BUILD}%")
        with connect(bare) as session:
            until_commit(session, JOURNAL)


def test_what_the_server_ended_in_dbt_is_no_releases_fault(bare: Profile, monkeypatch: pytest.MonkeyPatch) -> None:
    done = threading.Event()

    def kill_dbt() -> None:
        while not done.wait(0.02):
            with connect(bare, autocommit=True, application_name="a killer") as session:
                session.execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity"
                    " where application_name = 'koshi dbt' and clock_timestamp() - backend_start > interval '50 ms'"
                )

    killer = threading.Thread(target=kill_dbt)
    killer.start()
    try:
        with pytest.raises(LostError, match="dbt: the server ended a session of"):
            build._dbt(bare, ["path:seeds"])
    finally:
        done.set()
        killer.join()
    monkeypatch.setattr(connection, "STATEMENT_SECONDS", 0.001)
    with pytest.raises(BuildError, match="due to statement timeout") as raised:
        build._dbt(bare, ["drop_rule"])
    assert not raised.value.nodes
