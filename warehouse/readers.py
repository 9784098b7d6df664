"""What a session of `bi_reader` may take: defaults of the role, and bounds that Koshi keeps where a reader lifts the defaults.

PostgreSQL lets every session change its own settings, so each default has a bound: `end_readers_beyond` ends the sessions that are beyond
one. It is called by whoever waits for readers, by `make serve` and by a DAG, each minute or few.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass

import psutil
from psycopg import sql

from warehouse import server
from warehouse.connection import READER, Connection, connect
from warehouse.profile import Profile

# Sessions of all readers together; the server keeps others for Koshi
READERS = 40
# Seconds between two looks of those who do nothing else
EVERY = 60.0


@dataclass(frozen=True)
class Bounds:
    """Seconds and bytes that one reader may take; the first four are defaults of the role under PostgreSQL's own names."""

    statement_timeout: float = 600  # an import of the largest mart into a BI tool takes seconds
    idle_in_transaction_session_timeout: float = 60  # who thinks in a transaction holds up what is published
    transaction_timeout: float = 900  # several statements in one transaction, none of them long
    idle_session_timeout: float = 3600  # a BI tool opens its session again
    temp_file_limit: int = 2 << 30
    memory: int = 1 << 30  # what the process has for itself; 16 sorts of the default size


BOUNDS = Bounds()

_BEYOND = """
select
    pid,
    case
        when clock_timestamp() - xact_start > make_interval(secs => %(transaction_timeout)s) then 'transaction_timeout'
        when state like 'idle in transaction%%' and quiet > make_interval(secs => %(idle_in_transaction_session_timeout)s)
            then 'idle_in_transaction_session_timeout'
        when state not like 'idle%%' and clock_timestamp() - query_start > make_interval(secs => %(statement_timeout)s)
            then 'statement_timeout'
        when state = 'idle' and quiet > make_interval(secs => %(idle_session_timeout)s) then 'idle_session_timeout'
    end,
    concat_ws(' ', nullif(application_name, ''), 'at ' || client_addr::text),
    array(select worker.pid from pg_stat_activity as worker where worker.leader_pid = s.pid)
from (select *, clock_timestamp() - state_change as quiet from pg_stat_activity) as s
where usename = %(reader)s and datname = current_database() and backend_type = 'client backend'
"""


def end_readers_beyond(connection: Connection, bounds: Bounds | None = None) -> list[str]:
    """Ends the readers' sessions of this database that are beyond a bound; says of each who it was and which bound.

    Memory is seen on the embedded server alone, whose processes are on this machine.
    """
    bounds = bounds or BOUNDS
    connection.execute("select pg_stat_clear_snapshot()")  # a transaction keeps what it has seen of the sessions
    ended = []
    for pid, bound, who, workers in connection.execute(_BEYOND, {"reader": READER, **vars(bounds)}).fetchall():
        found = bound or ("memory" if _memory([pid, *workers]) > bounds.memory else None)
        if found:
            connection.execute("select pg_terminate_backend(%s)", [pid])
            ended.append(f"a session of {READER} was ended: {who}, beyond {found} = {getattr(bounds, found)}")
    return ended


def _memory(processes: list[int]) -> int:
    """Bytes that these have for themselves; 0 where they are on another machine."""
    taken = 0
    for number in [] if os.environ.get("DATABASE_URL") else processes:
        with contextlib.suppress(psutil.Error):
            found = psutil.Process(number).memory_info()
            taken += int(found.rss - getattr(found, "shared", 0))
    return taken


def look_after(profile: Profile) -> list[str]:
    """Ends the readers' sessions that are beyond a bound, if the server runs; starts nothing."""
    if not os.environ.get("DATABASE_URL") and server.running() is None:
        return []
    with connect(profile, autocommit=True) as connection:
        return end_readers_beyond(connection)


def limit(connection: Connection) -> None:
    """Gives the role of readers its limits and defaults, as far as this server has them and we may set them."""
    name = sql.Identifier(READER)
    connection.execute(sql.SQL("alter role {} connection limit {}").format(name, sql.Literal(READERS)))
    defaults = {
        "default_transaction_read_only": "on",
        "search_path": "bi",
        "work_mem": "32MB",
        "temp_file_limit": f"{BOUNDS.temp_file_limit >> 10}kB",
    }
    for setting in ("statement_timeout", "idle_in_transaction_session_timeout", "transaction_timeout", "idle_session_timeout"):
        defaults[setting] = f"{getattr(BOUNDS, setting)}s"
    # transaction_timeout came with PostgreSQL 17; temp_file_limit is for superusers, or who was granted it
    rows = connection.execute(
        "select name from pg_settings where name = any(%s) and (context = 'user' or has_parameter_privilege(current_user, name, 'set'))",
        [list(defaults)],
    ).fetchall()
    for (setting,) in rows:
        value = sql.Literal(defaults[setting])
        connection.execute(sql.SQL("alter role {} set {} = {}").format(name, sql.Identifier(setting), value))


def who_holds(connection: Connection, schema: str) -> str:
    """The sessions that hold relations of a schema, for a message."""
    connection.execute("select pg_stat_clear_snapshot()")
    rows = connection.execute(
        "select distinct concat_ws(' ', a.usename, nullif(a.application_name, ''), 'at ' || a.client_addr::text, 'pid ' || a.pid)"
        " from pg_locks as l join pg_class as c on c.oid = l.relation join pg_stat_activity as a on a.pid = l.pid"
        " where l.granted and l.database = (select oid from pg_database where datname = current_database())"
        " and c.relnamespace = to_regnamespace(%s) and l.pid <> pg_backend_pid() order by 1",
        [schema],
    ).fetchall()
    return ", ".join(str(name) for (name,) in rows) or "a session that has just let go"
