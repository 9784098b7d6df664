"""Advisory locks with the holder's name: they vanish with the process that held them.

Whoever holds one takes only those that stand after it here, so that no two processes wait for each other:
`run <profile>` → `dataset <name>` → `BUILD` → `JOURNAL` → `DBT`. `reports` and `export` are taken alone.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType

import psycopg

from warehouse.connection import Connection, LostError, connect
from warehouse.journal import now
from warehouse.keys import content_key
from warehouse.profile import Profile
from warehouse.steps import tell

BUILD = "build and publish"
JOURNAL = "journal"
DBT = "dbt"
# Seconds that somebody stands in line: more than any build takes, less than a task of a scheduler may
PATIENCE = 7200.0

# The session of each lock that is held here, by process, database and name
_mine: ContextVar[Mapping[tuple[int, str, str], Connection]] = ContextVar("_mine", default=MappingProxyType({}))


class LockedError(RuntimeError):
    """Somebody else holds the lock; the message says who."""


@contextmanager
def locked(profile: Profile, name: str, *, wait: bool = False) -> Iterator[None]:
    """Holds the lock `name` of the profile's database; one that the caller holds already is not asked for again.

    With `wait` stands in line, says for whom, and raises `LockedError` after `PATIENCE` seconds; without it raises that at once, with the
    holder's process, machine and time. Raises `LostError` where the caller's own lock of that name went with its session.
    """
    lock = (os.getpid(), profile.database, name)
    if lock in _mine.get():
        _ask_after(_mine.get()[lock], name)
        yield
        return
    key = content_key("lock", name)
    # the holder's name is what the server shows of its session; 63 bytes at most
    holder = f"koshi {name} pid {os.getpid()} {socket.gethostname()[:12]} {now()[:19]}"[:63]
    with connect(profile, autocommit=True, application_name=holder) as connection:
        if connection.execute("select pg_try_advisory_lock(%s)", [key]).fetchone() != (True,):
            if not wait:
                raise LockedError(f"{name} is locked by: {_holder(connection, key)}. Nothing was done; try again when it has ended.")
            with connection.transaction():  # the lock is the session's: it outlives the transaction
                _stand_in_line(connection, name, "pg_advisory_lock")
        token = _mine.set({**_mine.get(), lock: connection})
        try:
            yield
        finally:
            _mine.reset(token)


def until_commit(connection: Connection, name: str) -> None:
    """Waits for the lock, as `locked` does, and holds it until the caller's transaction ends.

    Not inside `locked` of the same lock: that is another session. Raises `LostError` if a lock that the caller holds went with its session:
    what was done since is not his alone.
    """
    for (process, _, held), session in _mine.get().items():
        # the lock of a run guards nothing that is written: two runs take turns at the others
        if process == os.getpid() and not held.startswith("run "):
            _ask_after(session, held)
    if connection.execute("select pg_try_advisory_xact_lock(%s)", [content_key("lock", name)]).fetchone() != (True,):
        _stand_in_line(connection, name, "pg_advisory_xact_lock")


def _ask_after(session: Connection, name: str) -> None:
    try:
        session.execute("select 1")
    except psycopg.OperationalError:
        raise LostError(f"the lock {name} was lost with its session: what was not committed is undone, run again") from None


def _stand_in_line(connection: Connection, name: str, take: str) -> None:
    """Waits inside the transaction that the caller has begun, and says again for whom whenever it is another."""
    key, deadline, said = content_key("lock", name), time.monotonic() + PATIENCE, ""
    while True:
        if (holder := _holder(connection, key)) != said:
            tell(f"waiting for {name}, held by {holder}")
            said = holder
        try:
            with connection.transaction():
                left = deadline - time.monotonic()
                connection.execute("select set_config('lock_timeout', %s, true)", [f"{min(10_000, max(1, round(left * 1000)))}ms"])
                connection.execute(f"select {take}(%s)", [key])
                connection.execute("select set_config('lock_timeout', '0', true)")
                return
        except psycopg.errors.LockNotAvailable:
            if time.monotonic() > deadline:
                raise LockedError(
                    f"{name} has been locked for {PATIENCE / 3600:.0f} h by: {holder}. Nothing was done; end that process, then run again."
                ) from None


def _holder(connection: Connection, key: int) -> str:
    high, low = (key >> 32) & 0xFFFFFFFF, key & 0xFFFFFFFF
    row = connection.execute(
        "select a.application_name from pg_locks as l join pg_stat_activity as a using (pid)"
        " where l.locktype = 'advisory' and l.classid = %s::bigint::oid and l.objid = %s::bigint::oid and l.granted"
        " and l.database = (select oid from pg_database where datname = current_database())",
        [high, low],
    ).fetchone()
    return str(row[0]) if row else "a process that has just left"
