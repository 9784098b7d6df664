"""Connections to the warehouse: `DATABASE_URL` where it is set, else the embedded server."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal
from urllib.parse import quote, urlencode

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from warehouse import server
from warehouse.profile import Profile
from warehouse.server_home import ServerError
from warehouse.steps import tell
from warehouse.wording import one_line

Role = Literal["koshi_owner", "koshi_loader", "koshi_transformer"]
Connection = psycopg.Connection[tuple[Any, ...]]
READER = "bi_reader"
NAME = "koshi"
LIBPQ = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD", "dbname": "PGDATABASE"}
# What one statement of ours may take, dbt's and the gates' as well: tens of times what the longest takes
STATEMENT_SECONDS = 600
EXAMPLE = "postgresql://user@host:5432/database"


class NoSessionError(ServerError):
    """No session with the database can be had; the message says why and what to do."""


class LostError(RuntimeError):
    """The server ended a session or a statement of ours; what was not committed is undone, and running again is safe."""


def parameters(profile: Profile) -> dict[str, str]:
    """The libpq parameters of a session of ours with the profile's database; starts the embedded server.

    Raises `ValueError` for a `DATABASE_URL` that libpq does not understand or that names no database.
    """
    if url := os.environ.get("DATABASE_URL"):
        try:
            found = {key: str(value) for key, value in conninfo_to_dict(url).items() if value is not None}
        except psycopg.ProgrammingError:  # its message repeats parts of the URL, and so may a password
            raise ValueError(
                f"DATABASE_URL is not an address of a database: expected {EXAMPLE}, or nothing for the embedded server"
            ) from None
        if not found.get("dbname"):
            raise ValueError(f"DATABASE_URL names no database: expected {EXAMPLE}")
    else:
        found = _embedded(profile.database)
    limit = f"-c statement_timeout={STATEMENT_SECONDS}s"
    return {"application_name": NAME, "connect_timeout": "10"} | found | {"options": f"{limit} {found.get('options', '')}".strip()}


def _embedded(database: str) -> dict[str, str]:
    mine = server.start()
    return {"host": "127.0.0.1", "port": str(mine.port), "user": server.ADMIN, "password": mine.admin_password, "dbname": database}


def sqlalchemy_url(profile: Profile) -> str:
    """The database as SQLAlchemy names it, with the psycopg 3 driver; holds the password, so it is never printed."""
    p = parameters(profile)
    secret = f":{quote(p['password'], safe='')}" if "password" in p else ""
    more = urlencode({key: value for key, value in p.items() if key not in LIBPQ}, quote_via=quote)
    address = f"{p.get('host', '')}:{p.get('port', '5432')}/{p['dbname']}?{more}"
    return f"postgresql+psycopg://{quote(p.get('user', ''), safe='')}{secret}@{address}"


def session(profile: Profile, *, autocommit: bool = False, application_name: str = NAME) -> Connection:
    """A new session with the profile's database. A server that lives and takes none now is waited for, and told to be.

    Raises `NoSessionError` with what the server said, after `server.PATIENCE` seconds or where waiting does not help.
    """
    return _open(lambda: parameters(profile) | {"application_name": application_name}, autocommit=autocommit)


def _open(ask: Callable[[], dict[str, str]], *, autocommit: bool) -> Connection:
    deadline, said = time.monotonic() + server.PATIENCE, ""
    while True:
        try:
            return psycopg.connect(**ask(), autocommit=autocommit)  # type: ignore[arg-type]
        except psycopg.OperationalError as error:
            reason = one_line(str(error))
            if not _passes(error) or time.monotonic() > deadline:
                raise NoSessionError(f"no session with the database: {reason}. {_advice()}") from None
        if reason != said:
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


@contextmanager
def connect(profile: Profile, role: Role | None = None, *, autocommit: bool = False, application_name: str = NAME) -> Iterator[Connection]:
    """A connection to the profile's database acting as `role`; commits on a clean exit, rolls back on an exception.

    Raises `NoSessionError` if none can be had, and `LostError` where the server ends it, or a statement that takes too long.
    """
    connection = session(profile, autocommit=autocommit, application_name=application_name)
    try:
        with connection:
            if role:
                connection.execute(sql.SQL("set role {}").format(sql.Identifier(role)))
                if not autocommit:
                    connection.commit()
            yield connection
    except psycopg.errors.QueryCanceled as error:
        raise LostError(
            f"the server ended a statement ({one_line(str(error))}; {STATEMENT_SECONDS} s are allowed): nothing of it stays, run again"
        ) from error
    except psycopg.OperationalError as error:
        if error.sqlstate and not error.sqlstate.startswith("57P"):  # without a state it is the session that broke
            raise
        raise LostError(f"the server ended a session ({one_line(str(error))}): what was not committed is undone, run again") from error


def ensure_database(profile: Profile) -> None:
    """Creates the profile's database on the embedded server and closes the server's own to readers.

    A database named by `DATABASE_URL` must exist.
    """
    if os.environ.get("DATABASE_URL"):
        return
    with _open(lambda: _embedded("postgres"), autocommit=True) as connection:
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
    with _open(lambda: _embedded("postgres"), autocommit=True) as connection:
        connection.execute("select pg_advisory_lock(hashtext('koshi server'))")
        yield


def drop_database(profile: Profile) -> bool:
    """Drops the profile's database on the embedded server; False if there was none. Never one named by `DATABASE_URL`."""
    if os.environ.get("DATABASE_URL"):
        raise RuntimeError("DATABASE_URL is set: Koshi never drops a database that it did not create; drop it yourself")
    if server.running() is None:
        return False
    with _open(lambda: _embedded("postgres"), autocommit=True) as connection:
        found = connection.execute("select 1 from pg_database where datname = %s", [profile.database]).fetchone()
        connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(profile.database)))
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
