"""What real clients see of `bi`: keys, relations and comments by their drivers, and the snippets of docs/bi.md as they stand there."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import sqlalchemy

from warehouse import server
from warehouse.connection import reader_url
from warehouse.profile import ROOT, Profile, state_root

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
    odbc = _imported("pyodbc", "pyodbc")
    if "PostgreSQL Unicode" not in odbc.drivers():
        pytest.skip("NOT TRIED WITH psqlODBC: no driver `PostgreSQL Unicode` (the system package `odbc-postgresql`)")
    at = urlsplit(url)
    named = f"Server={at.hostname};Port={at.port};Database={at.path[1:]};Uid={at.username};Pwd={at.password}"
    cursor = odbc.connect(f"Driver={{PostgreSQL Unicode}};{named}").cursor()
    assert [row.column_name for row in cursor.primaryKeys("migration_balance", schema="bi")] == KEY
    assert {row.pktable_name for row in cursor.foreignKeys(foreignTable="fct_population", foreignSchema="bi")} == POINTS_AT
    columns = {row.column_name: row for row in cursor.columns("migration_balance", schema="bi")}
    assert not columns["area_name_en"].nullable
    asked = "select unit, label_kk from bi.columns where relation = 'migration_balance' and \"column\" = 'balance_persons'"
    assert tuple(cursor.execute(asked).fetchone()) == ("persons", "Көші-қон сальдосы, адам")


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


@system
@pytest.mark.parametrize("hidden", [False, True])
def test_pgjdbc_lists_keys_relations_and_comments(url: str, tmp_path: Path, hidden: bool) -> None:
    java = shutil.which("java")
    if not (java and JDBC.exists()):
        pytest.skip("NOT TRIED WITH pgjdbc: no java, or no driver (the system packages `default-jdk` and `libpostgresql-jdbc-java`)")
    at = urlsplit(url)
    (tmp_path / "Meta.java").write_text(PROGRAM, encoding="utf-8")
    address = f"jdbc:postgresql://{at.hostname}:{at.port}{at.path}?user={at.username}&password={at.password}"
    address += "&hideUnprivilegedObjects=true" * hidden
    done = subprocess.run([java, "-cp", str(JDBC), str(tmp_path / "Meta.java"), address], capture_output=True, text=True, check=False)
    if hidden and 'unrecognized privilege type: "RULE"' in done.stderr:
        pytest.skip(f"NOT TRIED: {JDBC} is too old to hide from PostgreSQL 18 what may not be read (docs/bi.md)")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["keys"] == KEY
    assert set(told["to"]) == POINTS_AT
    assert "Unit: persons." in told["remarks"][0]
    assert told["nullable"] == ["NO"]
    others = set(told["schemas"]) - {"bi", "information_schema", "pg_catalog"}
    assert bool(others) is not hidden, others
