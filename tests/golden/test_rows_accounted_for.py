"""Every raw row of the whole sample is named by a fact row, in quarantine, or dropped by a declared rule: exactly one of the three."""

from __future__ import annotations

import csv
import random
import re
from collections import Counter

import pytest
from psycopg import sql

from expectations.intake import Intake
from extractors.source import load_source, source_codes
from tests.state import read
from warehouse.candidate import form, pool
from warehouse.connection import Connection, connect
from warehouse.fingerprint import core_schema
from warehouse.profile import ROOT, Profile
from warehouse.reconcile import account

Bundled = tuple[Profile, dict[str, Intake]]
DATASETS = [(code, name) for code in source_codes() for name in load_source(code).datasets]
# no text makes a staging view raise, lose a row or double one
STRANGE = (
    None,
    "",
    " ",
    "0",
    "-1",
    "2024",
    "2024*",
    "122024",
    "31.12.2024",
    "1e5",
    "x",
    "х",
    "–",
    "..",
    "NaN",
    "9" * 40,
    "a|b",
    "_T",
    "900",
)
# what the sample has beside raw rows that are one fact row each
DERIVED = {"bns.population": 4, "bns.net_migration": 2}
QUARANTINED = {"iom.missing_migrants": 3}
DROPPED = {"undesa.stock_by_destination": 987, "undesa.population_by_destination": 987}


def test_the_whole_sample_adds_up_without_remainder(bundled: Bundled) -> None:
    with connect(bundled[0]) as connection:
        keys = form(pool(connection)).release_keys
        accounts = account(connection, core_schema(), keys)
    derived, quarantined, dropped = Counter[str](), Counter[str](), Counter[str]()
    for one in accounts:
        assert one.reason == ""
        assert one.landed == one.raw == one.facts + one.quarantined + one.dropped, one
        dataset = one.place.split()[0]
        derived[dataset] += one.derived
        quarantined[dataset] += one.quarantined
        dropped[dataset] += one.dropped
    assert {one.release_key for one in accounts} == set(keys)
    assert derived.keys() == {f"{source}.{dataset}" for source, dataset in DATASETS}
    assert (+derived, +quarantined, +dropped) == (DERIVED, QUARANTINED, DROPPED)


def test_every_cell_of_a_derived_figure_can_be_reached(bundled: Bundled) -> None:
    """The republic of 2023 stands in no table by region: it rests on the cells of all 20 regions and is their sum."""
    core = core_schema()
    found = read(
        bundled[0],
        f"select fact.value, count(*), sum(part.value) from {core}.int_population as fact"
        " cross join string_to_table(fact.source_row, '; ') as address"
        f" inner join {core}.int_population as part using (release_key, snapshot_key)"
        " where fact.derivation is not null and part.derivation is null and part.source_row = address"
        " group by fact.release_key, fact.series_key, fact.value",
    )
    assert len(found) == DERIVED["bns.population"]
    for whole, parts, total in found:
        assert parts in (17, 20)
        assert whole == total


@pytest.mark.parametrize(("source", "dataset"), DATASETS, ids=[".".join(one) for one in DATASETS])
def test_the_staging_views_neither_lose_nor_double_a_row(bundled: Bundled, source: str, dataset: str) -> None:
    shape = load_source(source).dataset(dataset).shape
    with connect(bundled[0]) as connection:
        keys = [
            key
            for (key,) in connection.execute(
                "select release_key from meta.release where source = %s and dataset = %s", [source, dataset]
            ).fetchall()
        ]
        assert _not_once(connection, shape, keys) == []
        _replace_by_strange_rows(connection, shape, keys[0])
        assert _not_once(connection, shape, keys[:1]) == []
        connection.rollback()


def _replace_by_strange_rows(connection: Connection, shape: str, key: int, count: int = 2000) -> None:
    """Rows of real values, of the seeds' labels and codes, and of what nobody has seen, put together at random."""
    chance, table = random.Random(f"{shape} {key}"), sql.Identifier("raw", shape)  # noqa: S311
    columns = [
        name
        for (name,) in connection.execute(
            "select attname from pg_attribute where attrelid = %s::regclass and attnum > 3", [f"raw.{shape}"]
        ).fetchall()
    ]
    pools = {}
    for column in columns:
        values = connection.execute(sql.SQL("select distinct {} from {} limit 300").format(sql.Identifier(column), table)).fetchall()
        pools[column] = [value for (value,) in values]
    seeds = [cell for file in sorted((ROOT / "dbt/seeds").glob("*.csv")) for row in csv.reader(file.open()) for cell in row]
    connection.execute(sql.SQL("delete from {} where _release_key = %s").format(table), [key])
    with connection.cursor().copy(sql.SQL("copy {} from stdin").format(table)) as copy:
        for number in range(count):
            picked = (chance.choice(chance.choices((pools[column], seeds, STRANGE), (8, 1, 1))[0]) for column in columns)
            copy.write_row((key, 1, f"row {number}", *picked))


def _not_once(connection: Connection, shape: str, keys: list[int]) -> list[tuple[object, ...]]:
    """Rows of these releases that the staging views together do not show exactly once: all they show of a release is of one view."""
    views = connection.execute("select viewname from pg_views where schemaname = %s and viewname ~ '^stg_'", [core_schema()]).fetchall()
    shown = sql.SQL(" union all ").join(
        sql.SQL("select release_key, snapshot_key, source_row from {} where release_key = any({})").format(
            sql.Identifier(core_schema(), name), sql.Literal(keys)
        )
        for (name,) in views
    )
    query = sql.SQL(
        "select *, coalesce(landed.times, 0), coalesce(shown.times, 0)"
        " from (select _release_key as release_key, _snapshot_key as snapshot_key, _row as source_row, count(*) as times"
        "  from {} where _release_key = any({}) group by 1, 2, 3) as landed"
        " full join (select release_key, snapshot_key, source_row, count(*) as times from ({}) as one group by 1, 2, 3) as shown"
        " using (release_key, snapshot_key, source_row) where (landed.times = 1 and shown.times = 1) is not true limit 5"
    ).format(sql.Identifier("raw", shape), sql.Literal(keys), shown)
    return connection.execute(query).fetchall()


def test_each_declared_rule_is_stated_once_and_in_staging() -> None:
    used = [
        code for file in (ROOT / "dbt").rglob("*.sql") for code in re.findall(r"drop_rule\('(\w+)'\)", file.read_text(encoding="utf-8"))
    ]
    with (ROOT / "dbt/seeds/drop_rule.csv").open(encoding="utf-8") as file:
        declared = [row["code"] for row in csv.DictReader(file)]
    assert sorted(used) == sorted(declared)
    assert len(set(used)) == len(used)
