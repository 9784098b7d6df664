"""What happened in this process, for the summary at the end of a run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from warehouse.wording import one_line

if TYPE_CHECKING:  # they import Great Expectations
    from expectations.intake import Intake
    from expectations.settle import Settled


@dataclass
class RunLog:
    """Intakes in order, what was settled last, and why tasks failed, by the name of the task or of the dataset that it takes in."""

    intakes: list[Intake] = field(default_factory=list)
    settled: Settled | None = None
    failed: dict[str, str] = field(default_factory=dict)


LOG = RunLog()


def intake(done: Intake) -> None:
    """Remembers what taking in a dataset came to."""
    LOG.intakes.append(done)


def settled(done: Settled) -> None:
    """Remembers what was published, or why nothing was."""
    LOG.settled = done


@contextmanager
def task(name: str) -> Iterator[None]:
    """Remembers why the task (or the task of the dataset of that name) failed; it goes on to fail."""
    try:
        yield
    except Exception as error:
        LOG.failed[name] = f"{type(error).__name__}: {one_line(str(error))}"
        raise
