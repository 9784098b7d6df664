"""Connections to the warehouse: `DATABASE_URL` where it is set, else the embedded server."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from typing import Any, Literal
from urllib.parse import quote, urlencode

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_fixed

from warehouse import server
from warehouse.profile import Profile
from warehouse.server_home import ServerError
from warehouse.steps import tell
from warehouse.wording import one_line

Role = Literal["koshi_owner", "koshi_loader", "koshi_transformer"]
Connection = psycopg.Connection[tuple[Any, ...]]
READER = "bi_reader"
NAME = "koshi"
LIBPQ = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD", "dbname": "PGDATABASE"}  # nosec B105 # pragma: allowlist secret
# What one statement of ours may take, dbt's and the gates' as well: tens of times what the longest takes
STATEMENT_SECONDS = 600
EXAMPLE = "postgresql://user@host:5432/database"


class NoSessionError(ServerError):
    """No session with the database can be had; the message says why and what to do."""


class LostError(RuntimeError):
    """The server ended a session of ours; what was not committed is undone, and running again is safe."""


class TooLongError(RuntimeError):
    """A statement of ours took longer than `STATEMENT_SECONDS`, or a person ended it."""


# What libpq and its callers say of a session that the server ended, or does not give at this moment
_LOST = re.compile(
    r"closed the connection|terminating connection|connection (already|is) closed|connection closed|[Cc]onnection refused|in recovery"
    r"|starting up|shutting down|cursor already closed|SSL connection has been closed|another server process"
)
# For work that may be killed at any moment and run again: it runs again by itself where the server ended a session
again_if_lost = retry(
    retry=retry_if_exception_type(LostError),
    stop=stop_after_attempt(4),
    wait=wait_fixed(1),
    before_sleep=lambda state: tell(f"begun anew: {state.outcome.exception() if state.outcome else ''}"),
    reraise=True,
)


def says_lost(text: str) -> bool:
    """Whether a message of a library says that the server ended a session, rather than something about rows or code."""
    return _LOST.search(text) is not None


def parameters(profile: Profile) -> dict[str, str]:
    """The libpq parameters of a session of ours with the profile's database; starts the embedded server.

    Raises `ValueError` for a `DATABASE_URL` that libpq does not understand or that names no database.
    """
    return _of_url() or _embedded(server.start(), profile.database)


def _of_url() -> dict[str, str] | None:
    """The parameters that `DATABASE_URL` names; None where the embedded server is asked."""
    url = os.environ.get("DATABASE_URL")
    if not url:
        return None
    try:
        found = {key: str(value) for key, value in conninfo_to_dict(url).items() if value is not None}
        # of a password with such signs in it a part is taken for these, and what libpq says would repeat it
        understood = "@" not in found.get("host", "") and found.get("port", "5432").replace(",", "").isdigit()
    except psycopg.ProgrammingError:
        understood = False
    if not understood:
        raise ValueError(
            f"DATABASE_URL is not an address of a database: expected {EXAMPLE}, with signs like @ : / of a password as %40 %3A %2F"
        )
    if not found.get("dbname"):
        raise ValueError(f"DATABASE_URL names no database: expected {EXAMPLE}")
    return _limited(found)


def _embedded(mine: server.Server, database: str) -> dict[str, str]:
    found = {"host": "127.0.0.1", "port": str(mine.port), "user": server.ADMIN, "password": mine.admin_password, "dbname": database}
    return _limited(found)


def _limited(found: dict[str, str]) -> dict[str, str]:
    limit = f"-c statement_timeout={STATEMENT_SECONDS}s"
    return {"application_name": NAME, "connect_timeout": "10"} | found | {"options": f"{limit} {found.get('options', '')}".strip()}


def sqlalchemy_url(profile: Profile, with_secret: bool = True) -> str:
    """The database as SQLAlchemy names it, with the psycopg 3 driver, for sessions that read only; with the secret it is never printed.

    A session of a person that stands idle in a transaction is ended: it would keep a gate from replacing the rows that it judged.
    """
    p = parameters(profile)
    p["options"] += " -c role=koshi_transformer -c default_transaction_read_only=on -c idle_in_transaction_session_timeout=60s"
    secret = f":{quote(p['password'], safe='')}" if with_secret and "password" in p else ""
    more = urlencode({key: value for key, value in p.items() if key not in LIBPQ}, quote_via=quote)
    address = f"{p.get('host', '')}:{p.get('port', '5432')}/{p['dbname']}?{more}"
    return f"postgresql+psycopg://{quote(p.get('user', ''), safe='')}{secret}@{address}"


def session(profile: Profile, *, autocommit: bool = False, application_name: str = NAME) -> Connection:
    """A new session with the profile's database. A server that lives and takes none now is waited for, and told to be.

    Raises `NoSessionError` with what the server said, after `server.PATIENCE` seconds or where waiting does not help.
    """
    return _open(profile.database, autocommit=autocommit, application_name=application_name)


def _open(database: str, *, autocommit: bool = True, application_name: str = NAME) -> Connection:
    """A session with `DATABASE_URL`, else with this database of the embedded server."""
    deadline, said = time.monotonic() + server.PATIENCE, ""
    believed = (
        None if os.environ.get("DATABASE_URL") else server.remembered()
    )  # it runs nearly always; whether it does is asked where it does not answer
    while True:
        found = _of_url() or _embedded(believed or server.start(), database)
        try:
            return psycopg.connect(**found | {"application_name": application_name}, autocommit=autocommit)  # type: ignore[arg-type]
        except psycopg.OperationalError as error:
            reason = one_line(str(error))
            if not believed and (not _passes(error) or time.monotonic() > deadline):
                raise NoSessionError(f"no session with the database: {reason}. {_advice()}") from None
        if believed:
            believed = None
            continue
        if reason != said and deadline - time.monotonic() < server.PATIENCE - 1:  # shorter waits are not reported
            tell(f"waiting for the server: {reason}")
            said = reason
        time.sleep(0.5)


def _passes(error: psycopg.OperationalError) -> bool:
    """Whether waiting helps: one of ours that is down has been started again by the next try."""
    return server.not_now(error) or ("refused" in str(error) and not os.environ.get("DATABASE_URL"))


def _advice() -> str:
    if os.environ.get("DATABASE_URL"):
        return "Start that server, or mend host, port, user, password or database in DATABASE_URL, then run again"
    return "Run again; `make status` says what runs"


# The sessions of a task that nobody uses at the moment, with their process and database; None outside of a task
_idle: ContextVar[list[tuple[int, str, Connection]] | None] = ContextVar("_idle", default=None)


@contextmanager
def shared_sessions() -> Iterator[None]:
    """The steps of a task share their sessions: one that `connect` took back serves again, and all end with the task.

    A task inside a task is part of it. Threads that begin in it are not.
    """
    if _idle.get() is not None:
        yield
        return
    token = _idle.set([])
    try:
        yield
    finally:
        for _, _, connection in _of_this_process(_idle.get() or []):
            connection.close()
        _idle.reset(token)


def _of_this_process(sessions: list[tuple[int, str, Connection]]) -> list[tuple[int, str, Connection]]:
    """A forked process shares its parent's sockets, and leaves them alone."""
    return [kept for kept in sessions if kept[0] == os.getpid()]


@contextmanager
def connect(profile: Profile, role: Role | None = None, *, autocommit: bool = False, application_name: str = NAME) -> Iterator[Connection]:
    """A connection to the profile's database acting as `role`; commits on a clean exit, rolls back on an exception.

    Raises `NoSessionError` if none can be had, `LostError` where the server ends it, `TooLongError` where it ends a statement.
    """
    try:
        with ExitStack() as end:
            # psycopg's own way: it commits or rolls back, and ends the session
            connection = end.enter_context(_acting_as(profile, role, application_name))
            connection.autocommit = autocommit
            yield connection
            if (idle := _idle.get()) is not None and not connection.closed:
                connection.commit()
                connection.autocommit = True
                connection.execute("reset all; select pg_advisory_unlock_all()", prepare=False)  # nothing of this use is left
                idle.append((os.getpid(), profile.database, connection))
                end.pop_all()
    except psycopg.errors.QueryCanceled as error:
        raise TooLongError(
            f"the server ended a statement ({one_line(str(error))}; {STATEMENT_SECONDS} s are allowed): nothing of it stays, run again"
        ) from error
    except psycopg.OperationalError as error:
        if error.sqlstate and not error.sqlstate.startswith("57P"):  # without a state it is the session that broke
            raise
        raise LostError(f"the server ended a session ({one_line(str(error))}): what was not committed is undone, run again") from error


def _acting_as(profile: Profile, role: Role | None, application_name: str) -> Connection:
    """A session of the task that still lives, else a new one."""
    named = "select set_config('role', %s, false), set_config('application_name', %s, false)"
    idle = _idle.get() or []
    for kept in [kept for kept in _of_this_process(idle) if kept[1] == profile.database]:
        idle.remove(kept)
        try:
            kept[2].execute(named, [role or "none", application_name])
        except psycopg.OperationalError:  # the server ended it while it stood idle: nothing was asked of it
            kept[2].close()
        else:
            return kept[2]
    connection = session(profile, autocommit=True, application_name=application_name)
    try:
        if role:
            connection.execute(named, [role, application_name])
    except BaseException:
        connection.close()
        raise
    return connection


def ensure_database(profile: Profile) -> None:
    """Creates the profile's database on the embedded server and closes the server's own to readers.

    A database named by `DATABASE_URL` must exist.
    """
    if os.environ.get("DATABASE_URL"):
        return
    with _open("postgres") as connection:
        open_ = connection.execute(
            "select datname from pg_database where datname in ('postgres', 'template1')"
            " and has_database_privilege('public', oid, 'connect')"
        )
        for (name,) in open_.fetchall():
            connection.execute(sql.SQL("revoke all on database {} from public").format(sql.Identifier(name)))
        found = connection.execute("select 1 from pg_database where datname = %s", [profile.database]).fetchone()
        if not found:
            connection.execute(sql.SQL("create database {} template template0").format(sql.Identifier(profile.database)))


@contextmanager
def alone_on_the_server() -> Iterator[None]:
    """One process at a time makes databases and roles: they belong to the server, and a lock in one database is unknown in another.

    On a server named by `DATABASE_URL` nothing of ours lies outside the one database.
    """
    if os.environ.get("DATABASE_URL"):
        yield
        return
    with _open("postgres") as connection:
        connection.execute("select pg_advisory_lock(hashtext('koshi server'))")
        yield


def drop_database(profile: Profile) -> bool:
    """Drops the profile's database on the embedded server, which runs afterwards if it ran before; False if there was none.

    Raises `ValueError` where `DATABASE_URL` names another.
    """
    if os.environ.get("DATABASE_URL"):
        raise ValueError(
            "DATABASE_URL is set, and Koshi drops no database that it did not create. Nothing was removed: the journal and the database"
            f" belong together. Drop that database and remove {profile.state} yourself, or unset DATABASE_URL to forget the embedded one"
        )
    if server.remembered() is None:
        return False
    ran = server.running()
    with _open("postgres") as connection:
        found = connection.execute("select 1 from pg_database where datname = %s", [profile.database]).fetchone()
        connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(profile.database)))
    if not ran:
        server.stop()
    return found is not None


def reader_password() -> str | None:
    """The password of `bi_reader`: the embedded server's own, else `KOSHI_BI_PASSWORD`."""
    if os.environ.get("DATABASE_URL"):
        return os.environ.get("KOSHI_BI_PASSWORD")
    return server.start().reader_password


def reader_url(profile: Profile) -> str:
    """The libpq URL for the read-only BI role.

    Only the embedded loopback server's password may stand in a URL; with `DATABASE_URL` the client brings its own (PGPASSWORD).
    """
    p = parameters(profile)
    if os.environ.get("DATABASE_URL"):
        return f"postgresql://{READER}@{p.get('host', '')}:{p.get('port', '5432')}/{p['dbname']}"
    return f"postgresql://{READER}:{reader_password()}@127.0.0.1:{p['port']}/{p['dbname']}"


def reader_environment(profile: Profile) -> dict[str, str]:
    """The variables with which a program of libpq connects as the read-only BI role."""
    found = conninfo_to_dict(reader_url(profile))
    return {name: str(found[key]) for key, name in LIBPQ.items() if found.get(key)}
