"""Gate 2: may readers see the candidate? dbt's tests and the suite of the publication, across datasets."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Any, TypeVar

from psycopg import sql

from expectations.accounting import NAME, Accounting, add_up
from expectations.check import BATCH, Check
from expectations.data_context import PUBLICATION
from expectations.judgement import Failure, Judgement, Row
from expectations.suites.publication import suite
from expectations.validation import Finding, validate
from extractors.source import load_source, source_codes
from warehouse.build import BuildError, TestResult, build_publication, graph, load
from warehouse.candidate import Candidate
from warehouse.connection import Connection, connect
from warehouse.graph import Graph
from warehouse.keys import hex_key
from warehouse.profile import Profile
from warehouse.steps import step

NAMED = 5
T = TypeVar("T")


class BuiltByDbt:
    """The judge of the warehouse: dbt builds and tests, Great Expectations has the suite of the publication.

    One for a settling: core is brought up to date once for all candidates whose releases it has.
    """

    def __init__(self) -> None:
        self._loaded: set[int] = set()
        self._graph: Graph | None = None
        self._failed: set[str] = set()

    def __call__(self, profile: Profile, candidate: Candidate) -> Judgement:
        """Builds the candidate and judges it. Raises `BuildError` where dbt cannot go on, `GateError` for a check that is broken."""
        try:
            if not self._loaded.issuperset(candidate.release_keys):
                self._twice(lambda: load(profile, candidate))
                self._loaded.update(candidate.release_keys)
            accounting = add_up(profile, candidate)
            if accounting.faults:
                return Judgement([], accounting.failures)
            tests = self._twice(lambda: build_publication(profile, candidate))
        except BuildError as error:
            if not error.nodes:
                raise
            return Judgement([], [self._unbuilt(profile, candidate, name, reason) for name, reason in error.nodes])
        return self._judge(profile, candidate, tests, accounting)

    def _twice(self, make: Callable[[], T]) -> T:
        """What does not fail twice is no release's fault: a full disk or a server that went away passes, rows stay."""
        try:
            return make()
        except BuildError as error:
            nodes = {name for name, _ in error.nodes}
            if nodes <= self._failed:
                raise
        try:
            return make()
        except BuildError as error:
            self._failed |= {name for name, _ in error.nodes}
            raise

    def _unbuilt(self, profile: Profile, candidate: Candidate, node: str, reason: str) -> Failure:
        reads, datasets = self.rests_on(profile, candidate, [node])
        # PostgreSQL quotes the row at fault, and nothing else is as long as the key of a release, which a mart has as text
        named = frozenset(key for key in candidate.release_keys if re.search(rf"(?<!\d){key}(?!\d)|\b{hex_key(key)}\b", reason))
        row = Row(named, complete=bool(named))
        return Failure(node, f"{node} cannot be built: {reason}", (row,), reads, datasets, is_build=True)

    def _judge(self, profile: Profile, candidate: Candidate, tests: list[TestResult], accounting: Accounting) -> Judgement:
        results = [_accounts(candidate, accounting), *(_dbt_result(candidate, test) for test in tests)]
        failures = [self._of_test(profile, candidate, test) for test in tests if not test.success and test.severity == "error"]
        with step("gate2"):
            chosen = suite(candidate.schema)
            for finding in validate(profile, {BATCH: f"{candidate.schema}.{chosen.view}"}, chosen.checks, PUBLICATION):
                results.append(_suite_result(candidate, finding))
                if not finding.success and finding.check.outcome == "hold":
                    failures.append(self._of_check(profile, candidate, finding))
        return Judgement(results, failures)

    def _of_test(self, profile: Profile, candidate: Candidate, test: TestResult) -> Failure:
        reads, datasets = self.rests_on(profile, candidate, [test.node])
        rows = tuple(_row(keys) for keys in test.rows) or (Row(complete=False),)
        reason = f"dbt: {test.name}: {test.message}"
        return Failure(f"dbt: {test.name}", reason, rows, reads, datasets, test.fingerprint, test.failures)

    def _of_check(self, profile: Profile, candidate: Candidate, finding: Finding) -> Failure:
        check = finding.check
        reads, datasets = self.rests_on(profile, candidate, self.relations_of(profile, candidate, check))
        rows = tuple(_row(offender.release_keys, offender.waits_for) for offender in finding.offenders)
        reason, waiting = f"{check.name}: {_detail(finding)}", sum(row.waits_for is not None for row in rows)
        return Failure(check.name, reason, rows, reads, datasets, rule(check, candidate.schema), finding.count - waiting)

    def relations_of(self, profile: Profile, candidate: Candidate, check: Check) -> list[str]:
        """The models that the check's query names."""
        named = re.findall(rf"\b{candidate.schema}\.(\w+)", check.offenders)
        return self._project(profile).named(named)

    def rests_on(self, profile: Profile, candidate: Candidate, nodes: list[str]) -> tuple[frozenset[int], frozenset[str]]:
        """What the nodes rest on by dbt's graph: releases of the candidate, and the datasets whose answers have that shape."""
        project = self._project(profile)
        grounds, shapes = project.grounds(nodes), project.raw_tables(nodes)
        with connect(profile, "koshi_transformer") as connection:
            reads = set().union(*(_releases_in(connection, node.schema, node.relation, candidate) for node in grounds))
            rows = connection.execute("select distinct source, dataset from meta.release where release_key = any(%s)", [list(reads)])
            datasets = {f"{source}.{dataset}" for source, dataset in rows.fetchall()}
        if not grounds:
            return frozenset(candidate.release_keys), frozenset()
        return frozenset(reads), frozenset(datasets | _of_shapes(shapes))

    def _project(self, profile: Profile) -> Graph:
        if self._graph is None:
            self._graph = graph(profile)
        return self._graph


def _releases_in(connection: Connection, schema: str, relation: str, candidate: Candidate) -> set[int]:
    """The candidate's releases with rows in the relation; none if it could not be built."""
    name = sql.Identifier(schema, relation)
    if connection.execute("select to_regclass(%s)", [name.as_string()]).fetchone() == (None,):
        return set()
    query = sql.SQL("select distinct release_key from {} where release_key = any(%s)").format(name)
    return {int(key) for (key,) in connection.execute(query, [candidate.release_keys]).fetchall()}


def _of_shapes(shapes: list[str]) -> set[str]:
    """The declared datasets whose answers land in these tables of raw."""
    sources = [load_source(code) for code in source_codes()]
    return {f"{source.code}.{name}" for source in sources for name, dataset in source.datasets.items() if dataset.shape in shapes}


def _row(keys: tuple[int | None, ...], waits_for: str | None = None) -> Row:
    named = frozenset(key for key in keys if key is not None)
    return Row(named, bool(named) and None not in keys, waits_for)


def rule(check: Check, schema: str) -> str:
    """12 hexadecimal digits over what the check asks and what follows, whatever the schema's name."""
    text = "|".join((type(check.expectation).__name__, check.outcome, check.offenders.replace(schema, "{schema}")))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _detail(finding: Finding) -> str:
    return "; ".join(offender.detail for offender in finding.offenders[:NAMED]) or finding.observed


def _about(candidate: Candidate, name: str, dimension: str, severity: str, outcome: str, fingerprint: str) -> dict[str, Any]:
    return {
        "gate": "gate 2",
        "subject": candidate.schema,
        "publication_key": candidate.key,
        "expectation": name,
        "dimension": dimension,
        "severity": severity,
        "outcome": outcome,
        "rule_fingerprint": fingerprint,
    }


def _accounts(candidate: Candidate, accounting: Accounting) -> dict[str, Any]:
    """What costs readers nothing is a warning; what does, keeps the candidate from being built."""
    return {
        **_about(candidate, NAME, "accuracy", "warning", "warn", "1"),
        "success": not accounting.remarks,
        "unexpected_count": len(accounting.remarks),
        "observed": "; ".join(accounting.remarks.values()) or None,
    }


def _suite_result(candidate: Candidate, finding: Finding) -> dict[str, Any]:
    check = finding.check
    return {
        **_about(candidate, check.name, check.dimension, check.severity, check.outcome, rule(check, candidate.schema)),
        "success": finding.success,
        "unexpected_count": finding.count,
        "observed": _detail(finding),
    }


def _dbt_result(candidate: Candidate, test: TestResult) -> dict[str, Any]:
    severity, outcome = ("critical", "hold") if test.severity == "error" else ("warning", "warn")
    return {
        **_about(candidate, f"dbt: {test.name}", test.dimension, severity, outcome, test.fingerprint),
        "success": test.success,
        "unexpected_count": test.failures,
        "observed": test.message or None,
    }
