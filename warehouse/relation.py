"""What readers see of one relation: its columns, keys and remarks, the tables that hold its rows, and its views."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from psycopg import sql

from warehouse.connection import Connection

# A fact is a view on core, whose grain its views cannot declare
FACT_KEY = ("series_key", "period_key")
# The plain indexes of tables beside their keys, and whether the table can be that of a fact
INDEXES = (
    "select i.indexrelid::regclass::text as name, i.indrelid as table_oid,"
    " (select jsonb_agg(k.attname order by array_position(i.indkey::int2[], k.attnum)) from pg_attribute as k"
    "  where k.attrelid = i.indrelid and k.attnum = any(i.indkey::int2[])) as columns,"
    " exists (select from pg_attribute as k where k.attrelid = i.indrelid and k.attname = 'series_key') as has_series"
    " from pg_index as i where not i.indisunique and i.indpred is null and i.indexprs is null and i.indrelid >= 16384"  # no catalogue's
)


class PublicationError(RuntimeError):
    """Readers cannot be shown what was asked for; they still see what they saw."""


@dataclass(frozen=True)
class Relation:
    """A relation that readers see, without its suffix. `columns` are (name, type), `key` the columns of the primary key in `bi`.

    `indexes` are the columns of the others: those of its model's `config(indexes=…)`, and for a fact of the model that it is a view on.
    `required` are columns that are never NULL; `view` is the query of what is no table but a view of the others.
    """

    name: str
    columns: tuple[tuple[str, str], ...]
    key: tuple[str, ...]
    remark: str
    remarks: tuple[tuple[str, str], ...] = ()
    indexes: tuple[tuple[str, ...], ...] = ()
    required: tuple[str, ...] = ()
    view: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """Its columns."""
        return tuple(name for name, _ in self.columns)

    @property
    def has_kinds(self) -> bool:
        """Whether rows are leaves, subtotals or totals."""
        return "row_kind" in self.names and not self.view

    @property
    def has_agencies(self) -> bool:
        """Whether several agencies say something of one thing, of which one is preferred."""
        return "is_preferred" in self.names and self.has_kinds

    @property
    def has_vintages(self) -> bool:
        """Whether rows of earlier vintages are among them. Dimensions are whole: what joins them may be of any vintage."""
        return "is_current" in self.names and not self.is_dimension and not self.view

    @property
    def has_latest(self) -> bool:
        """Whether rows say that they are of the last date that is complete."""
        return "is_latest" in self.names

    @property
    def is_dimension(self) -> bool:
        """Whether it is a dimension, or a bridge between members of dimensions."""
        return self.name.startswith(("dim_", "bridge_"))

    @property
    def is_fact(self) -> bool:
        """Whether it is a fact, each row of one release."""
        return self.key == FACT_KEY and "release_key" in self.names

    @property
    def is_split(self) -> bool:
        """Whether `bi` leaves rows out."""
        return self.has_kinds or self.has_vintages

    @property
    def plain_remark(self) -> str:
        """What is said of the relation without a suffix."""
        plain = f"{self.remark} " + "Leaves only, and a column says over what it adds up; " * self.has_kinds
        plain += "of one agency a year (is_preferred); " * self.has_agencies
        plain += f"{self.name}_all holds all rows." * self.has_kinds
        return plain.strip()

    @property
    def widest(self) -> str:
        """The name under which `bi` has all of its rows."""
        return [self.name, *(name for name, _, _ in self.views())][-1] if self.is_split else self.name

    def views(self) -> Iterator[tuple[str, str | None, str]]:
        """Of each view of the relation its name, the condition on the rows left out (None: it has none of them), and the remark.

        The last one has more rows than the others.
        """
        if self.has_latest:
            yield f"{self.name}_latest", None, f"{self.remark} Rows of the last date that is complete (is_latest)."
        if self.has_kinds:
            condition = "where is_current" if self.has_vintages else ""
            agencies = ", of all agencies (is_preferred)" * self.has_agencies
            yield f"{self.name}_all", condition, f"{self.remark} All rows: leaves, subtotals and totals (row_kind){agencies}."
        if self.has_vintages:
            yield f"{self.name}_vintage", "", f"{self.remark} Every row of every vintage (is_current)."

    def stands_like(self, other: Relation | None) -> bool:
        """Whether rows of the one can stand in the other: they differ in remarks alone, or this one requires more."""
        return (
            other is not None
            and (self.columns, self.key, self.view) == (other.columns, other.key, other.view)
            and {*other.required} <= {*self.required}
        )


Shape = dict[str, Relation]


@dataclass(frozen=True)
class Part:
    """One of the two tables of a relation: what `bi` has, or what it leaves out."""

    relation: Relation
    is_default: bool

    @property
    def table(self) -> sql.Identifier:
        """Where it lies."""
        return sql.Identifier("bi" if self.is_default else "bi_rest", self.relation.name)

    @property
    def key(self) -> tuple[str, ...]:
        """The columns that tell its rows apart; earlier vintages of one figure differ by their release."""
        more = ("release_key",) if not self.is_default and self.relation.is_fact else ()
        return (*self.relation.key, *more)

    def of(self, source: sql.Composable) -> sql.Composed:
        """The rows of the source that belong here."""
        conditions = ["is_current"] if self.relation.has_vintages else []
        conditions += ["row_kind = 'leaf'"] if self.relation.has_kinds else []
        conditions += ["is_preferred"] if self.relation.has_agencies else []
        here = sql.SQL("({})").format(sql.SQL(" and ").join(map(sql.SQL, conditions or ["true"])))
        return sql.SQL("select {} from {} where {}").format(
            listed(self.relation.names), source, here if self.is_default else sql.SQL("not ") + here
        )


def shape_of(written: list[dict[str, Any]]) -> Shape:
    """The relations as `meta.shown` keeps them; what an earlier version did not write is empty."""
    return {
        entry["name"]: Relation(
            entry["name"],
            tuple((str(name), str(kind)) for name, kind in entry["columns"]),
            tuple(entry["key"]),
            entry["remark"],
            tuple((str(name), str(remark)) for name, remark in entry["remarks"]),
            tuple(tuple(columns) for columns in entry.get("indexes", ())),
            tuple(map(str, entry.get("required", ()))),
            str(entry.get("view", "")),
        )
        for entry in written
    }


def built_shape(connection: Connection, schema: str, but: Collection[str] = ()) -> Shape:
    """The relations that a schema has built, without those that it borrows, with the key that each declares.

    What a fact requires its table in core says, of which it is a view.
    """
    rows = connection.execute(
        f"with of as materialized ({INDEXES}), read_by as materialized (select distinct rule.ev_class, of.table_oid from of"
        "  join pg_depend as d on d.refobjid = of.table_oid and d.classid = 'pg_rewrite'::regclass"
        "  join pg_rewrite as rule on rule.oid = d.objid where of.has_series)"
        " select c.relname, c.relkind, coalesce(obj_description(c.oid, 'pg_class'), ''),"
        " array_agg(array[a.attname::text, format_type(a.atttypid, a.atttypmod), coalesce(col_description(c.oid, a.attnum), '')]"
        "  order by a.attnum),"
        " (select array_agg(k.attname order by array_position(i.indkey::int2[], k.attnum)) from pg_index as i"
        "  join pg_attribute as k on k.attrelid = c.oid and k.attnum = any(i.indkey::int2[]) where i.indrelid = c.oid and i.indisprimary),"
        " (select jsonb_agg(distinct of.columns) from of where of.table_oid = c.oid"
        "  or of.table_oid in (select table_oid from read_by where ev_class = c.oid)),"
        " array(select distinct r.attname::text from pg_attribute as r where r.attnotnull and r.attnum > 0 and (r.attrelid = c.oid"
        "  or exists (select from pg_rewrite as rule join pg_depend as d on d.classid = 'pg_rewrite'::regclass and d.objid = rule.oid"
        "  and d.refclassid = 'pg_class'::regclass join pg_class as core on core.oid = d.refobjid"
        "  where rule.ev_class = c.oid and d.refobjid = r.attrelid and core.relname = replace(c.relname, 'fct_', 'int_')"
        "  and c.relname like 'fct\\_%%')) order by 1)"
        " from pg_class as c join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped"
        " where c.relnamespace = to_regnamespace(%s) and c.relkind in ('r', 'v') and not c.relname = any(%s)"
        " group by c.oid, c.relname, c.relkind order by 1",
        [schema, sorted(but)],
    ).fetchall()
    found: Shape = {}
    for name, kind, remark, columns, declared, indexes, never_null in rows:
        names = [column for column, *_ in columns]
        key = tuple(declared or (FACT_KEY if kind == "v" and set(FACT_KEY) <= set(names) else ()))
        if not key:
            raise PublicationError(f"{schema}.{name} declares no primary key: write one into its contract, readers and rollbacks need it")
        found[name] = Relation(
            name,
            tuple((column, type_) for column, type_, _ in columns),
            key,
            remark,
            tuple((column, said) for column, _, said in columns),
            # a fact's model has columns that its view leaves out
            tuple(sorted(tuple(of_one) for of_one in indexes or [] if set(of_one) <= set(names))),
            tuple(column for column in names if column in never_null),
        )
    return found


def parts(relation: Relation) -> list[Part]:
    """The tables that hold its rows: none for a view, two where `bi` leaves rows out."""
    if relation.view:
        return []
    return [Part(relation, is_default=True)] + ([Part(relation, is_default=False)] if relation.is_split else [])


def listed(names: tuple[str, ...], of: str = "") -> sql.Composed:
    """The columns with commas between them, each as one of `of`."""
    return sql.SQL(", ").join(sql.Identifier(*([of] if of else []), name) for name in names)
