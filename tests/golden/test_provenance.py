"""A number of `bi`, followed as the BI role to the archived bytes: its cell holds it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row

from expectations.intake import Intake
from extractors.address import numbers_in
from extractors.archive import Archive
from reporting.trace import Figure, Reader, TraceError, Tracer, trace
from warehouse.connection import reader_url
from warehouse.profile import Profile

# A figure of a cell is as it stands there, or in thousands
SCALES = (1, 1000)


@pytest.fixture(scope="module")
def reader(bundled: tuple[Profile, dict[str, Intake]]) -> Iterator[Reader]:
    with psycopg.connect(reader_url(bundled[0]), autocommit=True, row_factory=dict_row) as connection:
        yield connection


@pytest.fixture(scope="module")
def tracer(reader: Reader, bundled: tuple[Profile, dict[str, Intake]]) -> Tracer:
    return Tracer(reader, Archive(bundled[0].archive))


def _holds(figure: Figure) -> bool:
    """Whether the cell holds the figure; of a derived one, whether something stands at each of its addresses, and a sum adds up."""
    assert not figure.problem, figure
    found = [{Decimal(number) for number in numbers_in(cell)} for cell in figure.cells]
    if len(found) > 1:
        return bool(sum(next(iter(numbers)) for numbers in found) == figure.of["figure"])
    if figure.of["derivation"]:
        return bool(found[0])
    return any(abs(number * scale - figure.of["figure"]) <= Decimal("0.0000005") for number in found[0] for scale in SCALES)


def test_a_hundred_random_numbers_of_every_dataset_lie_where_they_say(
    reader: Reader, tracer: Tracer, bundled: tuple[Profile, dict[str, Intake]]
) -> None:
    archive = Archive(bundled[0].archive)
    rows = reader.execute("select dataset, source_code, provenance_key from bi.provenance where figure is not null order by 3").fetchall()
    by_dataset: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        by_dataset.setdefault((row["source_code"], row["dataset"]), []).append(row["provenance_key"])
    shown = {(row["source_code"], row["dataset"]) for row in reader.execute("select distinct source_code, dataset from bi.dim_release")}
    assert set(by_dataset) == shown
    chance = random.Random(11)  # noqa: S311 # nosec B311 - which numbers are looked at
    asked = [key for keys in by_dataset.values() for key in chance.sample(keys, min(len(keys), 1 + 100 // len(by_dataset)))]
    assert len(asked) >= 100
    for key in asked:
        [figure] = tracer.figures("provenance", {"provenance_key": key})
        assert _holds(figure), figure
        assert figure.of["sha256"] == archive.read_manifest(figure.of["manifest"]).sha256  # of which the bytes were found to be


def test_random_rows_of_every_mart_lead_to_figures_that_hold_their_numbers(reader: Reader, tracer: Tracer) -> None:
    marts = reader.execute(
        "select distinct c.relation from bi.catalogue as c join bi.columns as k using (relation)"
        " where c.layer = 'mart' and c.variant = 'default' and k.\"column\" ~ 'release_key$' order by 1"
    ).fetchall()
    assert len(marts) >= 11
    for name in [row["relation"] for row in marts]:
        columns = reader.execute('select "column", role from bi.columns where relation = %s', [name]).fetchall()
        measures = [row["column"] for row in columns if row["role"] == "measure"]
        keyed = [
            sql.SQL("{} is not null").format(sql.Identifier(row["column"])) for row in columns if row["column"].endswith("release_key")
        ]
        # three rows that differ from mart to mart and are the same each time
        rows = reader.execute(
            sql.SQL("select * from {0} where {1} order by md5(to_jsonb({2})::text) limit 3").format(
                sql.Identifier("bi", name), sql.SQL(" or ").join(keyed), sql.Identifier(name)
            )
        ).fetchall()
        held: list[bool] = []
        for row in rows:
            figures = tracer.figures(name, row)
            assert figures, (name, row)
            assert all(not figure.problem for figure in figures)
            numbers = {Decimal(row[measure]) for measure in measures if row[measure] is not None}
            held.append(any(figure.of["figure"] in numbers for figure in figures if figure.of["figure"] is not None))
        assert any(held), (name, rows)


def test_a_row_of_a_mart_names_its_makers_and_leads_to_their_terms(reader: Reader) -> None:
    terms = {"licence", "attribution"}
    rows = reader.execute('select relation, array_agg("column") as columns from bi.columns group by 1').fetchall()
    columns = {row["relation"]: set(row["columns"]) for row in rows}
    assert {name for name, names in columns.items() if names & terms} == {"bridge_release_origin", "citation", "dim_release", "provenance"}
    marts = [name for name, names in columns.items() if "sources" in names and name != "catalogue"]
    assert len(marts) > 30
    for name in marts:
        keys = sorted(column for column in columns[name] if column.endswith("release_key"))
        # of each release that the row names, a maker is among its sources, and there are terms to read
        asked = sql.SQL(
            "select count(*) as n, count(*) filter (where not string_to_array(m.sources, '; ') && array_prepend(r.source_code, array("
            "select b.source_code from bi.bridge_release_origin as b where b.release_key = r.release_key))) as stray,"
            " count(*) filter (where coalesce(r.licence, '') = '' or coalesce(r.attribution, '') = '') as bare"
            " from {} as m, unnest(array[{}]) as key join bi.dim_release as r on r.release_code = key"
        ).format(sql.Identifier("bi", name), sql.SQL(", ").join(sql.Identifier("m", key) for key in keys))
        [found] = reader.execute(asked).fetchall()
        assert found["n"], name
        assert (found["stray"], found["bare"]) == (0, 0), name
        [unnamed] = reader.execute(
            sql.SQL(
                "select count(*) from {} as m where num_nonnulls({}) > 0 and sources is null"
            ).format(sql.Identifier("bi", name), sql.SQL(", ").join(map(sql.Identifier, keys)))
        ).fetchall()  # fmt: skip
        assert unnamed["count"] == 0, name


def test_a_person_asks_by_the_key_or_by_columns(bundled: tuple[Profile, dict[str, Intake]]) -> None:
    by_column = list(trace(bundled[0], "migration_balance", ["year=2022", "area_code=KAZ"]))
    by_key = list(trace(bundled[0], "migration_balance", ["KAZ", "year", "2022-01-01", "2022-12-31"]))
    assert by_column == by_key
    of_view = list(trace(bundled[0], "migration_balance_all", ["KAZ", "year", "2022-01-01", "2022-12-31"]))
    assert of_view[1:] == by_key[1:]
    # moves within the country are no figure of a row that names the country once
    of_share = "\n".join(trace(bundled[0], "migration_cis_share", ["year=2016"]))
    assert "counterpart_area=W1" in of_share
    assert "counterpart_area=KAZ" not in of_share
    # of 2001 nothing is known but the population of another year, whose date the row has
    of_stock = "\n".join(trace(bundled[0], "student_totals", ["area_code=MOZ", "year=2001"]))
    assert "figure " in of_stock
    text = "\n".join(by_column)
    assert "departures_persons = 24147" in text
    assert "at /0/y122022\n      24147" in text
    assert "POST https://taldau.stat.gov.kz" in text
    for relation, keys, said in (
        ("nothing", [], "no relation bi.nothing"),
        ("migration_balance", ["year=1800"], "has no row"),
        ("migration_balance", [], "more than"),
        ("migration_balance", ["yaer=2022"], "has no column 'yaer'; it has area_code"),
    ):
        with pytest.raises(TraceError, match=said):
            list(trace(bundled[0], relation, keys))


def test_a_key_is_found_by_an_index_in_every_fact(reader: Reader) -> None:
    reader.execute("set enable_seqscan = off")
    [plan] = reader.execute("explain (format json) select url from bi.provenance where provenance_key = '00000000000000aa'").fetchall()
    reader.execute("reset enable_seqscan")
    facts = {row["relation"] for row in reader.execute("select relation from bi.catalogue where layer = 'fact' and variant = 'default'")}
    assert {name.removesuffix("_address_idx") for name in _indexes(plan["QUERY PLAN"]) if name.endswith("_address_idx")} == facts


def _indexes(plan: Any) -> Iterator[str]:
    for node in plan if isinstance(plan, list) else [plan]:
        if isinstance(node, dict):
            if "Index Name" in node:
                yield str(node["Index Name"])
            yield from (name for value in node.values() if isinstance(value, (list, dict)) for name in _indexes(value))
