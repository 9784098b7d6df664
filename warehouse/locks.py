"""Advisory locks with the holder's name: they vanish with the process that held them."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from warehouse.connection import parameters
from warehouse.journal import now
from warehouse.keys import content_key
from warehouse.profile import Profile


class LockedError(RuntimeError):
    """Somebody else holds the lock; the message says who."""


@contextmanager
def hold(profile: Profile, name: str, *, wait: bool = False) -> Iterator[None]:
    """Holds the lock `name` of the profile's database.

    With `wait` stands in line, else raises `LockedError` with the holder's process, machine and time.
    """
    key = content_key("lock", name)
    # the holder's name is what the server shows of its session; 63 bytes at most
    holder = f"koshi {name} pid {os.getpid()} {socket.gethostname()[:12]} {now()[:19]}"[:63]
    with psycopg.connect(**parameters(profile), autocommit=True, application_name=holder) as connection:  # type: ignore[arg-type]
        if wait:
            connection.execute("select pg_advisory_lock(%s)", [key])
        elif connection.execute("select pg_try_advisory_lock(%s)", [key]).fetchone() != (True,):
            raise LockedError(f"{name} is locked by: {_holder(connection, key)}. Nothing was done; try again when it has ended.")
        yield


def _holder(connection: psycopg.Connection[tuple[object, ...]], key: int) -> str:
    high, low = (key >> 32) & 0xFFFFFFFF, key & 0xFFFFFFFF
    row = connection.execute(
        "select a.application_name from pg_locks as l join pg_stat_activity as a using (pid)"
        " where l.locktype = 'advisory' and l.classid = %s::bigint::oid and l.objid = %s::bigint::oid and l.granted",
        [high, low],
    ).fetchone()
    return str(row[0]) if row else "a process that has just left"
