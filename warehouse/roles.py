"""The roles of the warehouse, ensured idempotently: they belong to the cluster, so no migration of one database makes them."""

from __future__ import annotations

import psycopg
from psycopg import sql

from warehouse.connection import READER, Connection, reader_password
from warehouse.readers import limit

GROUPS = {
    "koshi_owner": "owns raw, meta and quality, and runs the migrations",
    "koshi_loader": "writes raw and the ledger",
    "koshi_transformer": "owns core_*, pub_* and the views of bi",
}
# A person's own dbt; it may log in once the person asked (warehouse/developer.py)
DEVELOPER = "koshi_developer"
# Nothing of these is in a reader's reach: large objects fill the disk, and advisory locks are those by which Koshi's processes wait
_NOT_FOR_EVERYBODY = "^(lo_.*|loread|lowrite|pg_(try_)?advisory_.*)$"


def ensure_roles(connection: Connection) -> None:
    """Creates or mends the roles and their rights on this database and its schemas.

    `bi_reader` sees only `bi`, reads only, and within the limits of `warehouse.readers`. What only a superuser may set is set where we are
    one; docs/operations.md lists it for the administrator of another server. Safe to run again, and by two runs at once.
    """
    connection.execute("select pg_advisory_xact_lock(hashtext('koshi roles'))")
    for role, remark in GROUPS.items():
        _create(connection, role, "nologin")
        connection.execute(sql.SQL("comment on role {} is {}").format(sql.Identifier(role), sql.Literal(remark)))
        # PostgreSQL 16 and later ask a creator to be a member before SET ROLE
        connection.execute(sql.SQL("grant {} to current_user").format(sql.Identifier(role)))
    _create(connection, DEVELOPER, "nologin")
    # to make schemas for it
    connection.execute(sql.SQL("grant {} to current_user").format(sql.Identifier(DEVELOPER)))
    _create(connection, READER, "login")
    _reader(connection)
    database = connection.info.dbname
    connection.execute(sql.SQL("revoke all on database {} from public").format(sql.Identifier(database)))
    connection.execute(sql.SQL("grant connect on database {} to {}").format(sql.Identifier(database), sql.Identifier(READER)))
    connection.execute(
        sql.SQL("grant connect, create, temporary on database {} to koshi_owner, koshi_transformer").format(sql.Identifier(database))
    )
    connection.execute(sql.SQL("grant connect, temporary on database {} to {}").format(sql.Identifier(database), sql.Identifier(DEVELOPER)))
    connection.execute("revoke all on schema public from public")
    _close(connection)
    connection.commit()


def _close(connection: Connection) -> None:
    """Takes functions of this database from everybody and gives them to the groups, where they are ours to take."""
    groups = sql.SQL(", ").join(map(sql.Identifier, GROUPS))
    open_ = connection.execute(
        "select oid::regprocedure::text from pg_proc where pronamespace = 'pg_catalog'::regnamespace and proname ~ %s"
        " and has_function_privilege('public', oid, 'execute') and pg_has_role(current_user, proowner, 'usage') order by 1",
        [_NOT_FOR_EVERYBODY],
    ).fetchall()
    for (name,) in open_:
        function = sql.SQL(name)  # as the catalogue writes it, arguments included
        connection.execute(sql.SQL("revoke execute on function {} from public").format(function))
        connection.execute(sql.SQL("grant execute on function {} to {}").format(function, groups))


def _create(connection: Connection, role: str, login: str) -> None:
    if connection.execute("select 1 from pg_roles where rolname = %s", [role]).fetchone():
        return
    try:
        with connection.transaction():
            connection.execute(sql.SQL("create role {} " + login).format(sql.Identifier(role)))
    except psycopg.errors.DuplicateObject:
        return  # another session created it first


def _reader(connection: Connection) -> None:
    name = sql.Identifier(READER)
    if password := reader_password():
        connection.execute(sql.SQL("alter role {} with login password {}").format(name, sql.Literal(password)))
    limit(connection)
    # to see the readers' sessions and to end them
    connection.execute(sql.SQL("grant {} to current_user").format(name))
