"""What a judge says of a candidate: its results, and of each critical failure what may be the reason for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from warehouse.candidate import Candidate
from warehouse.profile import Profile


@dataclass(frozen=True)
class Row:
    """A failing row: the releases it rests on, `complete` if it names all of them.

    `waits_for` is the dataset whose figure has not come, where that is all that is wrong.
    """

    releases: frozenset[int] = frozenset()
    complete: bool = True
    waits_for: str | None = None


@dataclass(frozen=True)
class Failure:
    """A critical check that fails, or a model that cannot be built, with its failing rows.

    `reads` are the releases that the failure can come from where its rows do not name them (None: any), `datasets` those that it was
    judged with (empty: all). `fingerprint` is that of the rule as it stands, `count` the number of failing rows that wait for nothing.
    """

    name: str
    reason: str
    rows: tuple[Row, ...] = (Row(complete=False),)
    reads: frozenset[int] | None = None
    datasets: frozenset[str] = frozenset()
    fingerprint: str = ""
    count: int = 1
    is_build: bool = False


@dataclass(frozen=True)
class Judgement:
    """Every result as a row of `quality.validation_result`, and the critical failures; none if readers may see the candidate."""

    results: list[dict[str, Any]] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)

    @property
    def is_built(self) -> bool:
        """Whether the candidate stands, so that its checks could be asked."""
        return not any(failure.is_build for failure in self.failures)


class Judge(Protocol):
    """Builds a candidate's schema (marked as standing, see `warehouse.build.BUILT`) and judges it."""

    def __call__(self, profile: Profile, candidate: Candidate) -> Judgement:
        """Its judgement. A candidate that its releases keep from being built is a failure too; any other error is raised."""
