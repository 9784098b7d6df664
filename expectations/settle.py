"""From accepted releases to a candidate that may be published: build, gate 2, hold what is at fault, build once more."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from expectations import gate2
from expectations.gate2 import Judgement
from extractors.caught_up import caught_up
from warehouse import ledger
from warehouse.build import build
from warehouse.candidate import Candidate, current_publication, form, new_releases, without
from warehouse.connection import connect
from warehouse.fingerprint import code_fingerprint
from warehouse.journal import Journal
from warehouse.locks import BUILD, hold
from warehouse.profile import Profile
from warehouse.publication import publish
from warehouse.steps import step

Outcome = Literal["published", "nothing new", "pinned", "refused", "empty"]


@dataclass
class Settled:
    """What became of the accepted releases; `reasons` name the failed checks, `held` the releases at fault."""

    outcome: Outcome
    number: int | None = None
    held: list[int] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    checks: int = 0
    warnings: list[str] = field(default_factory=list)


def settle(profile: Profile) -> Settled:
    """Publishes what may be published. One at a time: a second caller waits and then finds nothing new."""
    with hold(profile, BUILD, wait=True):
        return caught_up(profile, lambda: _settle(profile))


def _settle(profile: Profile) -> Settled:
    with step("candidate"), connect(profile, "koshi_loader") as connection:
        if reason := ledger.pinned(connection):
            return Settled("pinned", reasons=[reason])
        candidate, current = form(connection), current_publication(connection)
    if not candidate.releases:
        return Settled("empty", reasons=["no release was accepted"])
    if current and candidate.key == current[0]:
        return Settled("nothing new", number=current[1])
    settled = Settled("published")
    chosen = _choose(profile, candidate, settled)
    if chosen:
        settled.number = publish(profile, *chosen)
    return settled


def _choose(profile: Profile, candidate: Candidate, settled: Settled) -> tuple[Candidate, list[dict[str, Any]]] | None:
    """The candidate to publish with its results, after holding what is at fault; None if there is nothing to publish."""
    judgement = _build_and_judge(profile, candidate, settled)
    if not judgement.failed:
        return candidate, judgement.results
    settled.reasons = [name for name, _ in judgement.failed]
    with step("hold"), connect(profile, "koshi_loader") as connection:
        fault = gate2.at_fault(connection, judgement, new_releases(connection, candidate))
        body = {
            "publication_key": candidate.key,
            "releases": sorted(fault),
            "reason": " | ".join(settled.reasons),
            "code_fingerprint": code_fingerprint(),
            "results": judgement.results,
        }
        ledger.record(connection, Journal(profile.journal), "held" if fault else "refused", body)
        settled.held = sorted(fault)
        rest = without(connection, candidate, fault)
        current = current_publication(connection)
    if not fault or not rest.releases:
        settled.outcome = "refused"
        return None
    if current and rest.key == current[0]:
        settled.outcome, settled.number = "nothing new", current[1]
        return None
    second = _build_and_judge(profile, rest, settled)
    if not second.failed:
        return rest, second.results
    settled.outcome = "refused"
    settled.reasons += [name for name, _ in second.failed]
    return None


def _build_and_judge(profile: Profile, candidate: Candidate, settled: Settled) -> Judgement:
    judgement = gate2.judge(profile, candidate, build(profile, candidate))
    settled.checks = len(judgement.results)
    settled.warnings = [f"{r['expectation']}: {r['observed']}" for r in judgement.results if not r["success"] and r["outcome"] == "warn"]
    return judgement
