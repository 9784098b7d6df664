"""Advisory locks with the holder's name: they vanish with the process that held them.

Whoever holds one takes only those that stand after it here, so that no two processes wait for each other:
`run <profile>` → `dataset <name>` → `BUILD` → `JOURNAL` → `DBT`. `reports` is taken alone.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import psycopg

from warehouse.connection import Connection, parameters
from warehouse.journal import now
from warehouse.keys import content_key
from warehouse.profile import Profile
from warehouse.steps import tell

BUILD = "build and publish"
JOURNAL = "journal"
DBT = "dbt"

_mine: ContextVar[frozenset[tuple[int, str, str]]] = ContextVar("_mine", default=frozenset())


class LockedError(RuntimeError):
    """Somebody else holds the lock; the message says who."""


@contextmanager
def hold(profile: Profile, name: str, *, wait: bool = False) -> Iterator[None]:
    """Holds the lock `name` of the profile's database; one that the caller holds already is not asked for again.

    With `wait` stands in line and says for whom, else raises `LockedError` with the holder's process, machine and time.
    """
    lock = (os.getpid(), profile.database, name)
    if lock in _mine.get():
        yield
        return
    key = content_key("lock", name)
    # the holder's name is what the server shows of its session; 63 bytes at most
    holder = f"koshi {name} pid {os.getpid()} {socket.gethostname()[:12]} {now()[:19]}"[:63]
    with psycopg.connect(**parameters(profile), autocommit=True, application_name=holder) as connection:  # type: ignore[arg-type]
        if connection.execute("select pg_try_advisory_lock(%s)", [key]).fetchone() != (True,):
            if not wait:
                raise LockedError(f"{name} is locked by: {_holder(connection, key)}. Nothing was done; try again when it has ended.")
            tell(f"waiting for {name}, held by {_holder(connection, key)}")
            connection.execute("select pg_advisory_lock(%s)", [key])
        token = _mine.set(_mine.get() | {lock})
        try:
            yield
        finally:
            _mine.reset(token)


def until_commit(connection: Connection, name: str) -> None:
    """Waits for the lock and holds it until the caller's transaction ends. Not inside `hold` of the same lock: that is another session."""
    connection.execute("select pg_advisory_xact_lock(%s)", [content_key("lock", name)])


def _holder(connection: psycopg.Connection[tuple[object, ...]], key: int) -> str:
    high, low = (key >> 32) & 0xFFFFFFFF, key & 0xFFFFFFFF
    row = connection.execute(
        "select a.application_name from pg_locks as l join pg_stat_activity as a using (pid)"
        " where l.locktype = 'advisory' and l.classid = %s::bigint::oid and l.objid = %s::bigint::oid and l.granted"
        " and l.database = (select oid from pg_database where datname = current_database())",
        [high, low],
    ).fetchone()
    return str(row[0]) if row else "a process that has just left"
