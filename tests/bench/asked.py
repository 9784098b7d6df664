"""Questions of a dashboard, asked as `bi_reader` and of DuckDB on Parquet copies of the same relations, in turns.

They are asked of the sample, and of a copy of it whose facts and largest mart have a million rows: their corridors shifted from country to
country, so that a corridor is as rare as it would be. `python -m tests.bench.asked` asks the warehouse of `KOSHI_STATE`.
"""

from __future__ import annotations

import json
import os
import re
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import psycopg
from psycopg import sql

from warehouse.connection import Connection, connect, drop_database, reader_url
from warehouse.profile import Profile, load

ROUNDS, ROWS = int(os.environ.get("KOSHI_BENCH_ROUNDS", "7")), 1_000_000

AREAS = "inner join bi.dim_area as {0} on {0}.area_key = f.{1}"
PERIODS = "inner join bi.dim_period as p on p.period_key = f.period_key"
STOCKS = f"bi.fct_migrant_stock as f {AREAS.format('o', 'origin_area_key')} {AREAS.format('r', 'residence_area_key')} {PERIODS}"
FLOWS = f"bi.fct_migration_flow as f {AREAS.format('a', 'area_key')} {AREAS.format('c', 'counterpart_area_key')} {PERIODS}"
MOVES = f"bi.fct_internal_move as f {AREAS.format('o', 'origin_area_key')} {AREAS.format('d', 'destination_area_key')} {PERIODS}"
STUDENTS = f"bi.fct_student_mobility as f {AREAS.format('o', 'origin_area_key')} {AREAS.format('h', 'host_area_key')} {PERIODS}"
QUESTIONS = {
    "net migration line": "select year, arrivals_persons, departures_persons, balance_persons from bi.migration_balance order by year",
    "students by host": "select host_name_en, students from bi.students_by_host where area_code = 'KAZ' and year = 2019"
    " order by students desc nulls last, 1",
    "rank of students": "select area_name_en, rank() over (order by outbound_students desc nulls last) from bi.student_totals"
    " where year = 2019 order by 2, 1",
    "by country 2022": "select counterpart_name_en, arrivals_persons, departures_persons from bi.migration_by_country where year = 2022"
    " order by balance_persons nulls last, 1",
    "regions 2023": "select area_name_en, net_migration_persons, external_balance_persons from bi.region_balance where year = 2023"
    " order by 2 desc nulls last, 1",
    "flows, star": f"select p.year, c.area_name_en, sum(f.value) from {FLOWS} where a.area_code = 'KAZ' group by 1, 2 order by 1, 2",
    "born by country": "select residence_name_en, sum(persons) from bi.migrant_stock where origin_code = 'KAZ' and year = 2024"
    " group by 1 order by 2 desc nulls last, 1",
    "stock, star": f"select p.year, r.area_name_en, sum(f.value) from {STOCKS} where o.area_code = 'KAZ' group by 1, 2 order by 1, 2",
    "stock, whole star": "select p.year, r.area_kind, sum(f.value) from bi.fct_migrant_stock as f"
    f" {AREAS.format('r', 'residence_area_key')} {PERIODS} group by 1, 2 order by 1, 2",
    "origins by year": "select origin_name_en, year, sum(persons) from bi.migrant_stock group by 1, 2 order by 1, 2",
    "filter box, countries": "select distinct residence_name_en from bi.migrant_stock order by 1",
    "filter box, origins": "select distinct origin_name_en from bi.migrant_stock order by 1",
    "filter box, years": "select distinct year from bi.migrant_stock order by 1",
    "filter box, partners": "select distinct host_name_en from bi.students_by_host order by 1",
    "year scan": "select sum(persons), count(*) from bi.migrant_stock where year = 2020",
    "year scan, largest": "select origin_code, residence_code, sex_code, persons from bi.migrant_stock where year = 2020"
    " order by 4 desc nulls last limit 50",
    "corridor, mart": "select year, sex_code, persons from bi.migrant_stock"
    " where origin_code = 'KAZ' and residence_code = 'DEU' order by 1, 2",
    "corridor, stock": f"select p.year, f.value from {STOCKS} where o.area_code = 'KAZ' and r.area_code = 'DEU' order by 1, 2",
    "origin, stock": f"select p.year, sum(f.value) from {STOCKS} where o.area_code = 'KAZ' and p.year = 2020 group by 1",
    "residence, stock": f"select p.year, sum(f.value) from {STOCKS} where r.area_code = 'KAZ' group by 1 order by 1",
    "corridor, students": f"select p.year, f.value from {STUDENTS} where o.area_code = 'KAZ' and h.area_code = 'RUS' order by 1, 2",
    "corridor, moves": f"select p.year, f.value from {MOVES}"
    " where o.area_name_en = 'Almaty region' and d.area_name_en = 'Almaty city' order by 1, 2",
}
# By relation the column that tells its synthetic rows apart, the columns of both ends of its corridors, and how these name an area
GROWN = {
    "fct_migrant_stock": ("series_key", ("origin_area_key", "residence_area_key"), "area_key"),
    "fct_student_mobility": ("series_key", ("origin_area_key", "host_area_key"), "area_key"),
    "fct_internal_move": ("series_key", ("origin_area_key", "destination_area_key"), "area_key"),
    "migrant_stock": ("", ("origin_code", "residence_code"), "area_code"),
}
TYPES = {"timestamp with time zone": "timestamptz"}


def asked(profile: Profile) -> None:
    """Prints a line a question and size: milliseconds of both, their ratio with its range, and what PostgreSQL scans whole."""
    _ask_all(profile, "sample")
    with _grown(profile) as large:
        _ask_all(large, "1 M")


def _ask_all(profile: Profile, size: str) -> None:
    with connect(profile, autocommit=True) as connection:
        connection.execute("vacuum analyze")  # as the server does by itself within minutes of a publication
    with (
        tempfile.TemporaryDirectory() as folder,
        duckdb.connect(config={"threads": 2}) as duck,
        psycopg.connect(reader_url(profile), autocommit=True) as reader,
    ):
        _copy(profile, duck, Path(folder))
        for name, question in QUESTIONS.items():
            ours, theirs = reader.execute(question).fetchall(), duck.execute(question).fetchall()
            if len(ours) != len(theirs):
                raise RuntimeError(f"{name}: {len(ours)} rows of PostgreSQL, {len(theirs)} of DuckDB")
            rounds = [(_timed(reader, question), _timed(duck, question)) for _ in range(ROUNDS)]
            mine, other = (statistics.median(column) for column in zip(*rounds, strict=True))
            ratios = sorted(a / b for a, b in rounds)
            slow = "  SLOW" if mine > 0.3 or statistics.median(ratios) > 1 else ""
            print(
                f"asked         {size:6} {name:22} {mine * 1000:7.1f} ms, DuckDB {other * 1000:6.1f} ms; {statistics.median(ratios):.2f}"
                f" ({ratios[0]:.2f}-{ratios[-1]:.2f}){_scans(reader, question)}{slow}"
            )


def _timed(session: Any, question: str) -> float:
    begun = time.perf_counter()
    session.execute(question).fetchall()
    return time.perf_counter() - begun


def _scans(reader: psycopg.Connection[Any], question: str) -> str:
    """The tables of more than 1,000 rows that a question reads whole, with the rows that it throws away."""
    ((plan,),) = reader.execute(f"explain (analyze, format json) {question}").fetchall()
    found = []

    def look(node: dict[str, object]) -> None:
        loops = int(str(node["Actual Loops"]))
        removed = int(float(str(node.get("Rows Removed by Filter", 0)))) * loops
        if node["Node Type"] == "Seq Scan" and removed + int(float(str(node["Actual Rows"]))) * loops > 1000:
            found.append(f"{node['Relation Name']} whole" + (f", {removed:,} thrown away" if removed else ""))
        for child in node.get("Plans", []):  # type: ignore[attr-defined]
            look(child)

    look((json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"])
    return f"; {'; '.join(found)}" if found else ""


def _copy(profile: Profile, duck: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Parquet copies of the relations that are asked for, under their own names."""
    duck.execute("create schema bi")
    names = sorted(set(re.findall(r"bi\.(\w+)", " ".join(QUESTIONS.values()))))
    with connect(profile) as connection:
        for name in names:
            columns = connection.execute(
                "select attname, format_type(atttypid, atttypmod) from pg_attribute where attrelid = %s::regclass and attnum > 0"
                " and not attisdropped order by attnum",
                [f"bi.{name}"],
            ).fetchall()
            file = folder / f"{name}.csv"
            statement = sql.SQL("copy (select * from bi.{}) to stdout with (format csv)").format(sql.Identifier(name))
            with file.open("wb") as target, connection.cursor().copy(statement) as copy:
                for block in copy:
                    target.write(block)
            types = ", ".join(f"'{column}': '{TYPES.get(kind, kind)}'" for column, kind in columns)
            parquet = file.with_suffix(".parquet")
            duck.execute(f"copy (from read_csv('{file}', columns = {{{types}}}, header = false)) to '{parquet}' (format parquet)")
            file.unlink()
            duck.execute(f"create view bi.{name} as from read_parquet('{parquet}')")


@contextmanager
def _grown(profile: Profile) -> Iterator[Profile]:
    """A copy of a profile's database in which the relations that grow have a million rows."""
    large = replace(profile, database="koshi_bench")
    drop_database(large)
    with connect(replace(profile, database="postgres"), autocommit=True) as connection:
        connection.execute(
            sql.SQL("create database {} template {}").format(sql.Identifier(large.database), sql.Identifier(profile.database))
        )
    try:
        with connect(large, autocommit=True) as connection:
            for name, (told_apart, shifted, key) in GROWN.items():
                _grow(connection, name, told_apart, shifted, key)
        yield large
    finally:
        drop_database(large)


def _grow(connection: Connection, name: str, told_apart: str, ends: tuple[str, str], key: str) -> None:
    """Adds the rows of a relation again and again, both ends of their corridors another area of the same kind each time."""
    table = sql.Identifier("bi", name)
    found = connection.execute("select attname from pg_attribute where attrelid = %s::regclass and attnum > 0", [f"bi.{name}"]).fetchall()
    columns = [str(column) for (column,) in found]
    ((rows,),) = connection.execute(sql.SQL("select count(*) from {}").format(table)).fetchall()
    chosen = {column: sql.SQL("x.{}").format(sql.Identifier(column)) for column in columns}
    if told_apart:
        chosen[told_apart] = sql.SQL("x.{} + n").format(sql.Identifier(told_apart))
    for number, end in enumerate(ends):
        chosen[end] = sql.SQL("other{}.{}").format(sql.SQL(str(number)), sql.Identifier(key))
        for language in ("kk", "ru", "en"):
            if (label := f"{end.removesuffix('_code')}_name_{language}") in chosen:
                chosen[label] = sql.SQL("other{}.{}").format(sql.SQL(str(number)), sql.Identifier(f"area_name_{language}"))
    joins = [
        sql.SQL(
            " inner join areas as own{n} on own{n}.{key} = x.{end}"
            " inner join areas as other{n}"
            "  on other{n}.area_kind = own{n}.area_kind and other{n}.place = (own{n}.place + n) % own{n}.places"
        ).format(n=sql.SQL(str(number)), key=sql.Identifier(key), end=sql.Identifier(end))
        for number, end in enumerate(ends)
    ]
    connection.execute(
        sql.SQL(
            "insert into {} ({}) with areas as materialized (select *, count(*) over (partition by area_kind) as places,"
            " row_number() over (partition by area_kind order by area_key) - 1 as place from bi.dim_area)"
            " select {} from generate_series(1, {}) as n cross join {} as x {} on conflict do nothing"
        ).format(
            table, sql.SQL(", ").join(map(sql.Identifier, columns)), sql.SQL(", ").join(chosen.values()),
            sql.Literal(ROWS // int(str(rows))), table, sql.SQL("").join(joins),
        )
    )  # fmt: skip


if __name__ == "__main__":
    asked(load("sample"))
