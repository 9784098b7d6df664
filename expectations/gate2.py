"""Gate 2: may readers see the candidate? dbt's tests and the suite of the publication, across datasets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from expectations.suites.publication import suite
from expectations.validation import validate
from warehouse.build import TestResult
from warehouse.candidate import Candidate
from warehouse.connection import Connection
from warehouse.profile import Profile
from warehouse.steps import step


@dataclass(frozen=True)
class Judgement:
    """Every result as a row of `quality.validation_result`, and of the critical failures what they read (empty: everything)."""

    results: list[dict[str, Any]]
    failed: list[tuple[str, tuple[str, ...]]]


def judge(profile: Profile, candidate: Candidate, tests: list[TestResult]) -> Judgement:
    """Judges a built candidate; `tests` are what dbt's tests said of it. Raises `GateError` if a check cannot be evaluated."""
    results = [_dbt_result(candidate, test) for test in tests]
    failed = [(test.name, test.reads) for test in tests if not test.success and test.severity == "error"]
    with step("gate2"):
        if not failed:  # the marts stand only if the tests before them passed
            chosen = suite(candidate.schema)
            for finding in validate(profile, f"select * from {candidate.schema}.{chosen.view}", chosen.checks, keep_as="publication"):
                check = finding.check
                detail = "; ".join(offender.detail for offender in finding.offenders[:5]) or finding.observed
                results.append(
                    {
                        **_about(candidate, check.name, check.dimension, check.severity, check.outcome),
                        "success": finding.success,
                        "unexpected_count": finding.count,
                        "observed": detail,
                    }
                )
                if not finding.success and check.outcome == "hold":
                    failed.append((f"{check.name}: {detail}", check.reads))
    return Judgement(results, failed)


def at_fault(connection: Connection, judgement: Judgement, new: set[int]) -> set[int]:
    """Of the releases that are new in the candidate, those that a failed check reads."""
    reads = {dataset for _, datasets in judgement.failed for dataset in datasets}
    everything = any(not datasets for _, datasets in judgement.failed)
    rows = connection.execute("select release_key, source, dataset from meta.release where release_key = any(%s)", [list(new)]).fetchall()
    return {int(key) for key, source, dataset in rows if everything or f"{source}.{dataset}" in reads}


def _about(candidate: Candidate, name: str, dimension: str, severity: str, outcome: str) -> dict[str, Any]:
    return {
        "gate": "gate 2",
        "subject": candidate.schema,
        "publication_key": candidate.key,
        "expectation": name,
        "dimension": dimension,
        "severity": severity,
        "outcome": outcome,
    }


def _dbt_result(candidate: Candidate, test: TestResult) -> dict[str, Any]:
    critical = test.severity == "error"
    return {
        **_about(candidate, f"dbt: {test.name}", test.dimension, "critical" if critical else "warning", "hold" if critical else "warn"),
        "success": test.success,
        "unexpected_count": test.failures,
        "observed": test.message or None,
    }
