"""What happened in this process, for the summary at the end of a run."""

from __future__ import annotations

from dataclasses import dataclass, field

from expectations.intake import Intake
from expectations.settle import Settled


@dataclass
class RunLog:
    """Intakes in order, and what was settled last."""

    intakes: list[Intake] = field(default_factory=list)
    settled: Settled | None = None


LOG = RunLog()


def intake(done: Intake) -> None:
    """Remembers what taking in a dataset came to."""
    LOG.intakes.append(done)


def settled(done: Settled) -> None:
    """Remembers what was published, or why nothing was."""
    LOG.settled = done
