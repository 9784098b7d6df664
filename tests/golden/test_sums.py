"""What a mart declares to add up does: the plain sum of a measure is the total that the source publishes (`total` in the model's YAML)."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql

from tests.golden.conftest import Reader
from warehouse.profile import ROOT

FILES = sorted((ROOT / "dbt" / "models" / "marts").glob("_*.yml"))
PERIOD = {"period": "period_start_date"}


def _measures() -> list[tuple[str, str, dict[str, Any]]]:
    """(mart, column, what its YAML says of it), of each column with a unit."""
    return [
        (model["name"], column["name"], meta)
        for file in FILES
        for model in yaml.safe_load(file.read_text("utf-8")).get("models") or []
        for column in model["columns"]
        if "unit" in (meta := column.get("config", {}).get("meta", {}))
    ]


MEASURES = _measures()
TOTALS = [(mart, column, meta) for mart, column, meta in MEASURES if "total" in meta]


def columns_of(dimensions: list[str]) -> list[str]:
    """The columns that have the members of these dimensions."""
    return [PERIOD.get(dimension, f"{dimension}_code") for dimension in dimensions]


def test_every_measure_says_whether_and_over_what_it_may_be_added_up() -> None:
    assert [(mart, name) for mart, name, meta in MEASURES if meta.get("aggregation") not in ("sum", "none")] == []
    assert [(mart, name) for mart, name, meta in MEASURES if (meta["aggregation"] == "sum") != bool(meta.get("over"))] == []
    assert [(mart, name) for mart, name, meta in MEASURES if ("total" in meta) != ("total_by" in meta)] == []
    # rates, shares, ranks and stocks over dates are never added up
    rates = [(mart, name, meta) for mart, name, meta in MEASURES if name.endswith(("_pct", "_per_10000", "_rank", "coverage"))]
    assert len(rates) > 30
    assert [(mart, name) for mart, name, meta in rates if meta["aggregation"] != "none"] == []
    assert len(TOTALS) >= 12


def test_every_mart_says_which_rows_it_promises_and_which_of_them_add_up() -> None:
    models = {model["name"]: model for file in FILES for model in yaml.safe_load(file.read_text("utf-8")).get("models") or []}
    assert len(models) >= 19
    said = {name: model.get("config", {}).get("meta", {}) for name, model in models.items()}
    assert [name for name, meta in said.items() if not meta.get("promises")] == []
    kinds = [name for name, model in models.items() if "row_kind" in {column["name"] for column in model["columns"]}]
    assert [name for name in kinds if not said[name].get("default_partition")] == []
    latest = [name for name, model in models.items() if "is_latest" in {column["name"] for column in model["columns"]}]
    assert latest == [name for name, meta in said.items() if meta.get("coverage")]


def test_every_count_of_persons_says_whom_it_counts() -> None:
    blocks = set(re.findall(r"{% docs (concept_\w+) %}", (ROOT / "dbt" / "models" / "docs" / "concepts.md").read_text("utf-8")))
    counted = {meta.get("concept") for _, name, meta in MEASURES if name.endswith(("persons", "students", "_per_10000"))}
    assert counted == blocks


@pytest.mark.parametrize(("mart", "name", "meta"), TOTALS, ids=[f"{mart}.{name}" for mart, name, _ in TOTALS])
def test_a_plain_sum_is_the_published_total(published: Reader, mart: str, name: str, meta: dict[str, Any]) -> None:
    """Whatever is grouped by beyond `total_by`, for the same rows are added up."""
    groups = ", ".join(columns_of(meta["total_by"]))
    sums = f"sum({name}), min({meta['total']}), max({meta['total']})"
    rows = published.execute(f"select {groups}, {sums} from bi.{mart} where {name} is not null group by {groups}").fetchall()
    with_total = [row for row in rows if row[-1] is not None]
    assert with_total
    assert [row for row in with_total if len(set(row[-3:])) > 1] == []
    dimensions = {row[0] for row in published.execute("select column_name from information_schema.columns where table_name = %s", [mart])}
    assert set(columns_of([*meta["over"], *meta["total_by"]])) <= dimensions


def _additive(published: Reader) -> list[tuple[str, str, list[str], dict[str, Any]]]:
    """(mart, column, the dimensions over which `bi.columns` lets it be added up, what the YAML says of its total)."""
    of_total = {(mart, name): meta for mart, name, meta in TOTALS}
    rows = published.execute("select relation, \"column\", over from bi.columns where aggregation = 'sum' order by 1, 2").fetchall()
    said = [(str(mart), str(name), str(over).split(", ")) for mart, name, over in rows]
    return [(mart, name, over, of_total[mart, name]) for mart, name, over in said if (mart, name) in of_total]


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_a_reader_groups_and_filters_by_adds_up_to_the_published_total(published: Reader, data: st.DataObject) -> None:
    """Relation, measure, groups and filters are drawn from `bi.columns`, as a BI tool offers them; no flag is filtered on."""
    mart, name, over, meta = data.draw(st.sampled_from(_additive(published)))
    fixed = columns_of(meta["total_by"])
    grouped = [column for column in data.draw(st.lists(st.sampled_from(columns_of(over)), unique=True)) if column not in fixed]
    relation, figure, total = sql.Identifier("bi", mart), sql.Identifier(name), sql.Identifier(meta["total"])

    def listed(columns: list[str]) -> sql.Composed:
        return sql.SQL(", ").join(map(sql.Identifier, columns))

    members = published.execute(
        sql.SQL("select {}, min({}), max({}) from {} where {} is not null and {} is not null group by {} order by {}").format(
            listed(fixed), total, total, relation, figure, total, listed(fixed), listed(fixed)
        )
    ).fetchall()
    *at, least, most = data.draw(st.sampled_from(members))
    assert least == most, "one total a group"
    where = sql.SQL(" and ").join(sql.SQL("{} = {}").format(sql.Identifier(column), value) for column, value in zip(fixed, at, strict=True))
    parts = published.execute(
        sql.SQL("select {} sum({}) from {} where {} group by {}").format(
            sql.SQL("{},").format(listed(grouped)) if grouped else sql.SQL(""), figure, relation, where, listed([*fixed, *grouped])
        )
    ).fetchall()
    assert sum(Decimal(str(part[-1] or 0)) for part in parts) == least, (mart, name, grouped, at)
    whole = published.execute(
        sql.SQL("select count(*), count(distinct ({})) from {} where {}").format(
            listed([*fixed, *(column for column in columns_of(over) if column not in fixed)]), relation, where
        )
    ).fetchone()
    assert whole is not None
    assert whole[0] == whole[1], f"{mart} has two rows of one cell at {at}"
