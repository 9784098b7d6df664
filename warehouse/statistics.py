"""Statistics for the planner, in proportion to what changed: what a release brings, and not what the table holds, decides their cost.

By PostgreSQL's own count a table has changed once a tenth of its rows were written since it was last analyzed, this transaction's rows
among them; autovacuum would come then too, at its own time. dbt's macro `analyze` has the same rule.
"""

from __future__ import annotations

from psycopg import sql

from warehouse.connection import Connection

CHANGED = """
select n.nspname, c.relname from pg_class as c inner join pg_namespace as n on n.oid = c.relnamespace
where c.relkind = 'r' and n.nspname = any(%s) and (
    c.reltuples < 0
    or pg_stat_get_mod_since_analyze(c.oid) + pg_stat_get_xact_tuples_inserted(c.oid) + pg_stat_get_xact_tuples_updated(c.oid)
    + pg_stat_get_xact_tuples_deleted(c.oid) > 0.1 * c.reltuples
)
order by 1, 2
"""


def analyze_changed(connection: Connection, *schemas: str) -> set[tuple[str, str]]:
    """Analyzes the tables of the schemas that changed, and returns them by schema and name; an `autocommit` lets each go at once."""
    changed = {(str(schema), str(name)) for schema, name in connection.execute(CHANGED, [list(schemas)]).fetchall()}
    for name in sorted(changed):
        connection.execute(sql.SQL("analyze {}").format(sql.Identifier(*name)))
    return changed
