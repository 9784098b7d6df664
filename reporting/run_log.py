"""What the tasks of a run came to, told in `meta.run`: a scheduler's tasks share no process, and their run ends with the same summary."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

import psycopg

from warehouse import runs, steps
from warehouse.connection import LostError
from warehouse.keys import hex_key
from warehouse.profile import Profile
from warehouse.server_home import ServerError
from warehouse.wording import one_line, trimmed

if TYPE_CHECKING:  # they import Great Expectations
    from expectations.intake import Intake
    from expectations.settle import Settled

# The environment of `make run` names the run that every DAG it drives belongs to
RUN = "KOSHI_RUN"
SHOWN = 8


@dataclass
class Taken:
    """What taking in one dataset came to: releases by what became of them, and the first of the rows that were quarantined."""

    releases: dict[str, int]
    quarantined: list[str] = field(default_factory=list)
    more_quarantined: int = 0


@dataclass
class Part:
    """What one task tells. `failed` is why it failed; `seconds` are those of its steps, `notes` what it mended on the way."""

    name: str
    taken: Taken | None = None
    settled: Settled | None = None
    failed: str = ""
    seconds: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def intake(self, done: Intake) -> None:
        """Tells what taking in a dataset came to."""
        self.taken = taken(done)


@dataclass
class RunLog:
    """All that the tasks of a run told; `failed` goes by the name of the task or of the dataset that it takes in."""

    taken: list[Taken] = field(default_factory=list)
    settled: Settled | None = None
    failed: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def taken(intake: Intake) -> Taken:
    """An intake as the summary needs it."""
    found = []
    for verdict in intake.accepted:
        place = f"{intake.dataset}, slice {verdict.slice}, edition {verdict.edition}, release {hex_key(verdict.release_key)}"
        found += [f"{place}, at {p['source_row']}: {p['rule']}: {trimmed(p['detail'])}" for p in verdict.quarantined]
    return Taken(
        {
            "landed": sum(delivery.landed for delivery in intake.deliveries),
            "accepted": len(intake.accepted),
            "rejected": len(intake.rejected),
            "undecided": len(intake.undecided),
            "confirmed": sum(delivery.confirmed for delivery in intake.deliveries),
            "skipped deliveries": sum(delivery.known for delivery in intake.deliveries),
            "unchanged slices": sum(delivery.unchanged for delivery in intake.deliveries),
        },
        found[:SHOWN],
        max(0, len(found) - SHOWN),
    )


@contextmanager
def task(profile: Profile, run: UUID, dag: str, name: str) -> Iterator[Part]:
    """The part of a task (or of the task of the dataset of that name) in the run; it is told when the task ends, however it ends."""
    part, before = Part(name), steps.seconds()
    try:
        yield part
    except BaseException as error:
        part.failed = f"{type(error).__name__}: {one_line(str(error))}"
        try:
            _tell(profile, run, dag, part, before)
        except (psycopg.Error, ServerError, LostError) as second:
            error.add_note(f"Nor could meta.run be told: {one_line(str(second))}")
        raise
    _tell(profile, run, dag, part, before)


def _tell(profile: Profile, run: UUID, dag: str, part: Part, before: dict[str, float]) -> None:
    part.seconds = {name: spent - before.get(name, 0.0) for name, spent in steps.seconds().items() if spent != before.get(name)}
    part.notes = steps.notes()
    runs.tell(profile, run, f"{dag} {part.name}", asdict(part))


def load(profile: Profile, run: UUID) -> RunLog:
    """What the tasks of the run told so far."""
    log = RunLog()
    for told in runs.told(profile, run):
        _add(log, told)
    log.seconds = {name: log.seconds[name] for name in steps.STEPS if name in log.seconds}
    return log


def _add(log: RunLog, told: dict[str, Any]) -> None:
    if told["taken"]:
        log.taken.append(Taken(**told["taken"]))
    if told["settled"]:
        from expectations.settle import Settled

        log.settled = Settled(**told["settled"])
    if told["failed"]:
        log.failed[told["name"]] = told["failed"]
    for name, spent in told["seconds"].items():
        log.seconds[name] = log.seconds.get(name, 0.0) + spent
    log.notes += told["notes"]


def run_of_the_environment() -> UUID | None:
    """The run of `make run` that this process belongs to, if it belongs to one."""
    run = os.environ.get(RUN)
    return UUID(run) if run else None
