"""Gate 1: may the landed releases of a dataset become facts?

`critical` checks reject a release, quarantine rows (above the dataset's cap: reject), or leave the release to a person's decision;
warnings pass and are reported.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from psycopg import sql

from extractors.source import Dataset, load_source
from warehouse import ledger
from warehouse.build import stage
from warehouse.connection import connect
from warehouse.fingerprint import code_fingerprint, verdict_fingerprint
from warehouse.journal import Journal
from warehouse.keys import hex_key
from warehouse.profile import Profile
from warehouse.statistics import analyze_changed
from warehouse.steps import reached, step

if TYPE_CHECKING:  # they import Great Expectations, 3 s: `_judge` does where there is something to judge
    from expectations.check import Check
    from expectations.validation import Finding, Offender

NAMED = 3


@dataclass
class Verdict:
    """What gate 1 says of one release."""

    release_key: int
    slice: str
    edition: str
    rows: int
    reasons: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    quarantined: list[dict[str, Any]] = field(default_factory=list)

    @property
    def state(self) -> str:
        """State `rejected` for `reasons`, `undecided` for `doubts`, else `accepted`."""
        return "rejected" if self.reasons else ledger.UNDECIDED if self.doubts else "accepted"

    @property
    def said(self) -> str:
        """Why it was not accepted; empty if it was."""
        return " | ".join([*self.reasons, *self.doubts])


def judge(profile: Profile, source: str, dataset_name: str) -> list[Verdict]:
    """Judges every landed release of the dataset, records the verdicts, and returns them; an empty list if there is none.

    A release that was rejected by other code, or left to a person who has not decided, is judged again as it stands: its rows are in raw.

    Raises `GateError` if a check cannot be evaluated; the releases stay landed and are judged again.
    """
    dataset = load_source(source).dataset(dataset_name)
    if not (rows := unjudged(profile, source, dataset_name)):
        return []
    lowest = {name: key for key, name, *_ in reversed(rows)}
    # one that has nothing to be compared with but others that are not judged yet comes after them
    ready = [row for row in rows if row[-1] or lowest[row[1]] == row[0]]
    verdicts = _judge(profile, source, dataset_name, dataset, [row[:-1] for row in ready])
    return verdicts + (judge(profile, source, dataset_name) if len(ready) < len(rows) else [])


def unjudged(profile: Profile, source: str, dataset: str) -> list[tuple[Any, ...]]:
    """The releases that `judge` would judge: key, slice, edition, rows, why it cannot be read, whether one is below it."""
    with connect(profile, "koshi_loader") as connection:
        return connection.execute(
            "select release_key, slice, edition, rows_landed, case when row_digest = '' then reason end, below_key is not null"
            " from meta.release inner join meta.release_below using (release_key)"
            " where source = %s and dataset = %s and (state = 'landed' or (state in ('rejected', %s) and row_digest <> '' and rows_at_hand"
            "  and verdict_fingerprint is distinct from %s)) order by slice, rank, parse_number, release_key",
            [source, dataset, ledger.UNDECIDED, verdict_fingerprint(source)],
        ).fetchall()


def _judge(profile: Profile, source: str, dataset_name: str, dataset: Dataset, rows: list[tuple[Any, ...]]) -> list[Verdict]:
    """Judges releases (key, slice, edition, rows, why it cannot be read), each by itself beside the one below it."""
    from expectations import validation
    from expectations.places import suite_of

    schema = stage(profile)
    with step("gate1"):
        verdicts = {key: Verdict(key, name, edition, count) for key, name, edition, count, _ in rows}
        issues = {key: issue for key, *_, issue in rows if issue is not None}
        findings = _unreadable(verdicts, issues)
        readable = [key for key in verdicts if key not in issues]
        if readable:
            _refresh_statistics(profile, dataset)
            suite = suite_of(source, dataset_name, schema)
            view, keys = f"{schema}.{suite.view}", ", ".join(map(str, readable))
            name, query = f"{source}.{dataset_name}", f"select * from {view} where release_key in ({keys})"
            tables = validation.lay_out(profile, name, query, _below(profile, view, readable))
            found = validation.validate(profile, tables, suite.checks, name)
            for finding in found:
                _weigh(finding, dataset, verdicts)
            findings += [_result(source, dataset_name, finding) for finding in found]
        _record(profile, source, dataset_name, list(verdicts.values()), findings)
    return list(verdicts.values())


def _below(profile: Profile, view: str, keys: list[int]) -> str:
    """The rows of the releases to compare with, asked for by their keys: joined to a pair, the view would read all of raw."""
    with connect(profile, "koshi_loader") as connection:
        pairs = connection.execute(
            "select release_key, below_key from meta.release_below where release_key = any(%s) and below_key is not null", [keys]
        ).fetchall()
    paired = ", ".join(f"({newer}, {older})" for newer, older in pairs) or "(null::bigint, null::bigint)"
    older_keys = ", ".join(str(older) for _, older in pairs) or "null"
    return (
        f"select pair.newer_key, old.* from {view} as old"
        f" join (values {paired}) as pair (newer_key, below_key) on pair.below_key = old.release_key"
        f" where old.release_key in ({older_keys})"
    )


def _refresh_statistics(profile: Profile, dataset: Dataset) -> None:
    """The planner has not seen what was just landed, and autovacuum comes later. Of little beside much the new key is all that it needs."""
    with connect(profile, autocommit=True) as connection:
        if ("raw", dataset.shape) not in analyze_changed(connection, "raw"):
            connection.execute(sql.SQL("analyze {} (_release_key)").format(sql.Identifier("raw", dataset.shape)))


def _unreadable(verdicts: dict[int, Verdict], issues: dict[int, str]) -> list[dict[str, Any]]:
    """An answer that no parser could read is rejected for that reason; Great Expectations has no row to look at."""
    results = []
    for key, issue in issues.items():
        verdicts[key].reasons.append(f"the answer is readable: {issue}")
        results.append(
            {
                "gate": "gate 1",
                "subject": f"release {hex_key(key)}",
                "release_key": key,
                "expectation": "the answer is readable",
                "dimension": "accessibility",
                "severity": "critical",
                "outcome": "reject",
                "success": False,
                "unexpected_count": 1,
                "observed": issue,
            }
        )
    return results


def _weigh(finding: Finding, dataset: Dataset, verdicts: dict[int, Verdict]) -> None:
    """What a failed check means for the releases that it names."""
    from expectations.validation import GateError

    if finding.success or finding.check.outcome == "warn":
        return
    by_release: dict[int, list[Offender]] = defaultdict(list)
    for offender in finding.offenders:
        if offender.release_key not in verdicts:
            raise GateError(f"expectation {finding.check.name!r} names {_release(offender)}, which is not under test")
        by_release[offender.release_key].append(offender)
    for key, offenders in by_release.items():
        verdict = verdicts[key]
        if finding.check.outcome == "quarantine":
            verdict.quarantined += [_pointer(finding.check, offender) for offender in offenders]
            rows = {(pointer["snapshot_key"], pointer["source_row"]) for pointer in verdict.quarantined}
            if len(rows) <= dataset.quarantine_max_share * verdict.rows:
                continue
        against = verdict.doubts if finding.check.outcome == "hold" else verdict.reasons
        against.append(f"{finding.check.name}: {_name(offenders)}")


def _release(offender: Offender) -> str:
    return "no release" if offender.release_key is None else f"release {hex_key(offender.release_key)}"


def _pointer(check: Check, offender: Offender) -> dict[str, Any]:
    return {"snapshot_key": offender.snapshot_key, "source_row": offender.source_row, "rule": check.name, "detail": offender.detail}


def _name(offenders: list[Offender], count: int | None = None) -> str:
    shown = "; ".join(f"at {offender.source_row}: {offender.detail}" for offender in offenders[:NAMED])
    more = (count or len(offenders)) - NAMED
    return shown + (f"; and {more} more" if more > 0 else "")


def _result(source: str, dataset: str, finding: Finding) -> dict[str, Any]:
    keys = {offender.release_key for offender in finding.offenders}
    return {
        "gate": "gate 1",
        "subject": f"{source}.{dataset}",
        "release_key": keys.pop() if len(keys) == 1 else None,
        "expectation": finding.check.name,
        "dimension": finding.check.dimension,
        "severity": finding.check.severity,
        "outcome": finding.check.outcome,
        "success": finding.success,
        "unexpected_count": finding.count,
        "observed": _name(list(finding.offenders), finding.count) if finding.offenders else finding.observed,
    }


def _record(profile: Profile, source: str, dataset: str, verdicts: list[Verdict], results: list[dict[str, Any]]) -> None:
    body = {
        "source": source,
        "dataset": dataset,
        "code_fingerprint": code_fingerprint(),
        "verdict_fingerprint": verdict_fingerprint(source),
        "releases": [
            {
                "release_key": verdict.release_key,
                "state": verdict.state,
                "reason": verdict.said or None,
                "quarantined": verdict.quarantined,
            }
            for verdict in verdicts
        ],
        "results": [result | {"dataset": f"{source}.{dataset}"} for result in results],
    }
    with connect(profile, "koshi_loader") as connection:
        with step("gate1.journal"):
            ledger.record(connection, Journal(profile.journal), "judged", body)
        reached("gate1.commit")
