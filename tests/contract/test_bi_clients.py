"""What real clients see of `bi`: keys, relations and comments by their drivers, and the snippets of docs/bi.md as they stand there."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
import sqlalchemy

from tests import small
from tests.contract.test_other_server import url as other_server
from warehouse import migrate, server
from warehouse.connection import connect, reader_url
from warehouse.profile import ROOT, Profile, state_root

__all__ = ["other_server"]

JDBC = Path("/usr/share/java/postgresql.jar")
SNIPPETS = dict(re.findall(r"^### (.+?)\n.*?^```(\w+\n.*?)^```", (ROOT / "docs" / "bi.md").read_text("utf-8"), re.MULTILINE | re.DOTALL))
# Of each client what it needs; those that come with the tests' own environment are tried by every run
NEEDS: dict[str, tuple[tuple[str, ...], bool]] = {
    "psql": (("psql",), False),
    "pandas": (("pandas",), False),
    "polars": (("polars", "adbc_driver_postgresql"), True),
    "DuckDB": (("duckdb", "duckdb_extension_postgres", "pandas"), True),
    "R": (("Rscript",), True),
    "Excel and others over ODBC": (("pyodbc",), True),
    "Superset": (("pandas", "psycopg2"), False),
}
KEY = ["area_code", "period_kind", "period_start_date", "period_end_date"]
POINTS_AT = {
    "dim_area",
    "dim_cube",
    "dim_period",
    "dim_release",
    "dim_sex",
    "dim_age_group",
    "dim_ethnicity",
    "dim_locality",
    "dim_obs_status",
}
system = pytest.mark.system


@pytest.fixture
def url(good: tuple[Path, str]) -> str:
    """The address for the BI role of a warehouse that nobody changes."""
    return reader_url(Profile("sample", "", "", state_root() / good[1], good[1]))


def _imported(name: str, package: str) -> Any:
    """A driver, or a loud skip."""
    return pytest.importorskip(name, reason=f"NOT TRIED WITH {name}: no {package}")


def _odbc(url: str) -> Any:
    """A session over psqlODBC as Excel has it, in no transaction between its questions, or a loud skip."""
    odbc = _imported("pyodbc", "pyodbc")
    if "PostgreSQL Unicode" not in odbc.drivers():
        pytest.skip("NOT TRIED WITH psqlODBC: no driver `PostgreSQL Unicode` (the system package `odbc-postgresql`)")
    at = urlsplit(url)
    named = f"Server={at.hostname};Port={at.port};Database={at.path[1:]};Uid={at.username};Pwd={at.password}"
    return odbc.connect(f"Driver={{PostgreSQL Unicode}};{named}", autocommit=True)


def test_each_client_has_a_snippet() -> None:
    assert set(SNIPPETS) == set(NEEDS)


@pytest.mark.parametrize("client", [pytest.param(name, marks=[system] if more else []) for name, (_, more) in NEEDS.items()])
def test_a_snippet_gives_what_the_mart_has(client: str, url: str, tmp_path: Path) -> None:
    language, _, text = SNIPPETS[client].partition("\n")
    mine = server.running()
    path = os.pathsep.join([*([str(mine.bin)] if mine else []), os.environ["PATH"]])
    for need in NEEDS[client][0]:
        if not (_is_there(need) if language == "python" else shutil.which(need, path=path)):
            pytest.skip(f"NOT TRIED WITH {client}: no {need}")
    file = tmp_path / "snippet"
    file.write_text(text, encoding="utf-8")
    program = {"sh": ["bash"], "python": [sys.executable], "r": ["Rscript", "--no-init-file", "--no-save"]}[language]
    done = subprocess.run([*program, str(file)], env=os.environ | {"KOSHI_URL": url, "PATH": path, "HOME": str(tmp_path)},
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert re.findall(r"\d+,-?\d+", done.stdout) == ["2021,-410", "2020,-440", "2019,-470"], done.stdout


def _is_there(module: str) -> bool:
    done = subprocess.run([sys.executable, "-c", f"import {module}"], capture_output=True, check=False)
    return done.returncode == 0


def test_a_fact_row_finds_its_address_as_the_page_says(url: str) -> None:
    [query] = re.findall(r"```sql\n(.*?)```", (ROOT / "docs" / "bi.md").read_text("utf-8"), re.DOTALL)
    with _engine(url).connect() as connection:
        [(address, _, sha256, position, licence)] = connection.execute(sqlalchemy.text(query)).all()
    assert address.startswith("https://stat.gov.kz/")
    assert re.fullmatch(r"[0-9a-f]{64}", sha256)
    assert position.startswith("Все население!")
    assert licence.startswith("Use permitted")


def _engine(url: str) -> sqlalchemy.Engine:
    return sqlalchemy.create_engine(url.replace("postgresql://", "postgresql+psycopg://", 1))


def test_sqlalchemy_lists_keys_relations_and_units(url: str) -> None:
    seen = sqlalchemy.inspect(_engine(url))
    assert seen.get_pk_constraint("migration_balance", "bi")["constrained_columns"] == KEY
    assert {key["referred_table"] for key in seen.get_foreign_keys("fct_population", "bi")} == POINTS_AT
    columns = {column["name"]: column for column in seen.get_columns("migration_balance", "bi")}
    assert not columns["area_name_en"]["nullable"]
    assert str(columns["balance_persons"]["comment"]).endswith("Unit: persons.") or "Unit: persons. " in str(
        columns["balance_persons"]["comment"]
    )
    assert {"catalogue", "provenance", "migration_balance_all"} <= set(seen.get_view_names("bi"))


@system
def test_adbc_lists_keys_relations_and_comments(url: str) -> None:
    _imported("pyarrow", "pyarrow")
    adbc = _imported("adbc_driver_postgresql.dbapi", "adbc-driver-postgresql")
    with adbc.connect(url) as connection:
        found = connection.adbc_get_objects(depth="all", db_schema_filter="bi").read_all().to_pylist()
    schemas = [schema for catalogue in found for schema in catalogue["catalog_db_schemas"] or []]
    assert [schema["db_schema_name"] for schema in schemas] == ["bi"]
    tables = {table["table_name"]: table for table in schemas[0]["db_schema_tables"]}
    constraints = tables["fct_population"]["table_constraints"]
    assert {used["fk_table"] for each in constraints for used in each["constraint_column_usage"] or []} == POINTS_AT
    assert [
        each["constraint_column_names"]
        for each in tables["migration_balance"]["table_constraints"]
        if each["constraint_type"] == "PRIMARY KEY"
    ] == [KEY]
    remarks = {column["column_name"]: column["remarks"] for column in tables["migration_balance"]["table_columns"]}
    assert "Unit: persons." in remarks["balance_persons"]


@system
def test_psqlodbc_lists_keys_and_relations_and_reads_what_columns_mean(url: str) -> None:
    cursor = _odbc(url).cursor()
    assert [row.column_name for row in cursor.primaryKeys("migration_balance", schema="bi")] == KEY
    assert {row.pktable_name for row in cursor.foreignKeys(foreignTable="fct_population", foreignSchema="bi")} == POINTS_AT
    columns = {row.column_name: row for row in cursor.columns("migration_balance", schema="bi")}
    assert not columns["area_name_en"].nullable
    asked = "select unit, label_kk from bi.columns where relation = 'migration_balance' and \"column\" = 'balance_persons'"
    assert tuple(cursor.execute(asked).fetchone()) == ("persons", "Көші-қон сальдосы, адам")


def _by_psycopg(url: str) -> Callable[[str], object]:
    """A statement that the server has prepared."""
    session = psycopg.connect(url, autocommit=True)
    return lambda query: session.execute(query, prepare=True).fetchone()[0]  # type: ignore[index]


def _by_sqlalchemy(url: str) -> Callable[[str], object]:
    """A dataset of Superset: a pool that keeps its sessions, and a table that was looked at once."""
    engine = sqlalchemy.create_engine(url.replace("postgresql://", "postgresql+psycopg2://", 1))
    table = sqlalchemy.Table("migration_balance", sqlalchemy.MetaData(schema="bi"), autoload_with=engine)

    def ask(_: str) -> object:
        with engine.connect() as session:
            return session.execute(sqlalchemy.select(table.c.arrivals_persons).where(table.c.year == 2021)).scalar()

    return ask


def _by_odbc(url: str) -> Callable[[str], object]:
    """A saved query of Excel."""
    cursor = _odbc(url).cursor()
    return lambda query: cursor.execute(query.replace("2021", "?"), 2021).fetchone()[0]


@pytest.mark.parametrize("client", [_by_psycopg, _by_sqlalchemy, pytest.param(_by_odbc, marks=system)], ids=["psycopg", "Superset", "ODBC"])
def test_what_was_saved_goes_on_through_a_publication(client: Callable[[str], Callable[[str], object]], settled: Profile) -> None:
    query = "select arrivals_persons from bi.migration_balance where year = 2021"
    ask = client(reader_url(settled))
    assert [ask(query) for _ in range(6)] == [1030] * 6, "asked often enough for a plan to be kept"
    small.put(settled, "external_arrivals", small.tree(small.arrivals() | {2021: 1035}), "2026-03-01")
    _, ended = small.run(settled)
    assert ended.outcome == "published"
    assert ask(query) == 1035


# Prints as JSON what java.sql.DatabaseMetaData says
PROGRAM = """
import java.sql.*;
public class Meta {
  static String all(ResultSet rows, String column) throws SQLException {
    StringBuilder said = new StringBuilder("[");
    while (rows.next()) {
      if (said.length() > 1) said.append(", ");
      said.append('"').append(String.valueOf(rows.getString(column)).replace("\\"", "'")).append('"');
    }
    return said.append("]").toString();
  }
  public static void main(String[] asked) throws Exception {
    try (Connection koshi = DriverManager.getConnection(asked[0])) {
      DatabaseMetaData told = koshi.getMetaData();
      System.out.println("{\\"keys\\": " + all(told.getPrimaryKeys(null, "bi", "migration_balance"), "COLUMN_NAME")
        + ", \\"to\\": " + all(told.getImportedKeys(null, "bi", "fct_population"), "PKTABLE_NAME")
        + ", \\"remarks\\": " + all(told.getColumns(null, "bi", "migration_balance", "balance_persons"), "REMARKS")
        + ", \\"nullable\\": " + all(told.getColumns(null, "bi", "migration_balance", "area_name_en"), "IS_NULLABLE")
        + ", \\"schemas\\": " + all(told.getTables(null, null, "%", new String[] {"TABLE", "VIEW"}), "TABLE_SCHEM") + "}");
    }
  }
}
"""


def _told_by_pgjdbc(url: str, folder: Path, hidden: bool) -> dict[str, list[str]]:
    """What the driver says of a database, with the setting that hides what may not be read or without it; skips loudly where it cannot."""
    java = shutil.which("java")
    if not (java and JDBC.exists()):
        pytest.skip("NOT TRIED WITH pgjdbc: no java, or no driver (the system packages `default-jdk` and `libpostgresql-jdbc-java`)")
    at = urlsplit(url)
    (folder / "Meta.java").write_text(PROGRAM, encoding="utf-8")
    address = f"jdbc:postgresql://{at.hostname}:{at.port}{at.path}?user={at.username}&password={at.password or ''}"
    address += "&hideUnprivilegedObjects=true" * hidden
    done = subprocess.run([java, "-cp", str(JDBC), str(folder / "Meta.java"), address], capture_output=True, text=True, check=False)
    if hidden and 'unrecognized privilege type: "RULE"' in done.stderr:
        pytest.skip(f"NOT TRIED: {JDBC} is too old to hide from PostgreSQL 18 what may not be read (docs/bi.md)")
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def _others(told: dict[str, list[str]]) -> set[str]:
    return set(told["schemas"]) - {"bi", "information_schema", "pg_catalog"}


@system
@pytest.mark.parametrize("hidden", [False, True])
def test_pgjdbc_lists_keys_relations_and_comments(url: str, tmp_path: Path, hidden: bool) -> None:
    told = _told_by_pgjdbc(url, tmp_path, hidden)
    assert told["keys"] == KEY
    assert set(told["to"]) == POINTS_AT
    assert "Unit: persons." in told["remarks"][0]
    assert told["nullable"] == ["NO"]
    assert bool(_others(told)) is not hidden, told["schemas"]


@system
def test_pgjdbc_hides_what_may_not_be_read_on_a_server_that_it_knows(
    other_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The driver of Debian 12 is older than PostgreSQL 18; on PostgreSQL 15 the setting does what docs/bi.md says."""
    monkeypatch.setenv("DATABASE_URL", other_server)
    monkeypatch.setenv("KOSHI_BI_PASSWORD", "the reader's")
    profile = Profile("sample", str(tmp_path / "archive"), str(tmp_path / "journal"), state_root() / "hidden", "named by the URL")
    migrate.to_head(profile)
    with connect(profile, autocommit=True) as connection:
        connection.execute("set role koshi_transformer")
        connection.execute("create table bi.shown (area_code text primary key)")
        connection.execute("grant select, references on bi.shown to bi_reader")
    assert {"raw", "meta"} <= _others(_told_by_pgjdbc(reader_url(profile), tmp_path, hidden=False))
    told = _told_by_pgjdbc(reader_url(profile), tmp_path, hidden=True)
    assert (_others(told), "bi" in told["schemas"]) == (set(), True)


# Keys as they are offered: text and small numbers. Numbers of 19 digits join facts and dimensions inside the database
KEYS = """
select k.relation, c.layer, array_agg(k."column" order by k.position)
from bi.columns as k join bi.catalogue as c using (relation)
where k.type <> 'bigint' and (k.role = 'key' or k."column" ~ '(release|snapshot|provenance)_key$') group by 1, 2 order by 1
"""


@pytest.fixture
def keys(url: str) -> dict[str, tuple[str, list[tuple[str | None, ...]]]]:
    """Of each relation the query for its keys and the keys, as text in the order of their bytes."""
    found = {}
    with psycopg.connect(url) as connection:
        for relation, _, columns in connection.execute(KEYS).fetchall():
            listed = ", ".join(f'"{column}"' for column in columns)
            query = f'select {listed} from bi."{relation}"'
            rows = [tuple(None if each is None else str(each) for each in row) for row in connection.execute(query).fetchall()]
            found[str(relation)] = (query, _sorted(rows))
    return found


def _sorted(rows: Iterable[Iterable[Any]]) -> list[tuple[str | None, ...]]:
    """Rows of text; what is missing, in whatever way a client says so, is None."""
    as_text = [tuple(None if each is None or each != each or each == "" else str(each) for each in row) for row in rows]
    return sorted(as_text, key=lambda row: [(each is not None, each) for each in row])


def test_no_key_that_programs_spoil_is_offered(url: str, keys: dict[str, Any]) -> None:
    with psycopg.connect(url) as connection:
        long = connection.execute(
            'select c.layer, k.relation, k."column" from bi.columns as k join bi.catalogue as c using (relation)'
            " where k.type = 'bigint' and k.\"column\" ~ '_key$'"
        ).fetchall()
        marts = connection.execute("select relation from bi.catalogue where layer in ('mart', 'dimension')").fetchall()
    assert {layer for layer, *_ in long} == {"dimension", "bridge", "fact"}
    assert {name for (name,) in marts} - set(keys) == {"dim_year"}  # a year is its own key
    # a dimension has a text or a date beside its number
    dimensions = {relation for layer, relation, _ in long if layer == "dimension"}
    assert [name for name in dimensions if not any(word.endswith("_code") for word in re.findall(r'"(\w+)"', keys[name][0]))] == []


def test_pandas_and_a_workbook_keep_every_key(url: str, keys: dict[str, Any], tmp_path: Path) -> None:
    """From the database into a frame, from there into a workbook, and back; `NA` is Namibia."""
    pandas = _imported("pandas", "pandas")
    with _engine(url).connect() as connection:
        for relation, (query, rows) in keys.items():
            frame = pandas.read_sql(sqlalchemy.text(query), connection)
            assert _sorted(frame.itertuples(index=False)) == rows, relation
            frame.to_excel(tmp_path / "keys.xlsx", index=False)
            back = pandas.read_excel(tmp_path / "keys.xlsx", keep_default_na=False)
            assert _sorted(back.itertuples(index=False)) == rows, relation


# Writes what each query of a list gives as a file of its own
IN_R = """
library(RPostgreSQL)
at <- commandArgs(trailingOnly = TRUE)
koshi <- dbConnect(PostgreSQL(), host = at[1], port = as.integer(at[2]), dbname = at[3], user = at[4], password = at[5])
asked <- read.csv("asked.csv", stringsAsFactors = FALSE)
for (each in seq_len(nrow(asked))) {
  found <- dbGetQuery(koshi, asked$query[each])
  write.csv(found, file.path(paste0(asked$relation[each], ".csv")), row.names = FALSE, na = "", fileEncoding = "UTF-8")
}
"""


@system
def test_r_keeps_every_key(url: str, keys: dict[str, Any], tmp_path: Path) -> None:
    program = shutil.which("Rscript")
    if not program:
        pytest.skip("NOT TRIED WITH R: no Rscript (the system packages `r-base-core` and `r-cran-rpostgresql`)")
    with (tmp_path / "asked.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("relation", "query"), *((relation, query) for relation, (query, _) in keys.items())])
    (tmp_path / "keys.R").write_text(IN_R, encoding="utf-8")
    at = urlsplit(url)
    parts = [str(at.hostname), str(at.port), at.path[1:], str(at.username), str(at.password)]
    done = subprocess.run([program, "--no-init-file", "--no-save", "keys.R", *parts], cwd=tmp_path,
                          env=os.environ | {"LC_ALL": "C.UTF-8"}, capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    for relation, (_, rows) in keys.items():
        with (tmp_path / f"{relation}.csv").open(encoding="utf-8", newline="") as file:
            _, *found = csv.reader(file)
        assert _sorted(found) == rows, relation
