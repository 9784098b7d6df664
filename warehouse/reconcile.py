"""Every raw row of a release is accounted for: named by a fact row, in quarantine, or dropped by a declared rule; exactly one of the three.

Tables and views are found by convention: raw tables in `raw`, facts `int_%` and staging views `stg_%` in the core schema. A row's address
is its release, its snapshot and its place in it. A fact row without a derivation names one raw row; a derived one lies beside those it
rests on and names them all, joined by '; '. A figure that was computed before it came here (its staging view says `derivation`) has only
that one. Quarantine comes before rules: a row in quarantine is not dropped.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from psycopg import sql

from warehouse.connection import Connection, connect
from warehouse.keys import hex_key
from warehouse.profile import Profile

NAMED = 3
FACT_COLUMNS = ("release_key", "snapshot_key", "source_row", "derivation")
STAGING_COLUMNS = ("release_key", "snapshot_key", "source_row", "dropped_because")


class ReconciliationError(RuntimeError):
    """A relation of the core schema that cannot be reconciled; the message names it and the columns that it lacks."""


@dataclass
class Account:
    """The rows of one release by what became of them; `faults` say where they do not add up.

    Without faults raw = facts + quarantined + dropped.
    """

    release_key: int
    place: str
    landed: int
    raw: int = 0
    facts: int = 0
    derived: int = 0
    quarantined: int = 0
    dropped: int = 0
    faults: tuple[str, ...] = ()

    @property
    def reason(self) -> str:
        """What is wrong, with the release and the first addresses; empty if the rows add up."""
        return f"rows of {self.place} do not add up: {'; '.join(self.faults)}" if self.faults else ""


def unreconciled(profile: Profile, schema: str, release_keys: Collection[int]) -> dict[int, str]:
    """Of these releases those whose rows do not add up in the core schema, with the reason. Call it once core is built.

    A release that added up is remembered with its numbers of rows: as long as these are the same, only they are looked at again.
    """
    with connect(profile, "koshi_transformer") as connection:
        counted = _count(connection, schema, release_keys)
        remembered = _remembered(connection, schema, release_keys)
        accounts = account(connection, schema, [key for key in release_keys if counted[key] != remembered.get(key)])
    with connect(profile, "koshi_loader") as connection:
        _remember(connection, schema, accounts)
    return {one.release_key: one.reason for one in accounts if one.faults}


def account(connection: Connection, schema: str, release_keys: Collection[int]) -> list[Account]:
    """What became of every raw row of these releases, by release. The connection may read raw, meta, quality and the core schema."""
    if not release_keys:
        return []
    found = {
        key: Account(key, f"{source}.{dataset} {name}, {edition} (release {hex_key(key)})", landed)
        for key, source, dataset, name, edition, landed in connection.execute(
            "select release_key, source, dataset, slice, edition, rows_landed from meta.release where release_key = any(%s) order by 1",
            [list(release_keys)],
        ).fetchall()
    }
    faults: dict[int, list[str]] = defaultdict(list)
    for key, fault, addresses, count, raw, facts, quarantined, dropped in _classified(connection, schema, list(found)):
        one = found[key]
        one.raw, one.facts = one.raw + raw, one.facts + facts
        one.quarantined, one.dropped = one.quarantined + quarantined, one.dropped + dropped
        if fault:
            more = f" and {count - NAMED} more" if count > NAMED else ""
            faults[key].append(f"{fault}: {', '.join(addresses)}{more}")
    counted = _count(connection, schema, list(found))
    for key, one in found.items():
        one.derived = counted[key][1] - one.facts
        landed = [f"{one.landed} rows landed, {one.raw} are in raw"] if one.landed != one.raw else []
        one.faults = (*landed, *faults[key])
    return list(found.values())


def lacking_in(connection: Connection, schema: str, release_keys: Collection[int]) -> list[int]:
    """Those of the releases that were not found to add up in a core schema, or are to be loaded again."""
    return sorted(set(release_keys) - _remembered(connection, schema, release_keys).keys())


def load_again(profile: Profile, schema: str, release_keys: Collection[int]) -> None:
    """Lets the next build of core replace all that it holds of these releases: each fact in one transaction, so readers miss nothing."""
    with connect(profile, "koshi_loader") as connection:
        connection.cursor().executemany(
            "insert into meta.reconciliation (core_schema, release_key, load_again) values (%s, %s, true)"
            " on conflict (core_schema, release_key) do update set load_again = true",
            [(schema, key) for key in release_keys],
        )


# the row is one fault at most: the first that holds
FAULT = """
    case
        when raw > 1 then 'more than once in raw'
        when raw = 0 and facts > 0 then 'named by a fact row, not in raw'
        when raw = 0 and derived > 0 then 'part of a derived fact row, not in raw'
        when raw = 0 and quarantined > 0 then 'in quarantine, not in raw'
        when raw = 0 then 'dropped, not in raw'
        when facts > 1 then 'named by several fact rows'
        when facts = 1 and quarantined = 1 then 'named by a fact row and in quarantine'
        when facts = 1 and dropped = 1 then 'named by a fact row and dropped by a rule'
        when derived > 0 and quarantined = 1 then 'part of a derived fact row and in quarantine'
        when facts + quarantined + dropped = 0 and not (given = 1 and derived = 1)
            then 'neither named by a fact row, nor in quarantine, nor dropped by a rule'
    end
"""


def _classified(connection: Connection, schema: str, keys: list[int]) -> list[tuple[Any, ...]]:
    """By release and fault (null: none): first addresses, number of addresses, and the rows of each class."""
    connection.execute("set local work_mem = '128MB'")  # the rows are put side by side by address
    query = sql.SQL(
        "with seen as ({seen}),"
        " rows as (select release_key, snapshot_key, source_row, sum(raw) as raw, sum(facts) as facts, sum(derived) as derived,"
        "  max(quarantined) as quarantined, max(dropped) as dropped, max(given) as given"
        "  from seen group by release_key, snapshot_key, source_row),"
        " judged as (select *, {fault} as fault from rows)"
        " select release_key, fault, (array_agg(source_row order by source_row) filter (where fault is not null))[1:{named}], count(*),"
        "  sum(raw)::bigint, sum(case when facts = 0 and given = 1 then derived else facts end)::bigint, sum(quarantined)::bigint,"
        "  (count(*) filter (where dropped = 1 and quarantined = 0))::bigint"
        " from judged group by release_key, fault order by release_key, fault"
    ).format(seen=_seen(connection, schema, keys), fault=sql.SQL(FAULT), named=sql.Literal(NAMED))
    return connection.execute(query).fetchall()


def _seen(connection: Connection, schema: str, keys: list[int]) -> sql.Composed:
    """Every address that raw, a fact, the quarantine or a rule names, one row for each time."""
    wanted = sql.SQL("release_key = any({})").format(sql.Literal(keys))
    parts = [
        sql.SQL(
            "select _release_key as release_key, _snapshot_key as snapshot_key, _row as source_row,"
            " 1 as raw, 0 as facts, 0 as derived, 0 as quarantined, 0 as dropped, 0 as given from {} where _{}"
        ).format(table, wanted)
        for table in _raw_tables(connection)
    ]
    for table in _relations(connection, schema, "int", FACT_COLUMNS):
        parts.append(
            sql.SQL("select release_key, snapshot_key, source_row, 0, 1, 0, 0, 0, 0 from {} where {} and derivation is null").format(
                table, wanted
            )
        )
        parts.append(
            sql.SQL(
                "select fact.release_key, fact.snapshot_key, part, 0, 0, 1, 0, 0, 0 from {} as fact,"
                " string_to_table(fact.source_row, '; ') as part where fact.{} and fact.derivation is not null"
            ).format(table, wanted)
        )
    parts.append(
        sql.SQL(
            "select release_key, snapshot_key, source_row, 0, 0, 0, 1, 0, 0 from quality.quarantine where {} and resolved_at is null"
        ).format(wanted)
    )
    parts += [
        sql.SQL("select release_key, snapshot_key, source_row, 0, 0, 0, 0, 1, 0 from {} where {} and dropped_because is not null").format(
            view, wanted
        )
        for view in _relations(connection, schema, "stg", STAGING_COLUMNS)
    ]
    parts += [
        sql.SQL("select release_key, snapshot_key, source_row, 0, 0, 0, 0, 0, 1 from {} where {} and derivation is not null").format(
            view, wanted
        )
        for view in _relations(connection, schema, "stg", ("derivation",), only=True)
    ]
    return sql.SQL(" union all ").join(parts)


def _raw_tables(connection: Connection) -> list[sql.Identifier]:
    rows = connection.execute("select tablename from pg_tables where schemaname = 'raw' order by 1").fetchall()
    return [sql.Identifier("raw", name) for (name,) in rows]


def _relations(connection: Connection, schema: str, prefix: str, columns: tuple[str, ...], *, only: bool = False) -> list[sql.Identifier]:
    """The relations of the core schema with this prefix, or `only` those with the columns.

    Raises `ReconciliationError` for one without the columns.
    """
    rows = connection.execute(
        "select c.relname, array_agg(a.attname::text) from pg_class as c"
        " join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped"
        " where c.relnamespace = to_regnamespace(%s) and c.relkind in ('r', 'v') and starts_with(c.relname, %s) group by 1 order by 1",
        [schema, f"{prefix}_"],
    ).fetchall()
    if only:
        rows = [(name, found) for name, found in rows if set(columns) <= set(found)]
    for name, found in rows:
        if lacking := [column for column in columns if column not in found]:
            raise ReconciliationError(
                f"{schema}.{name} has no column {', '.join(lacking)}: its rows cannot be accounted for; add it in dbt"
            )
    return [sql.Identifier(schema, name) for name, _ in rows]


Counts = tuple[int, int, int]


def _count(connection: Connection, schema: str, release_keys: Collection[int]) -> dict[int, Counts]:
    """By release the rows in raw, the fact rows and the quarantined rows; by index, without looking at a row's text."""
    wanted = sql.SQL("release_key = any({})").format(sql.Literal(list(release_keys)))
    parts = [
        sql.SQL("select _release_key as release_key, count(*) as raw, 0 as facts, 0 as quarantined from {} where _{} group by 1").format(
            table, wanted
        )
        for table in _raw_tables(connection)
    ]
    parts += [
        sql.SQL("select release_key, 0, count(*), 0 from {} where {} group by 1").format(table, wanted)
        for table in _relations(connection, schema, "int", FACT_COLUMNS)
    ]
    parts.append(
        sql.SQL(
            "select release_key, 0, 0, count(distinct (snapshot_key, source_row)) from quality.quarantine"
            " where {} and resolved_at is null group by 1"
        ).format(wanted)
    )
    connection.execute("set local max_parallel_workers_per_gather = 0")  # to start them costs more than the count itself
    rows = connection.execute(
        sql.SQL(
            "select release_key, sum(raw)::bigint, sum(facts)::bigint, sum(quarantined)::bigint from ({}) as counted group by 1"
        ).format(sql.SQL(" union all ").join(parts))
    ).fetchall()
    counted: dict[int, Counts] = {int(key): (int(raw), int(facts), int(quarantined)) for key, raw, facts, quarantined in rows}
    return {key: counted.get(key, (0, 0, 0)) for key in release_keys}


def _remembered(connection: Connection, schema: str, release_keys: Collection[int]) -> dict[int, Counts]:
    rows = connection.execute(
        "select release_key, raw_rows, fact_rows + derived_rows, quarantined_rows from meta.reconciliation"
        " where core_schema = %s and release_key = any(%s) and not load_again",
        [schema, list(release_keys)],
    ).fetchall()
    return {int(key): (int(raw), int(facts), int(quarantined)) for key, raw, facts, quarantined in rows}


def _remember(connection: Connection, schema: str, accounts: list[Account]) -> None:
    """Takes note of the releases that add up and forgets those that do not, and core schemas that are no more."""
    connection.execute("delete from meta.reconciliation where to_regnamespace(core_schema) is null")
    connection.execute(
        "delete from meta.reconciliation where core_schema = %s and release_key = any(%s)", [schema, [one.release_key for one in accounts]]
    )
    connection.cursor().executemany(
        "insert into meta.reconciliation (core_schema, release_key, raw_rows, fact_rows, derived_rows, quarantined_rows, dropped_rows)"
        " values (%s, %s, %s, %s, %s, %s, %s)",
        [(schema, one.release_key, one.raw, one.facts, one.derived, one.quarantined, one.dropped) for one in accounts if not one.faults],
    )
