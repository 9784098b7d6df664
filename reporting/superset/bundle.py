"""Superset's import bundle of one publication: a dataset for each mart, metrics that know what adds up, and the dashboard that is declared.

`bi.columns` says what a measure is and over which dimensions it adds up, the primary key which dimensions tell its rows apart. A metric is
NULL where a selection holds more than one member of a dimension that it must not be added over; a chart then stays empty, not wrong.
"""

from __future__ import annotations

import io
import json
import re
import uuid
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import yaml
from psycopg import sql
from psycopg.rows import dict_row
from pydantic import Field, ValidationError

from extractors.declared import Declared
from reporting.gallery.declared import LANGUAGES, Language, Said
from warehouse.connection import READER, Connection, connect, reader_url
from warehouse.profile import Profile

DECLARED = Path(__file__).with_name("dashboard.yml")
# What Superset itself writes in place of a password: it asks for one when it imports the bundle
MASK = "X" * 10
VERSION = "1.0.0"
ROOT = "koshi"
# A thing keeps its number, so that a later bundle changes what an earlier one brought
NUMBERS = uuid.UUID("6f1f1d5e-54a1-5b1e-9d53-0d8f6c0b7a11")
EPOCH = (1980, 1, 1, 0, 0, 0)  # the first moment that a zip can tell
PERIOD = "period_start_date"
# Columns of a key that say which record a row is, and are no member that anybody chooses
NO_MEMBER = re.compile(r"_key$|^source_code$|^is_")
# The most digits behind the point that a chart shows: those of a type are what it can keep
SHOWN_DIGITS = 2
# Dashboards are twelve columns wide; a height is in units of eight pixels
WIDTH, HEIGHT = 12, 50

MARTS = """
select relation, variant, description from bi.catalogue
where layer = 'mart' and variant in ('default', 'latest') order by relation
"""
KEYS = """
select c.relname, array_agg(a.attname::text order by k.place)
from pg_index as i join pg_class as c on c.oid = i.indrelid, unnest(i.indkey) with ordinality as k (number, place), pg_attribute as a
where c.relnamespace = 'bi'::regnamespace and i.indisprimary and a.attrelid = c.oid and a.attnum = k.number group by 1
"""
SHOWN = "select number, published_at from meta.publication where is_current"


class BundleError(RuntimeError):
    """Nothing to make a bundle of, or a declared chart that `bi` has no columns for; the message says what to do."""


Form = Literal["years", "lines", "ranking", "world", "number"]


class Chart(Declared):
    """One chart of the dashboard: what it measures, by what, and of which rows."""

    relation: str = Field(description="a mart, or its `_latest`")
    form: Form
    measures: tuple[str, ...] = Field(min_length=1)
    by: str = Field(default="", description="the members of a ranking or a map; `_name` has the language behind it")
    where: dict[str, str | int | None] = Field(default={}, description="what a column is; null: whatever it is, so it is something")
    title: Said
    note: Said


class Dashboard(Declared):
    """The dashboard as `dashboard.yml` declares it: charts by name, and the rows in which they stand."""

    title: Said
    rows: tuple[tuple[str, ...], ...]
    charts: dict[str, Chart]


@dataclass(frozen=True)
class Mart:
    """A relation that a dataset is made of, with the rows of `bi.columns` and the columns that tell its rows apart."""

    name: str
    description: str
    key: tuple[str, ...]
    columns: tuple[dict[str, Any], ...]

    @property
    def measures(self) -> dict[str, dict[str, Any]]:
        """Its measures by column."""
        return {str(column["column"]): column for column in self.columns if column["role"] == "measure"}

    def metric(self, measure: str) -> str:
        """The name of the metric of a measure; it says whether the metric adds up."""
        return f"{'sum' if self.measures[measure]['aggregation'] == 'sum' else 'one'}_{measure}"


@dataclass(frozen=True)
class Shown:
    """What a bundle is made of."""

    number: int
    published_at: datetime
    url: str
    marts: dict[str, Mart] = field(default_factory=dict)


def make(profile: Profile) -> list[Path]:
    """Writes a bundle in each language for the publication that readers see; returns the files. Raises `BundleError` before the first."""
    with connect(profile) as connection:
        found = read(connection, reader_url(profile))
    folder = profile.state / "superset"
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for language in LANGUAGES:
        file = folder / f"koshi-{language}.zip"
        unfinished = file.with_suffix(".part")
        unfinished.write_bytes(packed(files(found, language)))
        made.append(unfinished.rename(file))
    return made


def read(connection: Connection, url: str) -> Shown:
    """What `bi` says of itself, and where it is read at. Raises `BundleError` where nothing is published."""
    shown = connection.execute(SHOWN).fetchone()
    if shown is None:
        raise BundleError("nothing is published yet: `make run` publishes what passes the gates")
    keys: dict[str, list[str]] = dict(connection.execute(KEYS).fetchall())
    rows = connection.cursor(row_factory=dict_row)
    columns = rows.execute('select * from bi.columns order by relation, "position"').fetchall()
    marts = {
        row["relation"]: Mart(
            row["relation"], row["description"], tuple(keys[row["relation"].removesuffix(f"_{row['variant']}")]),
            tuple(column for column in columns if column["relation"] == row["relation"]),
        )
        for row in rows.execute(MARTS).fetchall()
    }  # fmt: skip
    return Shown(shown[0], shown[1], url, marts)


def files(found: Shown, language: Language) -> dict[str, str]:
    """The files of the bundle, YAML by path. Raises `BundleError` for a declared chart of what is not there."""
    documents: dict[str, dict[str, Any]] = {
        # no `type`: the bundle is imported as a dashboard in the interface, and as assets, which replaces what an earlier one brought
        "metadata.yaml": {"version": VERSION, "timestamp": f"{found.published_at:%Y-%m-%dT%H:%M:%S+00:00}"},
        "databases/koshi.yaml": _database(found),
    }
    for mart in found.marts.values():
        documents[f"datasets/koshi/{mart.name}.yaml"] = _dataset(mart, language)
    dashboard = declared()
    for name, chart in dashboard.charts.items():
        documents[f"charts/{name}.yaml"] = _chart(found, name, chart, language)
    documents["dashboards/koshi.yaml"] = _dashboard(dashboard, language)
    return {path: yaml.safe_dump(document, allow_unicode=True, sort_keys=False, width=120) for path, document in documents.items()}


def packed(texts: Mapping[str, str]) -> bytes:
    """The files as a zip, the same bytes for the same texts."""
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, text in texts.items():
            info = zipfile.ZipInfo(f"{ROOT}/{path}", EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, text)
    return raw.getvalue()


@cache
def declared() -> Dashboard:
    """The dashboard that is declared. Raises `BundleError` where its file is not of its form."""
    try:
        found = Dashboard.model_validate(yaml.safe_load(DECLARED.read_text(encoding="utf-8")))
    except ValidationError as error:
        raise BundleError(f"{DECLARED.name}: {error}") from error
    placed = [name for row in found.rows for name in row]
    if sorted(placed) != sorted(found.charts):
        raise BundleError(f"{DECLARED.name}: every chart stands in one row: expected {sorted(found.charts)}, found {sorted(placed)}")
    return found


def number(of: str) -> str:
    """The number by which Superset knows a thing."""
    return str(uuid.uuid5(NUMBERS, of))


def expression(mart: Mart, measure: str) -> str:
    """The SQL of a metric.

    What adds up is summed, and is NULL where the selection holds more than one member of a dimension beside `over`; what does not is the
    figure of the one row that the selection holds, else NULL.
    """
    said = mart.measures[measure]
    value = sql.Identifier(measure).as_string()
    if said["aggregation"] != "sum":
        return f"case when count(*) = 1 then max({value}) end"
    fixed = [*held(mart.key, str(said["over"]).split(", "))]
    if not fixed:
        return f"sum({value})"
    one_each = " and ".join(f"count(distinct {sql.Identifier(column).as_string()}) = 1" for column in fixed)
    return f"case when {one_each} then sum({value}) end"


def held(key: Iterable[str], over: Sequence[str]) -> Iterator[str]:
    """The columns of a key of which a sum over these dimensions holds one member each."""
    for column in key:
        # where periods are added up, each brings the edition that it has
        follows = column.endswith("edition") and "period" in over
        if not (NO_MEMBER.search(column) or follows or dimension(column) in over):
            yield column


def dimension(column: str) -> str:
    """The dimension that a column of a key has a member of, as `over` of `bi.columns` names it."""
    return "period" if column == "year" or column.startswith("period_") else column.removesuffix("_code")


def number_format(column: Mapping[str, Any]) -> str:
    """How a measure is written, in d3's terms: thousands apart, and as many digits as the figure has."""
    return f",.{min(int(column['decimals'] or 0), SHOWN_DIGITS)}f"


def _database(found: Shown) -> dict[str, Any]:
    at = urlsplit(found.url)
    return {
        "database_name": "Koshi",
        "sqlalchemy_uri": f"postgresql+psycopg2://{READER}:{MASK}@{at.hostname}:{at.port}{at.path}",
        "cache_timeout": None,
        "expose_in_sqllab": True,
        "allow_run_async": False,
        "allow_ctas": False,
        "allow_cvas": False,
        "allow_dml": False,
        "allow_file_upload": False,
        "extra": {"metadata_params": {}, "engine_params": {}, "schemas_allowed_for_file_upload": []},
        "uuid": number("database"),
        "version": VERSION,
    }


def _dataset(mart: Mart, language: Language) -> dict[str, Any]:
    names = [column["column"] for column in mart.columns]
    return {
        "table_name": mart.name,
        "main_dttm_col": PERIOD if PERIOD in names else None,
        "description": mart.description,
        "schema": "bi",
        "sql": None,
        "params": None,
        "filter_select_enabled": True,
        "extra": None,
        "uuid": number(f"dataset {mart.name}"),
        "metrics": [_metric(mart, column, language) for column in mart.measures.values()],
        "columns": [_column(column, language) for column in mart.columns],
        "version": VERSION,
        "database_uuid": number("database"),
    }


def _metric(mart: Mart, column: Mapping[str, Any], language: Language) -> dict[str, Any]:
    measure = str(column["column"])
    adds_up = f"Adds up over {column['over']}." if column["aggregation"] == "sum" else "The figure of one row; NULL of several."
    return {
        "metric_name": mart.metric(measure),
        "verbose_name": column[f"label_{language}"],
        "metric_type": None,
        "expression": expression(mart, measure),
        "description": " ".join(filter(None, [column["description"], f"Unit: {column['unit']}.", adds_up, column["concept"]])),
        "d3format": number_format(column),
        "extra": None,
        "warning_text": None,
    }


def _column(column: Mapping[str, Any], language: Language) -> dict[str, Any]:
    return {
        "column_name": column["column"],
        "verbose_name": column[f"label_{language}"],
        "is_dttm": column["type"].startswith(("date", "timestamp")),
        "is_active": True,
        "type": re.sub(r"\(.*", "", column["type"]).upper(),
        # a figure is measured, and where a row comes from is looked up: neither is offered to group by
        "groupby": column["role"] not in ("measure", "provenance"),
        "filterable": True,
        "expression": None,
        "description": column["description"],
        "python_date_format": None,
        "extra": None,
    }


VIZ: Mapping[Form, str] = {
    "years": "echarts_timeseries_bar",
    "lines": "echarts_timeseries_line",
    "ranking": "echarts_timeseries_bar",
    "world": "world_map",
    "number": "big_number_total",
}


def _chart(found: Shown, name: str, chart: Chart, language: Language) -> dict[str, Any]:
    mart = found.marts.get(chart.relation)
    if mart is None:
        raise BundleError(f"{DECLARED.name}, chart {name}: bi has no mart {chart.relation}; it has {', '.join(found.marts)}")
    by = f"{chart.by}_{language}" if chart.by.endswith("_name") else chart.by
    lacks = {*chart.measures} - {*mart.measures} | {*chart.where, *([by] if by else [])} - {column["column"] for column in mart.columns}
    if lacks:
        raise BundleError(f"{DECLARED.name}, chart {name}: bi.{mart.name} has no {', '.join(sorted(lacks))}; `bi.columns` says what it has")
    metrics = [mart.metric(measure) for measure in chart.measures]
    drawn = {
        "viz_type": VIZ[chart.form],
        "adhoc_filters": [*_filters(chart)],
        "row_limit": 1000,
        "y_axis_format": number_format(mart.measures[chart.measures[0]]),
        **_drawn(chart.form, metrics, by),
    }
    return {
        "slice_name": chart.title[language],
        "description": chart.note[language],
        "viz_type": VIZ[chart.form],
        "params": drawn,
        "query_context": json.dumps(_query(chart, metrics, by, drawn), ensure_ascii=False),
        "cache_timeout": None,
        "uuid": number(f"chart {name}"),
        "version": VERSION,
        "dataset_uuid": number(f"dataset {mart.name}"),
    }


def _filters(chart: Chart) -> Iterator[dict[str, Any]]:
    for column, value in chart.where.items():
        yield {
            "clause": "WHERE",
            "expressionType": "SIMPLE",
            "subject": column,
            "operator": "IS NOT NULL" if value is None else "==",
            "operatorId": "IS_NOT_NULL" if value is None else "EQUALS",
            "comparator": value,
        }


def _drawn(form: Form, metrics: list[str], by: str) -> dict[str, Any]:
    """What Superset's controls of this form are set to."""
    if form == "number":
        return {"metric": metrics[0], "header_font_size": 0.4, "subheader_font_size": 0.15}
    if form == "world":
        return {"entity": by, "country_fieldtype": "cca3", "metric": metrics[0], "secondary_metric": metrics[0], "show_bubbles": False,
                "color_by": "metric", "linear_color_scheme": "schemeBlues"}  # fmt: skip
    axis = {"x_axis": by, "xAxisForceCategorical": True, "orientation": "horizontal", "x_axis_sort": metrics[0], "x_axis_sort_asc": True}
    years = {"x_axis": PERIOD, "time_grain_sqla": "P1Y", "x_axis_time_format": "%Y"}
    return {
        **(axis if form == "ranking" else years),
        "metrics": metrics,
        "groupby": [],
        "show_legend": len(metrics) > 1,
        "rich_tooltip": True,
    }


def _query(chart: Chart, metrics: list[str], by: str, drawn: dict[str, Any]) -> dict[str, Any]:
    """What Superset asks for the chart, as its own page would: the interface of its data takes no other."""
    columns: list[Any] = [by] if by else []
    if chart.form in ("years", "lines"):
        columns = [{"columnType": "BASE_AXIS", "expressionType": "SQL", "label": PERIOD, "sqlExpression": PERIOD, "timeGrain": "P1Y"}]
    asked = {
        "columns": columns,
        "metrics": metrics,
        "filters": [
            {"col": column, "op": "IS NOT NULL"} if value is None else {"col": column, "op": "==", "val": value}
            for column, value in chart.where.items()
        ],
        "orderby": [[metrics[0], False]] if by else [],
        "row_limit": drawn["row_limit"],
        "extras": {"time_grain_sqla": "P1Y"} if chart.form in ("years", "lines") else {},
    }
    return {
        "datasource": {"id": 0, "type": "table"},
        "force": False,
        "queries": [asked],
        "form_data": drawn,
        "result_format": "json",
        "result_type": "full",
    }


def _dashboard(dashboard: Dashboard, language: Language) -> dict[str, Any]:
    position: dict[str, Any] = {
        "DASHBOARD_VERSION_KEY": "v2",
        "ROOT_ID": {"type": "ROOT", "id": "ROOT_ID", "children": ["GRID_ID"]},
        "GRID_ID": {"type": "GRID", "id": "GRID_ID", "parents": ["ROOT_ID"], "children": []},
        "HEADER_ID": {"type": "HEADER", "id": "HEADER_ID", "meta": {"text": dashboard.title[language]}},
    }
    for at, row in enumerate(dashboard.rows, 1):
        parents, row_id = ["ROOT_ID", "GRID_ID"], f"ROW-{at}"
        position["GRID_ID"]["children"].append(row_id)
        position[row_id] = {"type": "ROW", "id": row_id, "parents": parents, "meta": {"background": "BACKGROUND_TRANSPARENT"},
                            "children": [f"CHART-{name}" for name in row]}  # fmt: skip
        for name in row:
            position[f"CHART-{name}"] = {
                "type": "CHART", "id": f"CHART-{name}", "parents": [*parents, row_id], "children": [],
                "meta": {"chartId": 0, "uuid": number(f"chart {name}"), "sliceName": dashboard.charts[name].title[language],
                         "width": WIDTH // len(row), "height": HEIGHT},
            }  # fmt: skip
    return {
        "dashboard_title": dashboard.title[language],
        "description": None,
        "css": "",
        "slug": "koshi",
        "uuid": number("dashboard"),
        "position": position,
        "metadata": {"color_scheme": "supersetColors", "cross_filters_enabled": True, "native_filter_configuration": []},
        "version": VERSION,
        "published": True,
    }
