"""The unit tests of the dbt project: the code of a model against rows that stand beside it."""

from __future__ import annotations

import json

import pytest
import yaml
from psycopg import sql

from warehouse.build import dbt_environment
from warehouse.connection import connect
from warehouse.fingerprint import core_schema
from warehouse.profile import ROOT, Profile


@pytest.mark.slow
def test_the_unit_tests_of_dbt(settled: Profile) -> None:
    """dbt asks the database for the types of a model's columns, so it gets the relations of readers under the name that it builds into."""
    from dbt.cli.main import dbtRunner

    declared = [
        test["name"] for file in (ROOT / "dbt").rglob("_unit_tests*.yml") for test in yaml.safe_load(file.read_text())["unit_tests"]
    ]
    with connect(settled, "koshi_transformer") as connection:
        connection.execute("create schema candidate")
        tables = connection.execute("select tablename from pg_tables where schemaname = 'bi'").fetchall()
        for (name,) in tables:
            connection.execute(sql.SQL("create table candidate.{0} (like bi.{0})").format(sql.Identifier(name)))
    with dbt_environment(settled):
        project = str(ROOT / "dbt")
        variables = json.dumps({"core_schema": core_schema()})
        place = ["--project-dir", project, "--profiles-dir", project, "--target", "prod", "--vars", variables]
        outcome = dbtRunner().invoke(["test", "--select", "test_type:unit", *place, "--quiet", "--no-write-json"])
    assert outcome.exception is None
    found = {result.node.name: result.message for result in outcome.result.results if result.status != "pass"}
    assert not found
    assert sorted(result.node.name for result in outcome.result.results) == sorted(declared)
