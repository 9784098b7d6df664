"""From a row that readers see to the cell of the archived answer that its figures were read from, as the BI role and the archive allow."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from extractors.address import Answer, shown
from extractors.archive import Archive, ArchiveError, archive_of
from extractors.rows import ContractError
from warehouse.catalogue import TOLD_APART
from warehouse.connection import reader_url
from warehouse.profile import Profile

# Rows of a relation that are traced at once, and figures that are shown of one row
ROWS, FIGURES = 5, 25
# Dates of a row on which no stock is
NO_STOCK = ("period_start_date", "period_end_date", "edition_date")
Reader = psycopg.Connection[dict[str, Any]]


class TraceError(RuntimeError):
    """What was asked for is no row that readers see."""


@dataclass(frozen=True)
class Figure:
    """A fact row behind a row: its line of `bi.provenance`, and what stands at its position; `problem` says why nothing does."""

    of: dict[str, Any]
    cells: list[Any]
    problem: str = ""


@dataclass(frozen=True)
class Traced:
    """A row, the measures in it, and the figures that it rests on."""

    row: dict[str, Any]
    measures: dict[str, Any]
    figures: list[Figure] = field(default_factory=list)


# Each fact row of the releases that the row names, in its period, with the stocks at its end and on dates that it names: those whose
# members it names most exactly
_BEHIND = """
with near as (
    select p.provenance_key, p.release_key, (
        select coalesce(sum(case
            when exists (
                select from unnest(%(stems)s::text[], %(codes)s::text[]) as named (stem, code)
                where starts_with(member, named.stem) and split_part(member, '=', 2) = named.code
            ) then 2
            -- under another name, unless the figure has it under that of the row: who moves within a country is not meant by the country
            when exists (
                select from unnest(%(stems)s::text[], %(codes)s::text[]) as named (stem, code)
                where split_part(member, '=', 2) = named.code
                    and position('; ' || named.stem || '=' || named.code || ';' in '; ' || p.about || ';') = 0
            ) then 1
            when split_part(member, '=', 2) in ('_T', 'W1') or split_part(member, '=', 1) in ('cube', 'indicator') then 0
            else -1
        end), 0)
        from regexp_split_to_table(p.about, '; ') as member
    ) as likeness
    from bi.provenance as p
    where p.release_key = any(%(releases)s)
        and (
            %(start)s::date is null
            or p.period_start_date between %(start)s::date and %(end)s::date
            or (p.period_start_date = p.period_end_date and p.period_start_date = %(end)s::date + 1)
            or p.period_start_date = any(%(dates)s::date[])
        )
)
select p.* from bi.provenance as p
where p.provenance_key = any(array(
    select provenance_key from (select *, rank() over (partition by release_key order by likeness desc) as at from near) as ranked
    where at = 1
))
order by p.dataset, p.period_start_date, p.about, p.provenance_key
"""


class Tracer:
    """Follows rows to the bytes; each answer is opened once."""

    def __init__(self, connection: Reader, archive: Archive) -> None:
        self._connection, self._archive = connection, archive
        self._answers: dict[str, Answer] = {}

    def rows(self, relation: str, keys: Sequence[str]) -> Iterator[Traced]:
        """The rows of a relation that the keys name, each traced: `column=value`, or the values of the primary key in their order.

        Raises `TraceError` for what is no relation, column or row, and for more than `ROWS` rows.
        """
        columns = self._connection.execute(
            'select "column", role, type from bi.columns where relation = %s order by position', [relation]
        ).fetchall()
        if not columns:
            raise TraceError(f"no relation bi.{relation}: `select relation, grain from bi.catalogue` lists them")
        named = self._conditions(relation, keys, [column["column"] for column in columns])
        conditions: list[sql.Composable] = [sql.SQL("{}::text = {}").format(sql.Identifier(name), value) for name, value in named.items()]
        query = sql.SQL("select * from {} where {} limit {}").format(
            sql.Identifier("bi", relation), sql.SQL(" and ").join(conditions or [sql.SQL("true")]), ROWS + 1
        )
        found = self._connection.execute(query).fetchall()
        if not found:
            raise TraceError(f"bi.{relation} has no row with {' '.join(keys)}")
        if len(found) > ROWS:
            raise TraceError(
                f"more than {ROWS} rows of bi.{relation} have {' '.join(keys) or 'no key'}: name more columns, as column=value"
            )
        for row in found:
            measures = {column["column"]: row[column["column"]] for column in columns if column["role"] == "measure"}
            yield Traced(row, measures, self.figures(relation, row))

    def figures(self, relation: str, row: dict[str, Any]) -> list[Figure]:
        """The fact rows behind a row, each with what stands at its position."""
        if "provenance_key" in row:
            return self._asked("select * from bi.provenance where provenance_key = %(key)s", {"key": row["provenance_key"]})
        if {"series_key", "period_key", "release_key"} <= row.keys():
            key = (row["series_key"] ^ row["period_key"] ^ row["release_key"]) & 0xFFFFFFFFFFFFFFFF
            return self._asked("select * from bi.provenance where provenance_key = %(key)s", {"key": f"{key:016x}"})
        releases = [_hex(value) for name, value in row.items() if name.endswith("release_key") and value is not None]
        # an ISO code is a member that the row names already, written otherwise
        codes = [name for name in row if (name.endswith("_code") and not name.endswith("_iso_code")) or name in TOLD_APART]
        members = {name.removesuffix("_code"): str(row[name]) for name in codes}
        start, end = row.get("period_start_date"), row.get("period_end_date")
        dates = [value for name, value in row.items() if name.endswith("_date") and name not in NO_STOCK]
        asked = {"releases": releases, "stems": list(members), "codes": list(members.values()), "start": start, "end": end, "dates": dates}
        return self._asked(_BEHIND, asked)

    def _conditions(self, relation: str, keys: Sequence[str], columns: Sequence[str]) -> dict[str, str]:
        primary = self._connection.execute(
            "select a.attname from pg_index as i join pg_attribute as a on a.attrelid = i.indrelid and a.attnum = any(i.indkey)"
            " where i.indrelid = to_regclass(%s) and i.indisprimary order by array_position(i.indkey::int2[], a.attnum)",
            [f"bi.{re.sub('_(all|vintage|latest)$', '', relation)}"],  # a view has the key of its table
        ).fetchall()
        names = [str(row["attname"]) for row in primary] or (["provenance_key"] if relation == "provenance" else [])
        found: dict[str, str] = {}
        for number, key in enumerate(keys):
            name, equals, value = key.partition("=")
            if not equals:
                name, value = names[number] if number < len(names) else key, key
            if name not in columns:
                raise TraceError(f"bi.{relation} has no column {name!r}; it has {', '.join(columns)}")
            found[name] = value
        return found

    def _asked(self, query: str, parameters: dict[str, Any]) -> list[Figure]:
        return [self._opened(of) for of in self._connection.execute(query, parameters).fetchall()]

    def _opened(self, of: dict[str, Any]) -> Figure:
        try:
            if of["manifest"] not in self._answers:
                snapshot = self._archive.read_manifest(of["manifest"])
                self._answers[of["manifest"]] = Answer(self._archive.body(snapshot))
            return Figure(of, self._answers[of["manifest"]].at(of["position"]))
        except (ArchiveError, ContractError) as error:
            return Figure(of, [], str(error))


def _hex(key: object) -> str:
    return f"{key & 0xFFFFFFFFFFFFFFFF:016x}" if isinstance(key, int) else str(key)


def trace(profile: Profile, relation: str, keys: Sequence[str]) -> Iterator[str]:
    """Lines for a person: each row with its numbers, and of each figure behind them release, answer, position and cell.

    Raises `TraceError` for what is no row.
    """
    with psycopg.connect(reader_url(profile), autocommit=True, row_factory=dict_row) as connection:
        for traced in Tracer(connection, archive_of(profile)).rows(relation, keys):
            yield from _lines(relation, traced)


def _lines(relation: str, traced: Traced) -> Iterator[str]:
    about = {name: value for name, value in traced.row.items() if name.endswith("_code") or name in ("year", "period_label")}
    yield f"bi.{relation}: " + ", ".join(f"{name} {value}" for name, value in about.items() if value is not None)
    for name, value in traced.measures.items():
        yield f"  {name} = {value if value is not None else 'NULL'}"
    if not traced.figures:
        yield "  the row names no release: it rests on several, or on none; bi.provenance has all figures"
    for figure in traced.figures[:FIGURES]:
        of = figure.of
        yield f"  figure {of['provenance_key']} of {of['relation']}: {of['figure']}, {of['period_label']}, {of['about']}"
        yield f"    release {of['release_key']}: {of['source_code']}.{of['dataset']}, edition {of['edition']}, {of['capture']}"
        yield f"    answer {of['snapshot_key']}: {of['method']} {of['url']} {of['request']}, {of['retrieved_at']}"
        yield f"    bytes sha256 {of['sha256']}, {of['manifest']}"
        yield f"    at {of['position']}" + (f", {of['derivation']}" if of["derivation"] else "")
        yield "      " + (figure.problem or "; ".join(map(shown, figure.cells)))
        yield f"    {of['licence']}; {of['attribution']}"
    if (more := len(traced.figures) - FIGURES) > 0:
        yield f"  and {more} more figures: select from bi.provenance by release_key and period"
