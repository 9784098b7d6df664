"""Raw tables of flat records: their columns are declared in `source.yml`, so that no migration makes them.

A table is made, and gets the columns that it lacks, before anything reads or fills it: by every process that brings the database to what
its code wants, and by a replay for columns that were declared at an earlier time only. None ever loses a column: releases rest on it.
"""

from __future__ import annotations

from collections.abc import Iterable

from psycopg import sql

from warehouse.connection import Connection

_KEYS = "_release_key bigint not null, _snapshot_key bigint not null, _row text not null"


def make(connection: Connection, shape: str, columns: Iterable[str]) -> None:
    """Makes the raw table with these columns, all text, or adds those that it lacks; as the owner, whoever the connection acts as.

    The caller commits. Two at once: the second waits, and finds nothing to do.
    """
    if not _lacking(connection, shape, columns):
        return
    with connection.transaction():
        connection.execute("select pg_advisory_xact_lock(hashtext('koshi raw tables'))")
        role = connection.execute("select current_setting('role')").fetchone()
        connection.execute("set local role koshi_owner")
        table, index = sql.Identifier("raw", shape), sql.Identifier(f"{shape}_release")
        if connection.execute("select to_regclass(format('raw.%%I', %s::text))", [shape]).fetchone() == (None,):
            connection.execute(sql.SQL("create table {} (" + _KEYS + ")").format(table))
            connection.execute(sql.SQL("create index {} on {} (_release_key)").format(index, table))
            remark = "Flat records as source.yml declares them: one row is one record. _row is its JSON pointer or line in its answer."
            connection.execute(sql.SQL("comment on table {} is {}").format(table, sql.Literal(remark)))
        if lacking := _lacking(connection, shape, columns):
            added = sql.SQL(", ").join(sql.SQL("add column {} text").format(sql.Identifier(column)) for column in lacking)
            connection.execute(sql.SQL("alter table {} {}").format(table, added))
        connection.execute("select set_config('role', %s, true)", list(role or ("none",)))


def _lacking(connection: Connection, shape: str, columns: Iterable[str]) -> list[str]:
    """The columns that the table does not have; all of them where there is no table."""
    there = connection.execute(
        "select attname from pg_attribute where attrelid = to_regclass(format('raw.%%I', %s::text)) and attnum > 0 and not attisdropped",
        [shape],
    ).fetchall()
    return [column for column in columns if column not in {str(name) for (name,) in there}]
