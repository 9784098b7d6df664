"""From accepted releases to a candidate that may be published: build, gate 2, hold who is at fault, publish the rest."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any, Literal

from expectations.blame import Blame, Readers, Verdict
from expectations.judgement import Failure, Judge, Judgement, Row
from extractors.caught_up import caught_up
from warehouse import ledger
from warehouse.build import BuildError
from warehouse.candidate import (
    Candidate,
    Pool,
    accepted_by_person,
    company,
    current_publication,
    form,
    pool,
    shown,
    still_held,
)
from warehouse.connection import Connection, again_if_lost, connect, shared_sessions
from warehouse.fingerprint import code_fingerprint
from warehouse.journal import Journal
from warehouse.keys import hex_key
from warehouse.locks import BUILD, locked
from warehouse.profile import Profile
from warehouse.publication import publish, sweep
from warehouse.steps import step

Outcome = Literal["published", "nothing new", "pinned", "refused", "empty"]
NAMED = 5


@dataclass
class Settled:
    """What became of the accepted releases; `reasons` name the failed checks, `held` the releases at fault.

    `waiting` names what fails on what readers already see and waits for a person's decision; it kept nothing from being published.
    """

    outcome: Outcome
    number: int | None = None
    held: list[int] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    checks: int = 0
    warnings: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)


@again_if_lost
@shared_sessions()
def settle(profile: Profile, judge: Judge | None = None) -> Settled:
    """Publishes what may be published. One at a time: a second caller waits and then finds nothing new.

    `judge` builds and judges candidates; without it dbt and Great Expectations do.
    """
    with locked(profile, BUILD, wait=True):
        return caught_up(profile, lambda: _settle(profile, judge))


def is_settled(profile: Profile) -> bool:
    """Whether readers see the candidate of what is accepted now, so that there is nothing to build; never where a person pinned another."""
    with connect(profile, "koshi_loader") as connection:
        current, releases = current_publication(connection), pool(connection)
        return current is not None and not ledger.pinned(connection) and form(releases, still_held(releases)).key == current[0]


def _settle(profile: Profile, judge: Judge | None) -> Settled:
    with step("candidate"), connect(profile, "koshi_loader") as connection:
        current = current_publication(connection)
        number = current[1] if current else None
        if reason := ledger.pinned(connection):
            return Settled("pinned", number, reasons=[reason])
        releases = pool(connection)
        accepted = accepted_by_person(connection)
        readers = Readers(shown(connection), accepted, ledger.rules_passed(connection, current[0]) if current else None)
        candidate = form(releases, still_held(releases))
        waiting = _still_waiting(connection, current, releases, accepted)
        refusal = ledger.refused_before(connection, candidate.key)
    if not candidate.releases:
        return Settled("empty", number, reasons=["no release was accepted"])
    if refusal is not None:
        return Settled("refused", number, reasons=[refusal])
    if current and candidate.key == current[0]:
        settled = Settled("nothing new", number, waiting=waiting)
    else:
        settled = _Settling(profile, judge or _built_by_dbt(), releases, readers, current).run()
    if settled.outcome != "published":
        sweep(profile)  # after a publication it was done
    return settled


def _built_by_dbt() -> Judge:
    from expectations.gate2 import BuiltByDbt  # imports Great Expectations, 3 s: only where something is judged

    return BuiltByDbt()


class _Settling:
    """One settling of one pool of releases."""

    def __init__(self, profile: Profile, judge: Judge, releases: Pool, readers: Readers, current: tuple[int, int] | None) -> None:
        self.profile, self.judge, self.releases, self.readers, self.current = profile, judge, releases, readers, current
        self.judged: dict[int, Judgement] = {}

    def run(self) -> Settled:
        """Holds who is at fault, then publishes what stands."""
        before = still_held(self.releases)
        blame = Blame(self.releases, self.readers, self._attempt)
        verdicts, aside = blame.settle(before)
        if unbuilt := [failure for failure in aside if failure.is_build]:
            raise BuildError(f"{'; '.join(failure.reason for failure in unbuilt)}: no new release is the reason, so the code is")
        held = frozenset(key for verdict in verdicts for key in verdict.releases)
        settled = Settled("published", held=sorted(held))
        settled.reasons = list(dict.fromkeys(verdict.reason for verdict in verdicts))
        if held:
            first = form(self.releases, before)
            self._record("held", first, " | ".join(settled.reasons), self._verdicts(verdicts), self._attempt(before).results)
        candidate = form(self.releases, before | held)
        judgement = self._attempt(before | held)
        settled.checks = len(judgement.results)
        settled.warnings = [
            f"{r['expectation']}: {r['observed']}" for r in judgement.results if not r["success"] and r["outcome"] == "warn"
        ]
        open_ = [failure for failure in aside if _open_rows(failure, self.readers.accepted)]
        settled.waiting = [_decision(failure.reason, failure.rows, self.releases, self.readers.accepted) for failure in open_]
        return self._end(settled, candidate, judgement, aside, [failure for failure in open_ if self.readers.rule_holds(failure)])

    def _end(self, settled: Settled, candidate: Candidate, judgement: Judgement, aside: list[Failure], refusing: list[Failure]) -> Settled:
        settled.number = self.current[1] if self.current else None
        if self.current and candidate.key == self.current[0]:
            settled.outcome = "nothing new"
        elif not candidate.releases:
            settled.outcome = "refused"
        elif refusing:
            settled.outcome, settled.waiting = "refused", []
            why = [_decision(failure.reason, failure.rows, self.releases, self.readers.accepted) for failure in refusing]
            settled.reasons += why
            self._record("refused", candidate, " | ".join(why), [], judgement.results)
        else:
            remembered = [_as_json(failure) for failure in aside]
            settled.number = publish(self.profile, candidate, judgement.results, remembered)
        return settled

    def _attempt(self, left_out: frozenset[int]) -> Judgement:
        """The judgement of the pool without these, each candidate built and judged once."""
        candidate = form(self.releases, left_out)
        if candidate.key not in self.judged:
            self.judged[candidate.key] = self._judge(candidate)
        return self.judged[candidate.key]

    def _judge(self, candidate: Candidate) -> Judgement:
        if not candidate.releases:
            return Judgement()
        if self.current and candidate.key == self.current[0]:
            # readers look at it: it is not built again, and of what fails in it the journal tells
            with connect(self.profile, "koshi_loader") as connection:
                return Judgement([], [_from_json(entry) for entry in ledger.set_aside(connection, candidate.key)])
        return self.judge(self.profile, candidate)

    def _verdicts(self, verdicts: list[Verdict]) -> list[dict[str, Any]]:
        """Each held release once, with every reason and the company in which it is not tried again."""
        by_release: dict[int, list[Verdict]] = defaultdict(list)
        for verdict in verdicts:
            for key in verdict.releases:
                by_release[key].append(verdict)
        return [
            {
                "release": key,
                "reason": " | ".join(dict.fromkeys(verdict.reason for verdict in given)),
                "datasets": (datasets := _all_of(given)),
                "held_with": company(self.releases, datasets),
            }
            for key, given in sorted(by_release.items())
        ]

    def _record(self, kind: str, candidate: Candidate, reason: str, verdicts: list[dict[str, Any]], results: list[dict[str, Any]]) -> None:
        body = {
            "publication_key": candidate.key,
            "releases": [verdict["release"] for verdict in verdicts],
            "verdicts": verdicts,
            "reason": reason,
            "code_fingerprint": code_fingerprint(),
            "results": results,
        }
        with step("hold"), connect(self.profile, "koshi_loader") as connection:
            ledger.record(connection, Journal(self.profile.journal), kind, body)


def _all_of(verdicts: list[Verdict]) -> list[str]:
    """The datasets of all of them; none, which is all, where one names none."""
    named = all(verdict.datasets for verdict in verdicts)
    return sorted(frozenset().union(*(verdict.datasets for verdict in verdicts))) if named else []


def _open_rows(failure: Failure, accepted: frozenset[int]) -> list[Row]:
    """The failing rows of which no release was accepted by a person, and which do not merely wait for a figure."""
    return [row for row in failure.rows if not row.waits_for and not row.releases & accepted]


def _decision(reason: str, rows: tuple[Row, ...], releases: Pool, accepted: frozenset[int]) -> str:
    keys = sorted({key for row in rows if not row.releases & accepted for key in row.releases if key in releases})
    names = [f"{hex_key(key)} ({releases[key].of}, {releases[key].slice})" for key in keys[:NAMED]]
    more = f" and {len(keys) - NAMED} more" if len(keys) > NAMED else ""
    of = f"accept or withdraw one of {', '.join(names)}{more}" if names else "accept or withdraw a release that it reads"
    return f"{reason}: it fails on what readers already see, and waits for a person's decision: {of}"


def _still_waiting(connection: Connection, current: tuple[int, int] | None, releases: Pool, accepted: frozenset[int]) -> list[str]:
    """What waited for a decision when the publication that readers see was published, and still does."""
    remembered = [_from_json(entry) for entry in ledger.set_aside(connection, current[0])] if current else []
    return [_decision(failure.reason, failure.rows, releases, accepted) for failure in remembered if _open_rows(failure, accepted)]


def _as_json(failure: Failure) -> dict[str, Any]:
    rows = [{"releases": sorted(row.releases), "complete": row.complete, "waits_for": row.waits_for} for row in failure.rows]
    return {"name": failure.name, "reason": failure.reason, "count": failure.count, "fingerprint": failure.fingerprint, "rows": rows}


def _from_json(entry: dict[str, Any]) -> Failure:
    rows = tuple(Row(frozenset(row["releases"]), row["complete"], row["waits_for"]) for row in entry["rows"])
    return Failure(entry["name"], entry["reason"], rows, fingerprint=entry["fingerprint"], count=entry["count"])
