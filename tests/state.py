"""The whole state of a warehouse as data, for comparing two of them row for row."""

from __future__ import annotations

from psycopg import sql

from warehouse.connection import connect
from warehouse.profile import Profile

# load times, what was spared a second look, and the tables that are a log of operation, or of what was looked at
TIMES = {"recorded_at", "first_seen", "resolved_at", "published_at", "is_as_shown"}
NOT_COMPARED = {("meta", name) for name in ("run", "attempt", "schema_version", "journal_entry", "reconciliation", "shown", "shown_row")}


def state(profile: Profile) -> dict[str, list[tuple[object, ...]]]:
    """Every table and view of raw, meta, quality, core_* and bi: its rows as text, sorted, load times left out."""
    found: dict[str, list[tuple[object, ...]]] = {}
    with connect(profile) as connection:
        relations = connection.execute(
            r"select nspname, relname from pg_class join pg_namespace as n on n.oid = relnamespace where relkind in ('r', 'v')"
            r" and (nspname in ('raw', 'meta', 'quality', 'bi') or nspname ~ '^core_')"
            r" and not (nspname = 'quality' and relname ~ '^(judged|below)_') order by 1, 2"  # a copy of what was judged last
        ).fetchall()
        for schema, name in relations:
            if (schema, name) in NOT_COMPARED:
                continue
            cursor = connection.execute(sql.SQL("select * from {} limit 0").format(sql.Identifier(schema, name)))
            columns = sorted(column.name for column in cursor.description or () if column.name not in TIMES)
            listed = sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(column)) for column in columns)
            rows = connection.execute(sql.SQL("select {} from {} order by {}").format(listed, sql.Identifier(schema, name), listed))
            found[f"{schema}.{name}"] = rows.fetchall()
    return found


def read(profile: Profile, query: str) -> list[tuple[object, ...]]:
    """The rows of a query, as the admin."""
    with connect(profile) as connection:
        return connection.execute(query).fetchall()
