"""One publication as readers see it, taken into files: every relation is copied in one transaction, which lasts seconds.

A publication waits for whoever reads `bi`, so nothing is converted here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from psycopg import sql
from psycopg.rows import dict_row

from extractors.source import CLASSES, Redistribution
from reporting.export import sdmx
from reporting.export.copying import dump
from reporting.export.errors import ExportError
from reporting.export.meaning import LANGUAGES, Citation, citations, of_columns
from reporting.export.sdmx import Copied
from reporting.export.terms import HANDED_OUT, Grounds, Made, Period, Release, declared
from warehouse.connection import Connection, connect
from warehouse.keys import hex_key
from warehouse.profile import Profile

# Relations of `bi` that say what others mean, and views of a mart: of all kinds of rows, of all vintages, of the latest period
CATALOGUE = ("catalogue", "citation", "columns", "provenance", "relationships")
VARIANTS = ("_all", "_latest", "_vintage")
NO_MART = ("dim_", "bridge_", "fct_")
FIGURES = ("smallint", "integer", "bigint", "numeric", "double precision", "real")
RELATIONS = """
select c.relname, c.relkind = 'v', coalesce(obj_description(c.oid, 'pg_class'), ''),
    coalesce((select array_agg(a.attname::text order by k.place) from pg_index as i, unnest(i.indkey) with ordinality as k (number, place)
        join pg_attribute as a on a.attnum = k.number where i.indrelid = c.oid and i.indisprimary and a.attrelid = c.oid), '{}')
from pg_class as c where c.relnamespace = 'bi'::regnamespace and c.relkind in ('r', 'v') order by 1
"""
COLUMNS = """
select c.relname, a.attname, format_type(a.atttypid, a.atttypmod), coalesce(col_description(c.oid, a.attnum), '')
from pg_class as c join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
where c.relnamespace = 'bi'::regnamespace and c.relkind in ('r', 'v') order by c.relname, a.attnum
"""
RELEASES = "select release_key, source_code || '.' || dataset as dataset, source_code, edition, licence, attribution from bi.dim_release"
# what another agency made than the one that delivered it
MADE = """
select b.release_key, p.period_start_date, p.period_end_date, b.source_code, b.licence, b.attribution
from bi.bridge_release_origin as b join bi.dim_period as p using (period_key) order by 1, 2, 3
"""


@dataclass(frozen=True)
class Column:
    """A column as it is written. A key that the database keeps as a number is 16 hexadecimal digits in files: workbooks spoil 19."""

    name: str
    kind: str
    description: str
    unit: str = ""
    labels: tuple[str, str, str] = ("", "", "")

    @property
    def is_key(self) -> bool:
        """Whether it is a key that the database keeps as a number."""
        return self.kind == "bigint" and self.name.endswith("_key")

    @property
    def written(self) -> str:
        """Its type in files."""
        return "text" if self.is_key else self.kind

    @property
    def is_figure(self) -> bool:
        """Whether it is a number that is counted or measured, rather than one to sort by."""
        return self.written.startswith(FIGURES) and self.name not in ("year", "sort_order") and not self.name.endswith("_sort_order")

    @property
    def value(self) -> sql.Composable:
        """How it is asked for."""
        name = sql.Identifier(self.name)
        if self.is_key:
            return sql.SQL("lpad(to_hex({}), 16, '0')").format(name)
        if self.kind == "timestamp with time zone":
            return sql.SQL("to_char({} at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')").format(name)
        return sql.SQL("{}::text").format(name) if self.kind == "boolean" else name


@dataclass(frozen=True)
class Relation:
    """A relation that readers see. `mart` is the folder it belongs in."""

    name: str
    mart: str
    remark: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]

    @property
    def is_default(self) -> bool:
        """Whether it is what the mart shows first, rather than a view of it."""
        return self.name == self.mart

    @property
    def period(self) -> tuple[sql.Composable, sql.Composable]:
        """First and last day of what a row is of, as they are asked for; of a relation that does not say so, nothing."""
        names = [column.name for column in self.columns]
        if {"period_start_date", "period_end_date"} <= {*names}:
            return sql.Identifier("period_start_date"), sql.Identifier("period_end_date")
        if "year" in names:
            return sql.SQL("make_date(year, 1, 1)"), sql.SQL("make_date(year, 12, 31)")
        return sql.SQL("null::date"), sql.SQL("null::date")

    @property
    def release_columns(self) -> list[Column]:
        """The columns that say which releases a row rests on."""
        return [column for column in self.columns if column.name.endswith("release_key")]

    @property
    def table(self) -> sql.Identifier:
        """Where it lies."""
        return sql.Identifier("bi", self.name)


@dataclass(frozen=True)
class Table:
    """The rows of a relation that may be handed on in one class, as a CSV file."""

    relation: Relation
    may: Redistribution
    rows: int
    datasets: tuple[str, ...]
    file: Path


@dataclass
class Read:
    """What was read. Of rows that no file holds by relation and class: `left_out` counts them, `left_years` are their periods.

    `rest_on` names the datasets that they rest on, by relation.
    """

    number: int
    key: str
    published_at: datetime
    tables: list[Table] = field(default_factory=list)
    relations: dict[str, Relation] = field(default_factory=dict)
    releases: dict[str, Release] = field(default_factory=dict)
    left_out: Counter[tuple[str, Redistribution]] = field(default_factory=Counter)
    left_years: dict[tuple[str, Redistribution], set[Period]] = field(default_factory=dict)
    rest_on: dict[str, set[str]] = field(default_factory=dict)
    citations: dict[str, Citation] = field(default_factory=dict)
    sdmx: Copied = field(default_factory=lambda: Copied({}, {}, {}))

    @property
    def name(self) -> str:
        """The name of its folder."""
        return f"{self.number}-{self.key}"

    def leave_out(self, relation: str, may: Redistribution, rows: int, periods: set[Period], datasets: set[str]) -> None:
        """Notes rows that no file holds."""
        self.left_out[relation, may] += rows
        self.left_years.setdefault((relation, may), set()).update(periods)
        self.rest_on.setdefault(relation, set()).update(datasets)

    def cited(self, name: str, may: Redistribution) -> Citation:
        """How a dataset is cited in files of a class: by what of it such files can hold."""
        releases = [release for release in self.releases.values() if release.dataset == name]
        held = [release.own for release in releases if release.own.may == may]
        if not held or (len(held) == len(releases) and not any(release.others for release in releases)):
            return self.citations[name]
        attributions, licences = (sorted({*each} - {""}) for each in zip(*((made.attribution, made.licence) for made in held), strict=True))
        named = dict.fromkeys(LANGUAGES, "; ".join(attributions))
        return replace(self.citations[name], citations=named, licence="; ".join(licences))


def begin(connection: Connection) -> Read:
    """Fixes what this transaction sees, and says which publication that is. Raises `ExportError` before the first."""
    connection.execute("set transaction isolation level repeatable read read only")
    connection.execute("set local timezone to 'UTC'")
    connection.execute("set local statement_timeout to '60s'")
    found = connection.execute("select number, publication_key, published_at from meta.publication where is_current").fetchone()
    if found is None:
        raise ExportError("nothing is published yet: `make run` publishes what passes the gates")
    read = Read(int(found[0]), hex_key(found[1]), found[2])
    read.relations = {relation.name: relation for relation in _relations(connection)}
    read.releases, read.citations = _releases(connection), citations(connection)
    return read


def marts(profile: Profile, folder: Path) -> Read:
    """Copies the rows of every mart into `folder`, a file for each relation and class that may be handed out."""
    with connect(profile) as connection:
        read = begin(connection)
        for relation in read.relations.values():
            if relation.mart:
                _copy(connection, read, relation, folder)
        sdmx.copy(connection, read, folder)
    return read


def _relations(connection: Connection) -> Iterator[Relation]:
    said, columns = of_columns(connection), dict[str, list[Column]]()
    for relation, name, kind, description in connection.execute(COLUMNS).fetchall():
        columns.setdefault(relation, []).append(Column(name, kind, description, *said.get((relation, name), ())))
    rows = connection.execute(RELATIONS).fetchall()
    keys = {name: tuple(key) for name, is_view, _, key in rows if not is_view}
    for name, _, remark, _ in rows:
        mart = next((name.removesuffix(end) for end in VARIANTS if name.endswith(end) and name.removesuffix(end) in keys), name)
        is_mart = not mart.startswith(NO_MART) and mart not in CATALOGUE
        yield Relation(name, mart if is_mart else "", remark, keys.get(mart, ()), tuple(columns[name]))


def _releases(connection: Connection) -> dict[str, Release]:
    """The releases that readers see, by key."""
    known, found = declared(), dict[str, Release]()
    rows = connection.cursor(row_factory=dict_row)
    others: dict[int, list[tuple[Period, str, str, str]]] = {}
    for row in rows.execute(MADE):
        period = (row["period_start_date"], row["period_end_date"])
        others.setdefault(row["release_key"], []).append((period, row["source_code"], row["attribution"] or "", row["licence"] or ""))
    for row in rows.execute(RELEASES):
        key, dataset = hex_key(row["release_key"]), known.get(row["dataset"])
        may = dataset.may(row["edition"]) if dataset else "unknown"
        own = Made(row["source_code"], row["attribution"] or "", row["licence"] or "", may)
        theirs = (dataset.redistribution_of_others if dataset else None) or "unknown"
        made = {period: Made(maker, said, licence, theirs) for period, maker, said, licence in others.get(row["release_key"], [])}
        found[key] = Release(key, row["dataset"], own, made)
    return found


def _copy(connection: Connection, read: Read, relation: Relation, folder: Path) -> None:
    """Copies a relation, each row into the file of its class."""
    names = [column.name for column in relation.release_columns]
    grounds = Grounds(read.releases, _named_by_column(connection, read, relation))
    said, digest = _grounds(relation)
    kinds = connection.execute(
        sql.SQL("select {}, {}, count(*) from {} group by 1, 2, 3, 4, 5, 6 order by 6").format(said, digest, relation.table)
    ).fetchall()
    digests, rest_on = dict[Redistribution, list[str]](), dict[Redistribution, set[str]]()
    rows, periods = Counter[Redistribution](), dict[Redistribution, set[Period]]()
    for keys, sources, has_figures, first, last, kind, count in kinds:
        period = (first, last) if first and last else None
        may, datasets = grounds.of(dict(zip(names, keys, strict=True)), sources, has_figures=has_figures, period=period)
        periods.setdefault(may, set()).update([period] if period else [])
        digests.setdefault(may, []).append(kind)
        rest_on.setdefault(may, set()).update(datasets)
        rows[may] += count
    for may in CLASSES:
        if may in HANDED_OUT and (rows[may] or (may == CLASSES[0] and not rows)):
            file = folder / f"{relation.name}.{may}.csv"
            dump(connection, _ordered(relation, sql.SQL("{} = any({})").format(digest, sql.Literal(digests.get(may, [])))), file)
            read.tables.append(Table(relation, may, rows[may], tuple(sorted(rest_on.get(may, ()))), file))
        elif rows[may]:
            read.leave_out(relation.name, may, rows[may], periods[may], rest_on[may])


def _grounds(relation: Relation) -> tuple[sql.Composable, sql.Composable]:
    """What is asked of each row: its release keys, its sources, whether it has figures, and its period; and a digest of all."""
    keys = sql.SQL("array[{}]::text[]").format(sql.SQL(", ").join(column.value for column in relation.release_columns))
    sources = sql.SQL("sources" if any(column.name == "sources" for column in relation.columns) else "null::text")
    figures = [sql.Identifier(column.name) for column in relation.columns if column.is_figure]
    has_figures = sql.SQL("num_nonnulls({}) > 0").format(sql.SQL(", ").join(figures)) if figures else sql.SQL("true")
    said = sql.SQL(", ").join([keys, sources, has_figures, *relation.period])
    return said, sql.SQL("md5(row_to_json(row({}))::text)").format(said)


def _named_by_column(connection: Connection, read: Read, relation: Relation) -> dict[str, frozenset[str]]:
    """The releases that each release column names in any row of the mart, of whatever kind or vintage."""
    found: dict[str, frozenset[str]] = {}
    views = [other for other in read.relations.values() if other.mart == relation.mart]
    for name in [column.name for column in relation.release_columns]:
        asked = sql.SQL(" union ").join(
            sql.SQL("select {} from {}").format(column.value, other.table)
            for other in views
            for column in other.release_columns
            if column.name == name
        )
        found[name] = frozenset(key for (key,) in connection.execute(asked).fetchall() if key in read.releases)
    return found


def _ordered(relation: Relation, where: sql.Composable) -> sql.Composed:
    """The rows in an order of their own: by the key, and where that is not theirs alone by all they say."""
    kinds = {column.name: column.kind for column in relation.columns}
    by = [sql.SQL("t.{}" + ' collate "C"' * (kinds[name] == "text")).format(sql.Identifier(name)) for name in relation.key if name in kinds]
    return sql.SQL("select {} from {} as t where {} order by {}").format(
        sql.SQL(", ").join(sql.SQL("{} as {}").format(column.value, sql.Identifier(column.name)) for column in relation.columns),
        relation.table,
        where,
        sql.SQL(", ").join([*by, sql.SQL('(t.*)::text collate "C"')]),
    )
