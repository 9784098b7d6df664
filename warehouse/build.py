"""Building with dbt: seeds and staging once per code, new releases into core, a publication schema per candidate."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from psycopg import sql

from warehouse.candidate import Candidate
from warehouse.connection import Connection, connect, parameters
from warehouse.fingerprint import core_schema
from warehouse.locks import DBT, hold
from warehouse.profile import ROOT, Profile
from warehouse.steps import step

# Remarks that a schema gets when all of it stands; a build that was killed leaves none
PREPARED = "Seeds, staging and core facts of one state of the code."
BUILT = "Dimensions, facts and marts of one publication."


class BuildError(RuntimeError):
    """dbt did not build what it should; the message names node and reason."""


@dataclass(frozen=True)
class TestResult:
    """What one dbt test of a candidate said. `reads` are the datasets (`source.dataset`) it looks at; empty means all."""

    name: str
    success: bool
    failures: int
    severity: str
    reads: tuple[str, ...]
    dimension: str
    message: str


def prepare(profile: Profile) -> str:
    """Seeds and staging of this code, built once; returns their schema. Gate 1 looks through these views."""
    schema = core_schema()
    with connect(profile) as connection:
        if _comment(connection, schema) == PREPARED:
            return schema
    with step("build.prepare"), hold(profile, DBT, wait=True):
        with connect(profile) as connection:
            if _comment(connection, schema) == PREPARED:  # by another process, which may look through these views by now
                return schema
        tests = _dbt(profile, ["path:seeds", "path:staging"])
        if failed := [f"{test.name}: {test.message}" for test in tests if not test.success]:
            raise BuildError(f"dbt: the seeds fail their tests: {'; '.join(failed)}")
        with connect(profile, "koshi_transformer") as connection:
            _analyze(connection, schema)
            _let_gates_read(connection, schema)
            # the mark comes last: a build that was killed is made again
            connection.execute(sql.SQL("comment on schema {} is {}").format(sql.Identifier(schema), sql.Literal(PREPARED)))
    return schema


def build(profile: Profile, candidate: Candidate) -> list[TestResult]:
    """Brings core up to date and builds the candidate's schema from nothing; returns what dbt's tests said of it.

    dbt always builds into the schema `candidate`, which then takes the publication's name: views keep pointing at what they read,
    and dbt need not parse its project anew for another name.
    Raises `BuildError` where a model, seed or contract fails, which is a fault of the code rather than of a release.
    """
    prepare(profile)
    with connect(profile, "koshi_loader") as connection:
        connection.execute("delete from meta.candidate_release")
        with connection.cursor().copy("copy meta.candidate_release (release_key, is_current) from stdin") as copy:
            for release in candidate.releases:
                copy.write_row(release)
    with step("build.core"), hold(profile, DBT, wait=True):
        _dbt(profile, ["path:core"])
        with connect(profile, "koshi_transformer") as connection:
            _analyze(connection, core_schema())
    with connect(profile, "koshi_transformer") as connection:
        connection.execute("drop schema if exists candidate cascade")
        connection.execute("create schema candidate")
    with step("build.publication"), hold(profile, DBT, wait=True):  # every dbt keeps its parse of the project in one folder
        tests = _dbt(profile, ["path:dimensions", "path:facts", "path:marts"])
    with connect(profile, "koshi_transformer") as connection:
        name = sql.Identifier(candidate.schema)
        connection.execute(sql.SQL("drop schema if exists {} cascade").format(name))
        _let_gates_read(connection, "candidate")
        connection.execute(sql.SQL("comment on schema candidate is {}").format(sql.Literal(BUILT)))
        connection.execute(sql.SQL("alter schema candidate rename to {}").format(name))
    return tests


def _analyze(connection: Connection, schema: str) -> None:
    """Statistics for the tables of a schema: without them the planner joins labels row by row."""
    tables = connection.execute("select tablename from pg_tables where schemaname = %s order by 1", [schema]).fetchall()
    for (name,) in tables:
        connection.execute(sql.SQL("analyze {}").format(sql.Identifier(schema, name)))


def _let_gates_read(connection: Connection, schema: str) -> None:
    connection.execute(sql.SQL("grant usage on schema {} to koshi_loader").format(sql.Identifier(schema)))
    connection.execute(sql.SQL("grant select on all tables in schema {} to koshi_loader").format(sql.Identifier(schema)))


def is_built(connection: Connection, schema: str) -> bool:
    """Whether a publication's schema stands as a whole."""
    return _comment(connection, schema) == BUILT


def _comment(connection: Connection, schema: str) -> str | None:
    row = connection.execute("select obj_description(to_regnamespace(%s)::oid, 'pg_namespace')", [schema]).fetchone()
    return row[0] if row else None


@contextmanager
def dbt_environment(profile: Profile) -> Iterator[None]:
    """dbt reads the connection from the environment; it is put back afterwards."""
    p = parameters(profile)
    extra = {
        "KOSHI_DB_HOST": p.get("host", ""),
        "KOSHI_DB_PORT": p.get("port", "5432"),
        "KOSHI_DB_USER": p.get("user", ""),
        "KOSHI_DB_PASSWORD": p.get("password", ""),
        "KOSHI_DB_NAME": p["dbname"],
        "DBT_TARGET_PATH": str(profile.state / "dbt"),
        "DBT_LOG_PATH": str(profile.state / "dbt" / "logs"),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DO_NOT_TRACK": "1",
    }
    before = {key: os.environ.get(key) for key in extra}
    os.environ.update(extra)
    try:
        yield
    finally:
        for key, value in before.items():
            if value is None:
                os.environ.pop(key, None)
            else:
                os.environ[key] = value


def _dbt(profile: Profile, select: list[str]) -> list[TestResult]:
    from dbt.cli.main import dbtRunner  # 2.6 s: only those who build pay for it

    project = str(ROOT / "dbt")
    variables = {"core_schema": core_schema()}
    arguments = ["build", "--project-dir", project, "--profiles-dir", project, "--vars", json.dumps(variables)]
    # unit tests try the code, not the data: make test runs them
    arguments += [
        "--select",
        *select,
        "--exclude-resource-type",
        "unit_test",
        "--quiet",
        "--no-write-json",
        "--log-level",
        "none",
        "--log-level-file",
        "info",
        "--no-use-colors",
    ]
    with dbt_environment(profile):
        outcome = dbtRunner().invoke(arguments)
    if outcome.exception is not None:
        raise BuildError(f"dbt {' '.join(select)}: {outcome.exception}")
    results = getattr(outcome.result, "results", [])
    nodes = [result for result in results if result.node.resource_type != "test"]
    for result in nodes:
        if result.status not in ("success", "skipped"):
            raise BuildError(f"dbt: {result.node.unique_id} ended {result.status}: {result.message}")
    # dbt's threads end in any order; what is recorded has one
    tests = sorted((_test_result(result) for result in results if result.node.resource_type == "test"), key=lambda test: test.name)
    skipped = [result.node.name for result in nodes if result.status == "skipped"]
    if skipped and all(test.success for test in tests):
        raise BuildError(f"dbt skipped {', '.join(skipped)} although nothing failed before")
    if not skipped:
        _check_relations(profile, nodes)
    return tests


def _test_result(result: Any) -> TestResult:
    meta = result.node.config.meta if hasattr(result.node.config, "meta") else {}
    return TestResult(
        name=result.node.name,
        success=result.status in ("pass", "success"),
        failures=result.failures or 0,
        severity=str(getattr(result.node.config, "severity", "error")).lower(),
        reads=tuple(meta.get("reads", ())),
        dimension=meta.get("dimension", "coherence"),
        message=result.message or "",
    )


def _check_relations(profile: Profile, nodes: list[Any]) -> None:
    """dbt's word is not enough: every relation that it reports must be there."""
    with connect(profile) as connection:
        for result in nodes:
            if result.node.resource_type not in ("model", "seed") or result.node.config.materialized == "ephemeral":
                continue
            row = connection.execute("select to_regclass(format('%%I.%%I', %s::text, %s::text))", [result.node.schema, result.node.alias])
            if row.fetchone() == (None,):
                raise BuildError(f"dbt reports {result.node.unique_id} as built, but {result.node.schema}.{result.node.alias} is missing")
