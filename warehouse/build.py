"""Building with dbt: seeds and staging once per code, new releases into core, a publication schema per candidate."""

from __future__ import annotations

import gc
import hashlib
import json
import os
import pickle  # nosec B403
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Lock
from typing import Any

import psycopg
from psycopg import sql

from warehouse import meaning
from warehouse.candidate import Candidate
from warehouse.connection import STATEMENT_SECONDS, Connection, LostError, connect, parameters, says_lost
from warehouse.contracts import variables
from warehouse.fingerprint import code_fingerprint, core_schema, fact_fingerprints
from warehouse.graph import Graph, Node
from warehouse.keys import hex_key, number_of
from warehouse.ledger import set_aside
from warehouse.locks import DBT, locked
from warehouse.profile import ROOT, Profile
from warehouse.reconcile import lacking_in
from warehouse.served import borrow, dimensions_differ, shown
from warehouse.statistics import analyze_changed
from warehouse.steps import step
from warehouse.wording import one_line

# Remarks that a schema gets when all of it stands; a build that was killed leaves none. That of core goes on with the code of each fact
PREPARED = "Seeds, staging and core facts of one state of the code."
BUILT = "Dimensions, facts and marts of one publication."
BORROWED = "What it does not build is as in publication"
# Selections are by folder of dbt/models, as dbt names its nodes
PREPARATION, CORE, PUBLICATION = ["resource_type:seed", "staging"], ["core"], ["star", "marts"]
# Failing rows that are fetched for one dbt test
FETCHED = 1000
# dbt and the environment that it reads belong to the whole process: threads take turns
_ONE_DBT = Lock()
# The project as dbt parsed it, by what it was parsed for: dbt writes into the one that it works with, so each command gets a copy
_PARSED: dict[tuple[str, ...], tuple[Graph, bytes, dict[str, str]]] = {}


class BuildError(RuntimeError):
    """dbt did not build what it should. `nodes` are the failed nodes with dbt's reason; none where dbt itself could not go on."""

    def __init__(self, message: str, nodes: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(message)
        self.nodes = tuple(nodes)


class LostBuildError(BuildError, LostError):
    """The server ended a session while dbt worked; no release is the reason."""


@dataclass(frozen=True)
class TestResult:
    """What one dbt test of a candidate said, and of each failing row the releases that it names (None: one that has no single name)."""

    name: str
    success: bool
    failures: int
    severity: str
    dimension: str
    message: str
    node: str = ""
    fingerprint: str = ""
    rows: tuple[tuple[int | None, ...], ...] = ()


def stage(profile: Profile) -> str:
    """Seeds and staging of this code, built once; returns their schema. Gate 1 looks through these views."""
    schema = core_schema()
    if _is_prepared(profile, schema):
        return schema
    with step("build.prepare"), locked(profile, DBT, wait=True):
        if _is_prepared(profile, schema):  # by another, while this one waited: built again, its views would go from under a gate
            return schema
        tests = _dbt(profile, PREPARATION)
        if failed := [f"{test.name}: {test.message}" for test in tests if not test.success]:
            raise BuildError(f"dbt: the seeds fail their tests: {'; '.join(failed)}")
        with connect(profile, "koshi_transformer") as connection:
            _let_gates_read(connection, schema)
            # the mark comes last: a build that was killed is made again
            facts = " ".join(f"{name}={code}" for name, code in sorted(_codes_of_facts(profile).items()))
            connection.execute(sql.SQL("comment on schema {} is {}").format(sql.Identifier(schema), sql.Literal(f"{PREPARED} {facts}")))
    return schema


def _is_prepared(profile: Profile, schema: str) -> bool:
    with connect(profile) as connection:
        return (_comment(connection, schema) or "").startswith(PREPARED)


def build(profile: Profile, candidate: Candidate) -> list[TestResult]:
    """Brings core up to date and builds the candidate's schema whole; returns what dbt's tests said of it.

    Raises `BuildError` where a model or contract fails.
    """
    load(profile, candidate)
    return build_publication(profile, candidate, is_whole=True)


def load(profile: Profile, candidate: Candidate) -> None:
    """Brings into core what it lacks of the candidate's releases. Raises `BuildError` where a fact cannot be made."""
    stage(profile)
    _name_candidate(profile, candidate)
    _analyze_landed(profile)
    with step("build.core"), locked(profile, DBT, wait=True):
        _take_over(profile)
        if models := _core_to_build(profile, candidate):
            _dbt(profile, models)


def _take_over(profile: Profile) -> None:
    """Moves facts that this code's core lacks out of the cores of other code, if what makes their rows is the same.

    What a moved fact lacks is loaded like any release; what was to be loaded again still is.
    """
    schema, codes = core_schema(), _codes_of_facts(profile)
    with connect(profile, "koshi_transformer") as connection:
        for other, name in _facts_elsewhere(connection, schema, codes):
            with connect(profile, "koshi_loader") as ledger:
                ledger.execute(
                    "insert into meta.reconciliation (core_schema, release_key, load_again)"
                    " select %s, release_key, true from meta.reconciliation where core_schema = %s and load_again"
                    " on conflict (core_schema, release_key) do update set load_again = true",
                    [schema, other],
                )
            # who looks at a core of other code is not waited for: then the fact is made anew
            with suppress(psycopg.errors.LockNotAvailable), connection.transaction():
                connection.execute("set local lock_timeout = '5s'")
                connection.execute(sql.SQL("alter table {} set schema {}").format(sql.Identifier(other, name), sql.Identifier(schema)))


def _facts_elsewhere(connection: Connection, schema: str, codes: Mapping[str, str]) -> list[tuple[str, str]]:
    """Of each fact that a core lacks the youngest other core that has it made by the same code, with the fact's name."""
    rows = connection.execute(
        "select n.nspname, coalesce(obj_description(n.oid, 'pg_namespace'), ''), array_agg(c.relname::text)"
        " from pg_namespace as n inner join pg_class as c on c.relnamespace = n.oid and c.relkind = 'r'"
        r" where n.nspname ~ '^core_[0-9a-f]+$' group by n.oid, n.nspname order by n.oid",
    ).fetchall()
    lacking = codes.keys() - {name for core, _, tables in rows if core == schema for name in tables}
    found: dict[str, str] = {}
    for core, remark, tables in rows:
        made = dict(part.split("=") for part in remark.removeprefix(PREPARED).split()) if remark.startswith(PREPARED) else {}
        found |= {name: str(core) for name in lacking & set(tables) if made.get(name) == codes[name]}
    return [(core, name) for name, core in sorted(found.items())]


def _core_to_build(profile: Profile, candidate: Candidate) -> list[str]:
    """The core models that may lack rows of the candidate: of its releases all but those that were found to add up there count."""
    project = graph(profile)
    with connect(profile, "koshi_loader") as connection:
        there = {str(name) for (name,) in connection.execute("select tablename from pg_tables where schemaname = %s", [core_schema()])}
        if any(node.relation not in there for node in project.nodes.values() if node.is_in("core") and node.name.startswith("model.")):
            return CORE
        lacking = lacking_in(connection, core_schema(), candidate.release_keys)
        tables = connection.execute("select tablename from pg_tables where schemaname = 'raw'").fetchall()
        asked = sql.SQL("select 1 from raw.{} where _release_key = any(%s) limit 1")
        filled = [name for (name,) in tables if lacking and connection.execute(asked.format(sql.Identifier(name)), [lacking]).fetchone()]
    return project.made_from(filled)


def build_publication(profile: Profile, candidate: Candidate, *, is_whole: bool = False) -> list[TestResult]:
    """Builds the candidate's schema over a core that has its releases; returns what dbt's tests said of it.

    What the releases that come and go cannot touch is not built: it is what readers see, and the candidate borrows it. With
    `is_whole` everything is built, for a publication that is not the next one after theirs.

    dbt always builds into the schema `candidate`, which then takes the publication's name: views keep pointing at what they read,
    and dbt need not parse its project anew for another name. Tests come after all models: one that fails keeps no mart from being built.
    Raises `BuildError` where a model or contract fails.
    """
    _name_candidate(profile, candidate)
    # every dbt keeps its parse of the project in one folder
    with step("build.publication"), locked(profile, DBT, wait=True):
        base = None if is_whole else _build_touched(profile, candidate)
        if base is None:
            _empty_candidate(profile)
            _dbt(profile, PUBLICATION, left_out=("test", "unit_test"))
        with connect(profile, "koshi_transformer") as connection:
            meaning.write(connection, "candidate", copy_of_manifest(profile) if base is None else None)
        tests = _dbt(profile, PUBLICATION, command="test")
    with connect(profile, "koshi_transformer") as connection:
        name = sql.Identifier(candidate.schema)
        connection.execute(sql.SQL("drop schema if exists {} cascade").format(name))
        _let_gates_read(connection, "candidate")
        remark = BUILT if base is None else f"{BUILT} {BORROWED} {hex_key(base)}"
        connection.execute(sql.SQL("comment on schema candidate is {}").format(sql.Literal(remark)))
        connection.execute(sql.SQL("alter schema candidate rename to {}").format(name))
    return tests


def _empty_candidate(profile: Profile) -> None:
    with connect(profile, "koshi_transformer") as connection:
        connection.execute("drop schema if exists candidate cascade")
        connection.execute("create schema candidate")


def _build_touched(profile: Profile, candidate: Candidate) -> int | None:
    """Builds what the candidate's other releases touch, beside what readers see; None where that is not all that differs.

    Returns the key of the publication that the rest is borrowed from.
    """
    with connect(profile, "koshi_loader") as connection:
        base = shown(connection)
        made_by = connection.execute("select code_fingerprint from meta.publication where publication_key = %s", [base]).fetchone()
        if base is None or made_by != (code_fingerprint(),):
            return None
        there = connection.execute("select release_key, is_current from meta.publication_release where publication_key = %s", [base])
        other = sorted({key for key, _ in {(int(key), bool(current)) for key, current in there.fetchall()} ^ {*candidate.releases}})
    with connect(profile, "koshi_transformer") as connection:
        touched = graph(profile).touched(_facts_of(connection, other))
        _empty_candidate(profile)
        borrow(connection, "candidate", but=[*touched, *meaning.OF_RELEASES])
    _dbt(profile, touched, left_out=("test", "unit_test"))
    with connect(profile, "koshi_transformer") as connection:
        if dimensions_differ(connection, "candidate", touched, other):
            return None
    _spare_what_is_shown(profile, base, other)
    return base


def _spare_what_is_shown(profile: Profile, base: int, other: Sequence[int]) -> None:
    """Lets the tests that look for keys pass by the rows that publication `base` has as well, if they failed for none of its own."""
    with connect(profile, "koshi_loader") as connection:
        if not any(str(failure["name"]).startswith("dbt: ") for failure in set_aside(connection, base)):
            connection.execute("update meta.candidate_release set is_as_shown = true where release_key <> all(%s)", [list(other)])


def _facts_of(connection: Connection, release_keys: Sequence[int]) -> set[str]:
    """The core facts that have rows of these releases."""
    tables = connection.execute("select tablename from pg_tables where schemaname = %s and tablename ~ '^int_'", [core_schema()]).fetchall()
    asked = sql.SQL("select 1 from {} where release_key = any(%s) limit 1")
    return {
        str(name)
        for (name,) in tables
        if connection.execute(asked.format(sql.Identifier(core_schema(), name)), [list(release_keys)]).fetchone()
    }


def _name_candidate(profile: Profile, candidate: Candidate) -> None:
    """Writes down which releases dbt builds from."""
    with connect(profile, "koshi_loader") as connection:
        connection.execute("delete from meta.candidate_release")
        with connection.cursor().copy("copy meta.candidate_release (release_key, is_current) from stdin") as copy:
            for release in candidate.releases:
                copy.write_row(release)


def _analyze_landed(profile: Profile) -> None:
    """Statistics for what landings and replays wrote: without them the planner joins row by row. What dbt builds it analyzes itself."""
    with connect(profile, "koshi_owner", autocommit=True) as connection:
        analyze_changed(connection, "raw", "meta")


def _let_gates_read(connection: Connection, schema: str) -> None:
    connection.execute(sql.SQL("grant usage on schema {} to koshi_loader").format(sql.Identifier(schema)))
    connection.execute(sql.SQL("grant select on all tables in schema {} to koshi_loader").format(sql.Identifier(schema)))


def is_built(connection: Connection, schema: str) -> bool:
    """Whether a publication's schema stands as a whole; one that borrows does as long as readers see what it borrows from."""
    remark, base = _comment(connection, schema), shown(connection)
    return remark == BUILT or (base is not None and remark == f"{BUILT} {BORROWED} {hex_key(base)}")


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
        "PGOPTIONS": p["options"],  # libpq's own, with the limit of a statement: dbt's profile has no place for it
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


def graph(profile: Profile) -> Graph:
    """dbt's graph of the project. Raises `BuildError` if the project does not parse."""
    return _parsed(profile)[0]


def _codes_of_facts(profile: Profile) -> dict[str, str]:
    """By relation of core the fingerprint of what makes its rows."""
    return _parsed(profile)[2]


def copy_of_manifest(profile: Profile) -> Any:
    """A copy of dbt's manifest of the project: each command of dbt changes the one that it is given."""
    return pickle.loads(_parsed(profile)[1])  # noqa: S301 # nosec B301 - written by `_parsed`


def _parsed(profile: Profile) -> tuple[Graph, bytes, dict[str, str]]:
    """The graph and the manifest of the project and the code of its facts, once a process: files of the project do not change under one."""
    known = (core_schema(), profile.database, str(profile.state))
    if known not in _PARSED:
        # dbt makes and drops many objects beside a million that stay: Python's own threshold looks for cycles among them without end,
        # which takes a tenth of a run
        gc.set_threshold(50_000)
        manifest = _invoke(profile, ["parse"]).result
        nodes = [
            Node(name, tuple(node.fqn[1:-1]), node.schema, node.alias, tuple(getattr(node.depends_on, "nodes", ())))
            for name, node in manifest.nodes.items()
        ]
        nodes += [Node(name, (), table.schema, table.identifier, ()) for name, table in manifest.sources.items()]
        dumped, codes = pickle.dumps(manifest, protocol=pickle.HIGHEST_PROTOCOL), fact_fingerprints(manifest, variables())
        _PARSED[known] = Graph({node.name: node for node in nodes}), dumped, codes
    return _PARSED[known]


def _invoke(profile: Profile, arguments: list[str], manifest: Any = None) -> Any:
    from dbt.cli.main import dbtRunner  # 2.6 s: only those who build pay for it

    project = str(ROOT / "dbt")
    said = json.dumps({"core_schema": core_schema()} | variables())
    common = ["--project-dir", project, "--profiles-dir", project, "--target", "prod", "--vars", said]
    common += ["--quiet", "--no-write-json", "--log-level", "none", "--log-level-file", "info", "--no-use-colors", "--cache-selected-only"]
    with _ONE_DBT, dbt_environment(profile):
        outcome = dbtRunner(manifest=manifest).invoke([*arguments, *common])
    if outcome.exception is not None:
        _raise_if_ended(arguments[0], one_line(str(outcome.exception)))
        raise BuildError(f"dbt {' '.join(arguments)}: {outcome.exception}")
    return outcome


def _results(profile: Profile, arguments: list[str]) -> list[Any]:
    """What dbt says of each node."""
    results = list(getattr(_invoke(profile, arguments, copy_of_manifest(profile)).result, "results", []))
    for result in results:
        if result.status not in ("pass", "success"):
            _raise_if_ended(result.node.name, _said(result))
    return results


def _raise_if_ended(what: str, said: str) -> None:
    """Raises a `BuildError` without nodes where not rows but the server or the limit of a statement ended what dbt did."""
    if "due to statement timeout" in said:
        raise BuildError(
            f"dbt: {what} took longer than {STATEMENT_SECONDS} s and was ended ({said}): nothing was published. Run again; if it comes"
            " again, look at its plan with `explain`"
        )
    if says_lost(said):
        raise LostBuildError(f"dbt: the server ended a session of {what} ({said}): nothing was published, run again")


def _dbt(profile: Profile, select: list[str], command: str = "build", left_out: Sequence[str] = ("unit_test",)) -> list[TestResult]:
    """Runs dbt on the selected nodes and returns what its tests said. Unit tests try the code, not the data: `make test` runs them."""
    arguments = [command, "--select", *select]
    for kind in left_out:
        arguments += ["--exclude-resource-type", kind]
    results = _results(profile, arguments)
    nodes = [result for result in results if result.node.resource_type != "test"]
    failed = [(result.node.unique_id, _said(result)) for result in nodes if result.status not in ("success", "skipped")]
    if failed:
        raise BuildError("dbt: " + "; ".join(f"{name} failed: {reason}" for name, reason in sorted(failed)), sorted(failed))
    # dbt's threads end in any order; what is recorded has one
    ended = sorted((result for result in results if result.node.resource_type == "test"), key=lambda result: result.node.name)
    tests = [_test_result(profile, result) for result in ended]
    skipped = [result.node.name for result in nodes if result.status == "skipped"]
    if skipped and all(test.success for test in tests):
        raise BuildError(f"dbt skipped {', '.join(skipped)} although nothing failed before")
    if not skipped:
        _check_relations(profile, nodes)
    return tests


def _said(result: Any) -> str:
    """dbt's reason in one line, without the path of the compiled file."""
    lines = [line.strip() for line in str(result.message or result.status).splitlines()]
    return "; ".join(line for line in lines if line and not line.startswith("compiled code at"))


def _test_result(profile: Profile, result: Any) -> TestResult:
    node = result.node
    meta = node.config.meta if hasattr(node.config, "meta") else {}
    if result.status == "error":
        raise BuildError(f"dbt: the test {node.name} cannot be evaluated: {_said(result)}")
    success, compiled = result.status in ("pass", "success"), str(node.compiled_code or "")
    # the text that dbt runs holds rule and arguments; names of schemas differ from code to code
    text = compiled.replace(core_schema(), "core").replace(f'"{node.database}".', "")
    return TestResult(
        name=node.name,
        success=success,
        failures=result.failures or 0,
        severity=str(getattr(node.config, "severity", "error")).lower(),
        dimension=meta.get("dimension", "coherence"),
        message=result.message or "",
        node=node.unique_id,
        fingerprint=hashlib.sha256(text.encode()).hexdigest()[:12],
        rows=() if success else _failing_rows(profile, compiled),
    )


def _failing_rows(profile: Profile, compiled: str) -> tuple[tuple[int | None, ...], ...]:
    """Of each failing row of a test the releases in its columns `release_key` and `release_keys`."""
    with connect(profile, "koshi_transformer") as connection:
        # the text is dbt's own, compiled from the project
        cursor = connection.execute(sql.SQL("select * from ({}) as failing limit {}").format(sql.SQL(compiled), FETCHED))
        names = [column.name for column in cursor.description or ()]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    named = ((*(row.get("release_keys") or ()), *([row["release_key"]] if "release_key" in row else ())) for row in rows)
    return tuple(tuple(number_of(key) for key in keys) for keys in named)


def _check_relations(profile: Profile, nodes: list[Any]) -> None:
    """Verifies that every relation that dbt reports as built exists."""
    with connect(profile) as connection:
        for result in nodes:
            if result.node.resource_type not in ("model", "seed") or result.node.config.materialized == "ephemeral":
                continue
            row = connection.execute("select to_regclass(format('%%I.%%I', %s::text, %s::text))", [result.node.schema, result.node.alias])
            if row.fetchone() == (None,):
                raise BuildError(f"dbt reports {result.node.unique_id} as built, but {result.node.schema}.{result.node.alias} is missing")
