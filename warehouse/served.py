"""How readers are served: `bi` holds tables that stay, and a publication changes their rows in one transaction (decision 18).

A snapshot that was taken before a change sees the rows of before, whole, for PostgreSQL keeps them until it is gone. Who reads statement
by statement in a transaction (READ COMMITTED) sees one publication too: the change is committed while no reader holds a relation of `bi`,
and that lock is taken last. Each change keeps what it took away, so that it can be taken back.

Of a built relation `x` the table `bi.x` has what a plain query should add up: current rows (`is_current`), of these the leaves
(`row_kind`), and where several agencies say something of one thing those of the preferred one (`is_preferred`). What that leaves out lies
in `bi_rest.x`; the views `bi.x_all` (current rows of all kinds and agencies) and `bi.x_vintage` (everything) put the two together.
The view `bi.x_latest` has of `bi.x` the last date that is complete by a rule of the relation (`is_latest`).

Keys, NOT NULL and relations between tables are declared where clients look for them (decision 30). The views `bi.catalogue` and
`bi.provenance` are over all the others (warehouse/catalogue.py).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from warehouse import catalogue
from warehouse.connection import READER, Connection
from warehouse.readers import BOUNDS, end_readers_beyond, who_holds
from warehouse.relation import INDEXES, Part, PublicationError, Relation, Shape, built_shape, listed, parts, shape_of
from warehouse.statistics import analyze_changed
from warehouse.steps import tell

# Seconds that a change waits for readers: no transaction of theirs outlives the bound, and a look takes its time
PATIENCE = BOUNDS.transaction_timeout + 60
# From this version on the server can know a foreign key without enforcing it
NOT_ENFORCED = 180000


def shown(connection: Connection) -> int | None:
    """The key of the publication that `bi` shows; None before the first."""
    row = connection.execute("select publication_key from meta.shown order by change_number desc limit 1").fetchone()
    return int(row[0]) if row else None


def serve(connection: Connection, schema: str, publication_key: int) -> None:
    """Makes `bi` equal to a built schema. The caller commits.

    Raises `PublicationError` for a relation without a declared key, and where somebody does not let go of what is read there.
    """
    before, borrowed = _last_shape(connection), _borrowed(connection, schema)
    # what borrows is made by the code that made what readers see: a fact's rows of the other releases are theirs
    releases = _turning(connection, schema) if borrowed else None

    def wanted(part: Part) -> sql.Composed:
        return _of_releases(part, releases, part.of(sql.Identifier(schema, part.relation.name)), "and ")

    def going(part: Part) -> sql.Composed:
        return _of_releases(part, releases, _unlike(part, wanted(part)), "and t.")

    built = built_shape(connection, schema, but=borrowed)
    after = {name: built[name] if name in built else before[name] for name in sorted({*built, *borrowed})}
    after |= _views_of_all(after)
    _turn(connection, publication_key, before, after, going, wanted, as_they_are=borrowed)


def _turning(connection: Connection, schema: str) -> list[int]:
    """The releases that come, go, or take another place among the vintages of their slice, when readers turn to a built schema."""
    rows = connection.execute(
        sql.SQL(
            "select distinct release_key from (select release_key, is_current from bi.dim_release) as t"
            " full join (select release_key, is_current from {}) as s using (release_key)"
            " where t.is_current is distinct from s.is_current"
        ).format(sql.Identifier(schema, "dim_release"))
    ).fetchall()
    return [int(key) for (key,) in rows]


def _of_releases(part: Part, releases: list[int] | None, rows: sql.Composed, joined: str) -> sql.Composed:
    """Rows of a fact, or a condition on them, of these releases alone; all where none are named, and of what is no fact."""
    if releases is None or not part.relation.is_fact:
        return rows
    return sql.SQL("{} {}release_key = any({})").format(rows, sql.SQL(joined), sql.Literal(releases))


def borrow(connection: Connection, schema: str, *, but: Collection[str]) -> None:
    """Makes views in a schema of all relations that readers see, but these; each has all rows of the relation. The caller commits."""
    for relation in _last_shape(connection).values():
        if relation.name not in but and not relation.view:
            connection.execute(
                sql.SQL("create view {} as select {} from {}").format(
                    sql.Identifier(schema, relation.name),
                    listed(relation.names),
                    sql.Identifier("bi", relation.widest),
                )
            )


def dimensions_differ(connection: Connection, schema: str, built: Collection[str], release_keys: list[int]) -> bool:
    """Whether a member that readers see, not of these releases, is another in a built schema: what is borrowed would not say so."""
    for relation in _last_shape(connection).values():
        if relation.name not in built or not relation.is_dimension:
            continue
        part = Part(relation, is_default=True)
        differs = _unlike(part, part.of(sql.Identifier(schema, relation.name)))
        if "release_key" in relation.names:
            differs += sql.SQL(" and t.release_key <> all({})").format(sql.Literal(release_keys))
        if connection.execute(sql.SQL("select 1 from {} as t where {} limit 1").format(part.table, differs)).fetchone():
            return True
    return False


def can_show(connection: Connection, publication_key: int) -> bool:
    """Whether the changes since readers last saw the publication can be taken back."""
    return _changes_since(connection, publication_key) is not None


def show_again(connection: Connection, publication_key: int) -> None:
    """Takes back every change since readers last saw the publication, each as a change of its own. The caller commits.

    Raises `PublicationError` where these changes are no longer kept.
    """
    changes = _changes_since(connection, publication_key)
    if changes is None:
        raise PublicationError("the changes since that publication are no longer kept")
    for number in changes:
        _take_back(connection, number)


def forget_before(connection: Connection, publication_keys: list[int]) -> None:
    """Forgets the changes that lead to none of these publications."""
    connection.execute(
        "with wanted as (select min(last) as change_number from ("
        "  select max(change_number) as last from meta.shown where publication_key = any(%s) group by publication_key) as each),"
        " gone as (delete from meta.shown_row where change_number <= (select change_number from wanted))"
        " delete from meta.shown where change_number < (select change_number from wanted)",
        [publication_keys],
    )


def _changes_since(connection: Connection, publication_key: int) -> list[int] | None:
    """The changes since the publication was shown, newest first."""
    row = connection.execute("select max(change_number) from meta.shown where publication_key = %s", [publication_key]).fetchone()
    if row is None or row[0] is None:
        return None
    rows = connection.execute("select change_number from meta.shown where change_number > %s order by 1 desc", [row[0]]).fetchall()
    return [int(number) for (number,) in rows]


def _take_back(connection: Connection, undone: int) -> None:
    """Reverses one change: what came goes, what went comes back."""
    rows = connection.execute(
        "select publication_key, shape from meta.shown where change_number <= %s order by change_number desc limit 2", [undone]
    ).fetchall()
    (_, now), (publication_key, then) = rows

    def kept(part: Part, *, went: bool) -> sql.Composed:
        return sql.SQL(
            "select {} from meta.shown_row as kept, jsonb_populate_record(null::{}, kept.content) as found"
            " where kept.change_number = {} and kept.relation = {} and kept.is_default = {} and kept.went = {}"
        ).format(
            listed(part.relation.names, "found"), part.table,
            *map(sql.Literal, (undone, part.relation.name, part.is_default, went)),
        )  # fmt: skip

    def came(part: Part) -> sql.Composed:
        return sql.SQL("exists (select from ({}) as s where {})").format(kept(part, went=False), _same(part.key))

    _turn(connection, publication_key, shape_of(now), shape_of(then), came, lambda part: kept(part, went=True))


def _turn(
    connection: Connection,
    publication_key: int,
    before: Shape,
    after: Shape,
    going: Callable[[Part], sql.Composable],
    wanted: Callable[[Part], sql.Composable],
    as_they_are: Collection[str] = (),
) -> None:
    """One change of what readers see: `going` is the condition on the rows `t` that go, `wanted` selects those that must be there.

    A relation whose columns or key change is emptied and filled; its rows are kept before, so an old snapshot sees them, and a rollback
    has them, whatever columns come and go.
    """
    number = _begin(connection, publication_key, after)
    whole = {name for name in before.keys() | after.keys() if name not in after or not after[name].stands_like(before.get(name))}
    if whole:  # a view of all the others goes before any of them
        whole |= {relation.name for relation in (*before.values(), *after.values()) if relation.view}
    _make_room(connection, [before[name] for name in before if name in whole], after, number)
    for relation in [relation for name, relation in after.items() if name not in as_they_are]:
        is_whole = relation.name in whole
        if is_whole:
            _make_tables(connection, before.get(relation.name), relation)
        for part in parts(relation):
            if is_whole:
                _fill(connection, part, wanted(part))
            else:
                _take(connection, number, part, going(part))
                _bring(connection, number, part, wanted(part))
            _index_addresses(connection, part)
        if is_whole:
            _make_views(connection, relation)
        if is_whole or relation != before[relation.name]:
            _remark(connection, relation)
    _make_indexes(connection, after)
    analyze_changed(connection, "bi", "bi_rest")
    tables = {name for shape in (before, after) for name, relation in shape.items() if not relation.view}
    _lock(connection, [sql.Identifier("bi", name) for name in sorted(tables & before.keys() & after.keys())])
    _declare(connection, after)


def clear(connection: Connection) -> None:
    """Drops what stands in `bi` unknown to the ledger: views of an earlier layout, tables whose ledger was lost. The caller commits."""
    rows = connection.execute(  # a view before what it reads
        "select relnamespace::regnamespace::text, relname, relkind = 'v' from pg_class"
        " where relnamespace in (to_regnamespace('bi'), to_regnamespace('bi_rest')) and relkind in ('r', 'v') order by 3 desc, oid desc"
    ).fetchall()
    if rows and not _last_shape(connection):
        relations = [sql.Identifier(schema, name) for schema, name, _ in rows]
        # a view of all the others is not locked: that takes what it reads, the ledger among it; who reads it holds the others as well
        _lock(connection, [sql.Identifier(schema, name) for schema, name, _ in rows if name not in catalogue.TEXTS])
        for table, name, _ in _relations_between(connection):
            connection.execute(sql.SQL("alter table {} drop constraint {}").format(sql.Identifier("bi", table), sql.Identifier(name)))
        _leave_borrowed(connection, relations)
        for schema, name, is_view in rows:
            kind = sql.SQL("view" if is_view else "table")
            _without_dependents(connection, sql.SQL("drop {} {}").format(kind, sql.Identifier(schema, name)))


def _begin(connection: Connection, publication_key: int, shape: Shape) -> int:
    row = connection.execute(
        "insert into meta.shown select coalesce(max(change_number), 0) + 1, %s, %s from meta.shown returning change_number",
        [publication_key, Jsonb([asdict(relation) for relation in shape.values()])],
    ).fetchone()
    return int(row[0]) if row else 0


def _last_shape(connection: Connection) -> Shape:
    row = connection.execute("select shape from meta.shown order by change_number desc limit 1").fetchone()
    return shape_of(row[0]) if row else {}


def _views_of_all(shape: Shape) -> Shape:
    """The views over all these relations, in the order in which they are made."""
    texts = catalogue.TEXTS
    return {
        name: Relation(
            name, tuple((column, kind) for column, (kind, _) in texts[name][1].items()), (), texts[name][0],
            tuple((column, said) for column, (_, said) in texts[name][1].items()), view=query,
        )
        for name, query in catalogue.definitions(shape).items()
    }  # fmt: skip


def _borrowed(connection: Connection, schema: str) -> set[str]:
    """The relations of a built schema that are what readers see."""
    rows = connection.execute(
        "select distinct v.relname from pg_class as v join pg_rewrite as rule on rule.ev_class = v.oid"
        " join pg_depend as d on d.classid = 'pg_rewrite'::regclass and d.objid = rule.oid and d.refclassid = 'pg_class'::regclass"
        " join pg_class as read on read.oid = d.refobjid"
        " where v.relnamespace = to_regnamespace(%s) and read.relnamespace = to_regnamespace('bi')",
        [schema],
    ).fetchall()
    return {str(name) for (name,) in rows}


def _same(key: tuple[str, ...]) -> sql.Composed:
    return sql.SQL(" and ").join(sql.SQL("s.{0} = t.{0}").format(sql.Identifier(name)) for name in key)


def _unlike(part: Part, wanted: sql.Composable) -> sql.Composed:
    """Whether no wanted row is, bit by bit, the row `t`."""
    return sql.SQL("not exists (select from ({}) as s where {} and record_image_eq(row({}), row({})))").format(
        wanted, _same(part.key), listed(part.relation.names, "s"), listed(part.relation.names, "t")
    )


def _take(connection: Connection, number: int, part: Part, condition: sql.Composable) -> None:
    """Takes away the rows that meet the condition, and keeps them."""
    connection.execute(
        sql.SQL(
            "with gone as (delete from {} as t where {} returning t.*)"
            " insert into meta.shown_row select {}, {}, {}, true, to_jsonb(gone) from gone"
        ).format(part.table, condition, sql.Literal(number), sql.Literal(part.relation.name), sql.Literal(part.is_default))
    )


def _bring(connection: Connection, number: int, part: Part, wanted: sql.Composable) -> None:
    """Brings the wanted rows that are not there, and remembers their keys."""
    pairs = sql.SQL(", ").join(sql.SQL("{}, {}").format(sql.Literal(name), sql.Identifier(name)) for name in part.key)
    connection.execute(
        sql.SQL(
            "with came as (insert into {0} ({1}) select {1} from ({2}) as s"
            "  where not exists (select from {0} as t where {3}) returning {4})"
            " insert into meta.shown_row select {5}, {6}, {7}, false, jsonb_build_object({8}) from came"
        ).format(
            part.table, listed(part.relation.names), wanted, _same(part.key), listed(part.key),
            sql.Literal(number), sql.Literal(part.relation.name), sql.Literal(part.is_default), pairs,
        )
    )  # fmt: skip


def _fill(connection: Connection, part: Part, wanted: sql.Composable) -> None:
    """Fills an empty table and declares its key; what takes it back empties it."""
    connection.execute(sql.SQL("insert into {} ({}) {}").format(part.table, listed(part.relation.names), wanted))
    connection.execute(sql.SQL("alter table {} add primary key ({})").format(part.table, listed(part.key)))


def _make_indexes(connection: Connection, after: Shape) -> None:
    """Makes the indexes of readers' tables those that are declared."""
    rows = connection.execute(
        f"select nspname, relname, of.name, of.columns from ({INDEXES}) as of join pg_class as c on c.oid = of.table_oid"
        " join pg_namespace as n on n.oid = relnamespace where nspname in ('bi', 'bi_rest')"
    ).fetchall()
    there = {(schema, relation, tuple(columns)): name for schema, relation, name, columns in rows}
    for part in [part for relation in after.values() for part in parts(relation)]:
        schema, name = "bi" if part.is_default else "bi_rest", part.relation.name
        wanted = {*part.relation.indexes}
        if part.relation.is_fact:  # by it a publication finds the rows of the releases that come and go
            wanted.add(("release_key",))
        for columns in sorted(wanted):
            if there.pop((schema, name, columns), None) is None:
                connection.execute(sql.SQL("create index on {} ({})").format(part.table, listed(columns)))
    for (schema, name, _), index in there.items():
        _lock(connection, [sql.Identifier(schema, name)])
        connection.execute(sql.SQL("drop index {}").format(sql.SQL(index)))


def _index_addresses(connection: Connection, part: Part) -> None:
    """Of a fact the index by which a reader finds the row of an address."""
    if part.relation.is_fact:
        index = sql.Identifier(f"{part.relation.name}_address_idx")
        way = sql.SQL(f"using hash (({catalogue.PROVENANCE_KEY.format('')}))")
        connection.execute(sql.SQL("create index if not exists {} on {} {}").format(index, part.table, way))


def _make_room(connection: Connection, changed: list[Relation], after: Shape, number: int) -> None:
    """Takes all rows of relations whose columns or key change, once no reader looks at them; drops those that readers no longer have."""
    if not changed:
        return
    tables = [relation for relation in changed if not relation.view]
    names = [name for relation in tables for name in (relation.name, *(view for view, _, _ in relation.views()))]
    # a view of all the others is emptied or dropped, not locked: with it a lock takes what it reads, the ledger among it
    first = [_without_reading(relation, after.get(relation.name)) for relation in reversed(changed) if relation.view]
    first += [
        sql.SQL("alter table {} drop constraint {}").format(sql.Identifier("bi", table), sql.Identifier(name))
        for table, name, to in _relations_between(connection)
        if not {table, to}.isdisjoint(names)
    ]
    _lock(connection, [sql.Identifier("bi", name) for name in names], first)
    _leave_borrowed(connection, [sql.Identifier("bi", name) for name in names])
    for relation in tables:
        for part in parts(relation):
            _take(connection, number, part, sql.SQL("true"))
        for name, _, _ in relation.views():
            _without_dependents(connection, sql.SQL("drop view {}").format(sql.Identifier("bi", name)))
        if relation.name not in after:
            for part in parts(relation):
                _without_dependents(connection, sql.SQL("drop table {}").format(part.table))


def _without_reading(view: Relation, after: Relation | None) -> sql.Composed:
    """Lets a view of all the others read none of them. What a person made on it stays where its columns do."""
    if after is None or after.columns != view.columns:
        return sql.SQL("drop view {}").format(sql.Identifier("bi", view.name))
    nothing = [sql.SQL("null::{} as {}").format(sql.SQL(kind), sql.Identifier(name)) for name, kind in view.columns]
    return sql.SQL("create or replace view {} as select {}").format(sql.Identifier("bi", view.name), sql.SQL(", ").join(nothing))


def _without_dependents(connection: Connection, statement: sql.SQL | sql.Composed) -> None:
    """Changes or drops a relation of readers. Raises `PublicationError` where something of a person's stands on it: that is not ours."""
    try:
        connection.execute(statement)
    except psycopg.errors.DependentObjectsStillExist as error:
        what = (error.diag.message_detail or str(error)).replace("\n", "; ")
        raise PublicationError(f"the columns of what readers see change, and {what}: drop or change it, then run again") from None


def _leave_borrowed(connection: Connection, relations: list[sql.Identifier]) -> None:
    """Drops the views by which candidates that were never published borrow these relations."""
    rows = connection.execute(
        "select distinct v.oid::regclass::text from pg_class as v join pg_rewrite as rule on rule.ev_class = v.oid"
        " join pg_depend as d on d.classid = 'pg_rewrite'::regclass and d.objid = rule.oid and d.refclassid = 'pg_class'::regclass"
        " join pg_namespace as n on n.oid = v.relnamespace"
        r" where (n.nspname = 'candidate' or n.nspname ~ '^pub_[0-9a-f]{16}$') and d.refobjid = any(%s::regclass[])",
        [[name.as_string() for name in relations]],
    ).fetchall()
    for (name,) in rows:
        connection.execute(sql.SQL("drop view {} cascade").format(sql.SQL(name)))  # as the catalogue writes it


def _make_tables(connection: Connection, before: Relation | None, after: Relation) -> None:
    """The tables of a relation, empty, without a key; one that stands keeps its columns that stay."""
    connection.execute("set local role koshi_transformer")
    stands = {part.is_default for part in parts(before)} if before else set()
    wanted = {part.is_default for part in parts(after)}
    for part in parts(before) if before else []:
        if part.is_default not in wanted:
            connection.execute(sql.SQL("drop table {}").format(part.table))
    for part in parts(after):
        if before is None or part.is_default not in stands:
            columns = sql.SQL(", ").join(sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kind)) for name, kind in after.columns)
            connection.execute(sql.SQL("create table {} ({})").format(part.table, columns))
            continue
        pkey = connection.execute(
            "select conname from pg_constraint where conrelid = %s::regclass and contype = 'p'", [part.table.as_string()]
        ).fetchall()
        steps = [sql.SQL("drop constraint {}").format(sql.Identifier(name)) for (name,) in pkey]
        never_null = dict.fromkeys((*Part(before, part.is_default).key, *(before.required if part.is_default else ())))
        steps += [sql.SQL("alter column {} drop not null").format(sql.Identifier(name)) for name in never_null]
        gone = [name for name, kind in before.columns if (name, kind) not in after.columns]
        steps += [sql.SQL("drop column {}").format(sql.Identifier(name)) for name in gone]
        new = [column for column in after.columns if column not in before.columns]
        steps += [sql.SQL("add column {} {}").format(sql.Identifier(name), sql.SQL(kind)) for name, kind in new]
        for step in steps:
            _without_dependents(connection, sql.SQL("alter table {} ").format(part.table) + step)
    connection.execute("reset role")


def _make_views(connection: Connection, relation: Relation) -> None:
    connection.execute("set local role koshi_transformer")
    if relation.view:
        connection.execute(sql.SQL("create or replace view {} as {}").format(sql.Identifier("bi", relation.name), sql.SQL(relation.view)))
    default, rest = Part(relation, is_default=True).table, Part(relation, is_default=False).table
    for name, condition, _ in relation.views():
        rows = sql.SQL("select {} from {} ").format(columns := listed(relation.names), default)
        rows += sql.SQL("where is_latest" if condition is None else "union all ")
        if condition is not None:
            rows += sql.SQL("select {} from {} {}").format(columns, rest, sql.SQL(condition))
        connection.execute(sql.SQL("create view {} as {}").format(sql.Identifier("bi", name), rows))
    for name in (relation.name, *(name for name, _, _ in relation.views())):
        target = sql.Identifier("bi", name)
        connection.execute(sql.SQL("grant select, references on {} to {}").format(target, sql.Identifier(READER)))
    connection.execute("reset role")


def _remark(connection: Connection, relation: Relation) -> None:
    """Says what relation and columns mean, as their contract does."""
    said = [("view" if relation.view else "table", relation.name, relation.plain_remark)]
    said += [("view", name, remark) for name, _, remark in relation.views()]
    statements = []
    for kind, name, remark in said:
        target = sql.Identifier("bi", name)
        statements.append(sql.SQL("comment on {} {} is {}").format(sql.SQL(kind), target, sql.Literal(remark)))
        statements += [
            sql.SQL("comment on column {}.{} is {}").format(target, sql.Identifier(column), sql.Literal(text))
            for column, text in relation.remarks
        ]
    connection.execute("set local role koshi_transformer")
    connection.execute(sql.SQL("; ").join(statements))
    connection.execute("reset role")


def _declare(connection: Connection, shape: Shape) -> None:
    """Declares what is never NULL and which table refers to which, where it is not declared; `bi` is locked by us.

    A relation between tables is one that the server knows of and does not enforce: checks of the gate do, once for all rows.
    """
    there = connection.execute(
        "select c.relname, a.attname from pg_class as c join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0"
        " where c.relnamespace = 'bi'::regnamespace and c.relkind = 'r' and not a.attisdropped and not a.attnotnull"
    ).fetchall()
    nullable: dict[str, list[str]] = {}
    for name, column in there:
        if name in shape and column in shape[name].required:
            nullable.setdefault(name, []).append(column)
    for name, never_null in sorted(nullable.items()):
        steps = sql.SQL(", ").join(sql.SQL("alter column {} set not null").format(sql.Identifier(column)) for column in never_null)
        connection.execute(sql.SQL("alter table {} {}").format(sql.Identifier("bi", name), steps))
    wanted = _wanted_between(connection, shape)
    for table, name, _ in _relations_between(connection):
        if wanted.pop((table, name), None) is None:
            connection.execute(sql.SQL("alter table {} drop constraint {}").format(sql.Identifier("bi", table), sql.Identifier(name)))
    for (table, name), (columns, to, keys) in sorted(wanted.items()):
        if set(shape[to].key) != set(keys):
            _make_unique(connection, to, keys)
        connection.execute(
            sql.SQL("alter table {} add constraint {} foreign key ({}) references {} ({}) not enforced").format(
                sql.Identifier("bi", table), sql.Identifier(name), listed(columns), sql.Identifier("bi", to), listed(keys)
            )
        )


def _make_unique(connection: Connection, table: str, columns: tuple[str, ...]) -> None:
    """What is referred to has an index that says that it is one row."""
    name = "_".join((*columns, "of", table))[:63]
    if not connection.execute("select 1 from pg_constraint where connamespace = 'bi'::regnamespace and conname = %s", [name]).fetchone():
        unique = sql.SQL("alter table {} add constraint {} unique ({})")
        connection.execute(unique.format(sql.Identifier("bi", table), sql.Identifier(name), listed(columns)))


def _wanted_between(connection: Connection, shape: Shape) -> dict[tuple[str, str], tuple[tuple[str, ...], str, tuple[str, ...]]]:
    """The relations between tables that `bi.relationships` names, by table and name; none where the server cannot leave them unenforced."""
    if "relationships" not in shape or connection.info.server_version < NOT_ENFORCED:
        return {}
    rows = connection.execute("select from_relation, from_columns, to_relation, to_columns from bi.relationships").fetchall()
    found = {}
    for table, columns, to, keys in rows:
        if table in shape and to in shape:
            of, at = tuple(columns.split(", ")), tuple(keys.split(", "))
            found[(table, "_".join((*of, "in", to))[:63])] = (of, to, at)
    return found


def _relations_between(connection: Connection) -> list[tuple[str, str, str]]:
    """The declared relations between tables of `bi`: the table, the name, and the table that is referred to."""
    rows = connection.execute(
        "select c.conrelid::regclass::text, c.conname, c.confrelid::regclass::text from pg_constraint as c"
        " where c.contype = 'f' and c.connamespace = 'bi'::regnamespace order by 1, 2"
    ).fetchall()
    return [(str(table).removeprefix("bi."), str(name), str(to).removeprefix("bi.")) for table, name, to in rows]


def _lock(connection: Connection, relations: list[sql.Identifier], first: Sequence[sql.Composed] = ()) -> None:
    """Locks relations of readers, all at once, as soon as those who look at them have let go; `first` is done before, likewise.

    Readers hold their locks only while they query or are in a transaction; sessions that are beyond their bounds are ended.
    Raises `PublicationError` with who holds them after `PATIENCE` seconds.
    """
    if not relations and not first:
        return
    deadline, said = time.monotonic() + PATIENCE, ""
    while True:
        try:
            with connection.transaction():
                # shorter than deadlock_timeout (1 s): it is always we who give way, never a reader who is cut off
                connection.execute("set local lock_timeout = '500ms'")
                for statement in first:
                    _without_dependents(connection, statement)
                if relations:
                    connection.execute(sql.SQL("lock table {} in access exclusive mode").format(sql.SQL(", ").join(relations)))
                connection.execute("set local lock_timeout = 0")
                return
        except psycopg.errors.LockNotAvailable:
            holders = who_holds(connection, "bi")
        for ended in end_readers_beyond(connection):
            tell(ended)
        if time.monotonic() > deadline:
            raise PublicationError(f"relations of bi have been held for {PATIENCE:.0f} s by {holders}: end these sessions, then run again")
        if holders != said:
            tell(f"waiting for who reads: {holders}")
            said = holders
        time.sleep(0.5)  # let them finish
