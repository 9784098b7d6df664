"""Rows as PostgreSQL itself writes them."""

from __future__ import annotations

from pathlib import Path

from psycopg import sql

from warehouse.connection import Connection


def dump(connection: Connection, query: sql.Composed, file: Path) -> None:
    """Writes the answer as CSV, by PostgreSQL itself: no value passes through another type."""
    with (
        file.open("wb") as target,
        connection.cursor().copy(sql.SQL("copy ({}) to stdout (format csv, header, encoding 'UTF8')").format(query)) as rows,
    ):
        for part in rows:
            target.write(part)
