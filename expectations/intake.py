"""Taking in a dataset: every delivery is landed and judged before the next is taken."""

from __future__ import annotations

from dataclasses import dataclass, field

from expectations.gate1 import Verdict, judge
from extractors.caught_up import caught_up
from extractors.delivery import deliver
from extractors.landing import Landed
from warehouse.locks import hold
from warehouse.profile import Profile


@dataclass
class Intake:
    """What taking in one dataset came to."""

    dataset: str
    deliveries: list[Landed] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)

    @property
    def accepted(self) -> list[Verdict]:
        """The releases that gate 1 let pass."""
        return [verdict for verdict in self.verdicts if verdict.state == "accepted"]

    @property
    def rejected(self) -> list[Verdict]:
        """The releases that gate 1 rejected."""
        return [verdict for verdict in self.verdicts if verdict.state == "rejected"]


def take_in(profile: Profile, source: str, dataset: str) -> Intake:
    """Fetches, lands and judges the dataset; waits for somebody else who is at it. Raises what `deliver` and `judge` raise."""
    intake = Intake(f"{source}.{dataset}")
    with hold(profile, f"dataset {source}.{dataset}", wait=True):
        caught_up(profile, lambda: _take_in(profile, source, dataset, intake))
    return intake


def _take_in(profile: Profile, source: str, dataset: str, intake: Intake) -> None:
    # what an earlier run landed and could not judge any more
    intake.verdicts += judge(profile, source, dataset)
    for landed in deliver(profile, source, dataset):
        intake.deliveries.append(landed)
        intake.verdicts += judge(profile, source, dataset)
