"""Superset's bundle of the whole sample: of the shape that its import takes, and with metrics that are right or NULL."""

from __future__ import annotations

import dataclasses
import uuid
from typing import Any

import pytest
import yaml
from psycopg import sql

from expectations.intake import Intake
from reporting.superset import bundle
from reporting.superset.bundle import Mart, Shown
from tests.golden.conftest import Reader
from tests.golden.test_sums import TOTALS, columns_of
from warehouse.connection import connect, reader_password, reader_url
from warehouse.profile import Profile

# What Superset's import takes of each kind of file; an unknown field is refused there
FIELDS = {
    "metadata": {"version", "timestamp"},
    "databases": {
        "database_name", "sqlalchemy_uri", "cache_timeout", "expose_in_sqllab", "allow_run_async", "allow_ctas", "allow_cvas", "allow_dml",
        "allow_file_upload", "extra", "uuid", "version",
    },
    "datasets": {
        "table_name", "main_dttm_col", "description", "schema", "sql", "params", "filter_select_enabled", "extra", "uuid", "metrics",
        "columns", "version", "database_uuid",
    },
    "charts": {
        "slice_name", "description", "viz_type", "params", "query_context", "cache_timeout", "uuid", "version", "dataset_uuid",
    },
    "dashboards": {
        "dashboard_title", "description", "css", "slug", "uuid", "position", "metadata", "version", "published",
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def found(bundled: tuple[Profile, dict[str, Intake]]) -> Shown:
    with connect(bundled[0]) as connection:
        return bundle.read(connection, reader_url(bundled[0]))


def _documents(found: Shown, language: Any = "en") -> dict[str, dict[str, Any]]:
    return {path: yaml.safe_load(text) for path, text in bundle.files(found, language).items()}


def test_the_bundle_is_of_the_shape_that_an_import_takes_and_has_no_password(found: Shown, published: Reader) -> None:
    documents = _documents(found)
    for path, document in documents.items():
        assert set(document) == FIELDS[path.partition("/")[0].removesuffix(".yaml")], path
        assert document["version"] == "1.0.0"
    of = {kind: {path: each for path, each in documents.items() if path.startswith(f"{kind}/")} for kind in FIELDS}
    numbers = [each["uuid"] for kind in of.values() for each in kind.values()]
    assert len({uuid.UUID(each) for each in numbers}) == len(numbers)
    [database], [dashboard] = of["databases"].values(), of["dashboards"].values()
    assert database["sqlalchemy_uri"].startswith(f"postgresql+psycopg2://bi_reader:{bundle.MASK}@127.0.0.1:")
    assert str(reader_password()) not in "".join(bundle.files(found, "en").values())
    assert {each["database_uuid"] for each in of["datasets"].values()} == {database["uuid"]}
    assert {each["dataset_uuid"] for each in of["charts"].values()} <= {each["uuid"] for each in of["datasets"].values()}
    shown = [part["meta"]["uuid"] for part in dashboard["position"].values() if isinstance(part, dict) and part["type"] == "CHART"]
    assert sorted(shown) == sorted(each["uuid"] for each in of["charts"].values())
    assert len(shown) >= 5
    # every mart and its `_latest`, each of its columns, and nothing else
    rows = published.execute('select relation, array_agg("column") from bi.columns group by 1').fetchall()
    columns = {name: set(names) for name, names in rows if isinstance(names, list)}
    marts = published.execute("select relation from bi.catalogue where layer = 'mart' and variant in ('default', 'latest')").fetchall()
    assert {each["table_name"] for each in of["datasets"].values()} == {name for (name,) in marts}
    for each in of["datasets"].values():
        assert {column["column_name"] for column in each["columns"]} == columns[each["table_name"]]
        assert all(column["verbose_name"] for column in each["columns"])
    assert {"migrant_stock_latest", "migration_balance"} <= set(found.marts)


def test_a_bundle_has_the_same_bytes_again_and_only_other_words_in_another_language(found: Shown) -> None:
    assert bundle.packed(bundle.files(found, "kk")) == bundle.packed(bundle.files(found, "kk"))
    kk, ru = _documents(found, "kk"), _documents(found, "ru")
    assert kk.keys() == ru.keys()
    assert [path for path in kk if kk[path].get("uuid") != ru[path].get("uuid")] == []
    charts = [path for path in kk if path.startswith("charts/")]
    assert [path for path in charts if kk[path]["slice_name"] == ru[path]["slice_name"]] == []
    labels = {column["verbose_name"] for column in ru["datasets/koshi/migration_balance.yaml"]["metrics"]}
    assert any("альдо" in label for label in labels)


def _asked(published: Reader, mart: Mart, by: list[str]) -> list[dict[str, Any]]:
    """Of each group all metrics, the plain sums beside them, and how many rows and members the group has."""
    parts: list[sql.Composable] = [sql.SQL("count(*) as n")]
    parts += [sql.SQL("count(distinct {0}) as {1}").format(sql.Identifier(each), sql.Identifier(f"n {each}")) for each in mart.key]
    for measure in mart.measures:
        parts.append(sql.SQL("{} as {}").format(sql.SQL(bundle.expression(mart, measure)), sql.Identifier(mart.metric(measure))))
        parts.append(sql.SQL("sum({0}) as {0}").format(sql.Identifier(measure)))
    cursor = published.execute(
        sql.SQL("select {} from {} {} {}").format(
            sql.SQL(", ").join(parts), sql.Identifier("bi", mart.name), sql.SQL("group by" if by else ""),
            sql.SQL(", ").join(map(sql.Identifier, by)),
        )
    )  # fmt: skip
    names = [each.name for each in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def test_every_metric_is_the_sum_where_it_adds_up_and_null_where_it_does_not(found: Shown, published: Reader) -> None:
    """Over the whole relation, by each column of its key and by all of them: what a reader picks in a chart."""
    empty, shown, printed = set[tuple[str, str]](), set[tuple[str, str]](), set[tuple[str, str]]()
    for mart in found.marts.values():
        for by in ([], *([column] for column in mart.key), list(mart.key)):
            for row in _asked(published, mart, by):
                for measure, said in mart.measures.items():
                    metric = mart.metric(measure)
                    if said["aggregation"] == "sum":
                        over = str(said["over"]).split(", ")
                        right = all(row[f"n {column}"] == 1 for column in bundle.held(mart.key, over))
                    else:
                        right = row["n"] == 1
                    assert row[metric] == (row[measure] if right else None), (mart.name, measure, by)
                    (empty if row[metric] is None else shown).add((mart.name, metric))
                    if row[measure] is not None:
                        printed.add((mart.name, metric))
    # stocks over dates and rates over anything are NULL; yet no measure is hidden that has a figure
    assert {("population", "sum_persons"), ("migrant_stock", "sum_persons"), ("migration_balance", "one_balance_per_10000")} <= empty
    assert shown == printed


def test_a_metric_by_what_its_total_is_of_is_the_published_total(found: Shown, published: Reader) -> None:
    for name, measure, meta in TOTALS:
        mart = found.marts[name]
        by, total = ([sql.Identifier(column) for column in columns_of(meta["total_by"])], sql.Identifier(meta["total"]))
        rows = published.execute(
            sql.SQL("select {}, max({}) from {} where {} is not null and {} is not null group by {}").format(
                sql.SQL(bundle.expression(mart, measure)), total, sql.Identifier("bi", name), total, sql.Identifier(measure),
                sql.SQL(", ").join(by),
            )
        ).fetchall()  # fmt: skip
        assert rows
        assert [row for row in rows if row[0] != row[1]] == [], (name, measure)


def test_a_figure_is_written_with_the_digits_that_it_has(found: Shown) -> None:
    written = {each["metric_name"]: each["d3format"] for each in _documents(found)["datasets/koshi/migration_balance.yaml"]["metrics"]}
    assert (written["sum_balance_persons"], written["one_balance_per_10000"]) == (",.0f", ",.2f")


def test_a_chart_of_what_is_not_there_is_refused_by_name(found: Shown) -> None:
    marts = {name: mart for name, mart in found.marts.items() if name != "population"}
    with pytest.raises(bundle.BundleError, match=r"dashboard\.yml, chart population: bi has no mart population"):
        bundle.files(dataclasses.replace(found, marts=marts), "en")
    mart = dataclasses.replace(found.marts["population"], columns=())
    with pytest.raises(bundle.BundleError, match=r"chart population: bi\.population has no persons"):
        bundle.files(dataclasses.replace(found, marts=found.marts | {"population": mart}), "en")


def test_before_a_publication_there_is_nothing_to_make_a_bundle_of(bare: Profile) -> None:
    with pytest.raises(bundle.BundleError, match="nothing is published yet"):
        bundle.make(bare)
