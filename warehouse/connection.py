"""Connections to the warehouse: `DATABASE_URL` where it is set, else the embedded server."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal
from urllib.parse import quote

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from warehouse import server
from warehouse.profile import Profile

Role = Literal["koshi_owner", "koshi_loader", "koshi_transformer"]
Connection = psycopg.Connection[tuple[Any, ...]]
READER = "bi_reader"
LIBPQ = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD", "dbname": "PGDATABASE"}  # nosec B105 # pragma: allowlist secret


def parameters(profile: Profile) -> dict[str, str]:
    """The libpq parameters (host, port, user, password, dbname) of the profile's database; starts the embedded server."""
    if url := os.environ.get("DATABASE_URL"):
        return {key: str(value) for key, value in conninfo_to_dict(url).items() if value is not None}
    mine = server.start()
    return {
        "host": "127.0.0.1",
        "port": str(mine.port),
        "user": server.ADMIN,
        "password": mine.admin_password,
        "dbname": profile.database,
    }


def sqlalchemy_url(profile: Profile) -> str:
    """The database as SQLAlchemy names it, with the psycopg 3 driver; holds the password, so it is never printed."""
    p = parameters(profile)
    secret = f":{quote(p['password'], safe='')}" if "password" in p else ""
    return f"postgresql+psycopg://{quote(p.get('user', ''), safe='')}{secret}@{p.get('host', '')}:{p.get('port', '5432')}/{p['dbname']}"


@contextmanager
def connect(profile: Profile, role: Role | None = None, *, autocommit: bool = False) -> Iterator[Connection]:
    """A connection to the profile's database acting as `role`; commits on a clean exit, rolls back on an exception."""
    with psycopg.connect(**parameters(profile), autocommit=autocommit, application_name="koshi") as connection:  # type: ignore[arg-type]
        if role:
            connection.execute(sql.SQL("set role {}").format(sql.Identifier(role)))
            if not autocommit:
                connection.commit()
        yield connection


def ensure_database(profile: Profile) -> None:
    """Creates the profile's database on the embedded server; one named by `DATABASE_URL` must exist."""
    if os.environ.get("DATABASE_URL"):
        return
    mine = server.start()
    with psycopg.connect(mine.dsn(), autocommit=True) as connection:
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
    with psycopg.connect(server.start().dsn(), autocommit=True) as connection:
        connection.execute("select pg_advisory_lock(hashtext('koshi server'))")
        yield


def drop_database(profile: Profile) -> bool:
    """Drops the profile's database on the embedded server; False if there was none. Never one named by `DATABASE_URL`."""
    if os.environ.get("DATABASE_URL"):
        raise RuntimeError("DATABASE_URL is set: Koshi never drops a database that it did not create; drop it yourself")
    mine = server.running()
    if mine is None:
        return False
    with psycopg.connect(mine.dsn(), autocommit=True) as connection:
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
