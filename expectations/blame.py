"""Blame: of the releases that no publication has shown, the fewest without which a candidate stands.

The keys in the failing rows name them. Where rows name none, those that dbt's graph leads to are suspects, and are left out one dataset
at a time. What fails without any suspect fails on what readers already see, and is a person's to decide.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from expectations.judgement import Failure, Judgement
from warehouse.candidate import Pool, form

Attempt = Callable[[frozenset[int]], Judgement]
# Candidates that are built in one settling to find out who is at fault; beyond them all suspects that are left are held
TRIALS = 24


@dataclass(frozen=True)
class Verdict:
    """Releases to hold, why, and the datasets that they were judged with (empty: all)."""

    releases: frozenset[int]
    reason: str
    datasets: frozenset[str]


@dataclass(frozen=True)
class Readers:
    """What readers have: the releases that were shown, those that a person accepted, and the rules that hold there.

    What was shown may no longer be held, as what it was shown as: one that stood below others (False) and comes to be current, because
    what was above is withdrawn, says for the first time what its slice is.
    `passed` has the fingerprint of each check that the publication readers see passed; None before the first publication.
    """

    shown: Mapping[int, bool]
    accepted: frozenset[int]
    passed: Mapping[str, frozenset[str]] | None

    def rule_holds(self, failure: Failure) -> bool:
        """Whether this very rule holds of what readers see, so that what is new broke it. Before anything is shown, all is new."""
        return self.passed is None or failure.is_build or failure.fingerprint in self.passed.get(failure.name, frozenset())


class Blame:
    """Judges the failures of candidates made of one pool of releases; `attempt` judges the pool without some of them."""

    def __init__(self, releases: Pool, readers: Readers, attempt: Attempt) -> None:
        self.releases, self.readers, self.attempt = releases, readers, attempt
        self.trials = 0

    def settle(self, left_out: frozenset[int]) -> tuple[list[Verdict], list[Failure]]:
        """Holds what is at fault until nothing new is found: the verdicts, and what fails on what readers already see.

        What shows at a later stage may have been the reason of what was found before, so that is put back where it can be.
        """
        verdicts: list[Verdict] = []
        while True:
            found, aside = self._once(_without(left_out, verdicts))
            if not found:
                break
            verdicts += found
        known = {failure.name for failure in aside}
        for verdict in verdicts[:-1]:
            rest = [other for other in verdicts if other is not verdict]
            freed = _without(left_out, verdicts) - _without(left_out, rest)
            if freed and all(failure.name in known for failure in self._trial(_without(left_out, rest)).failures):
                verdicts = rest
        return verdicts, aside

    def _once(self, left_out: frozenset[int]) -> tuple[list[Verdict], list[Failure]]:
        """Who is at fault when these are left out. If nobody is: the failures of the candidate, all on what readers already see."""
        verdicts: list[Verdict] = []
        aside: list[Failure] = []
        doubtful: list[tuple[Failure, frozenset[int]]] = []
        for failure in self.attempt(left_out).failures:
            verdicts += self._waiting(failure, left_out)
            suspects = self._suspects(failure, left_out)
            if len(suspects) == 1 and self.readers.rule_holds(failure):
                verdicts.append(self._verdict(failure, suspects))
            elif suspects:
                doubtful.append((failure, suspects))
            else:
                aside.append(failure)
        for failure, suspects in [] if verdicts else doubtful:
            guilty = self._try_out(failure, suspects, left_out, {other.name for other in aside})
            if guilty:
                return [self._verdict(failure, guilty)], []
            aside.append(failure)
        return verdicts, aside

    def _new(self, keys: frozenset[int], left_out: frozenset[int]) -> frozenset[int]:
        """Those of the keys that may be held: in the candidate, never shown as what they are in it, not accepted by a person."""
        current = {key for key, is_current in form(self.releases, left_out).releases if is_current}
        seen = {key for key, as_current in self.readers.shown.items() if as_current or key not in current}
        return frozenset(key for key in keys if key in self.releases) - left_out - seen - self.readers.accepted

    def _waiting(self, failure: Failure, left_out: frozenset[int]) -> Iterator[Verdict]:
        for dataset in sorted({row.waits_for for row in failure.rows if row.waits_for}):
            named = frozenset(key for row in failure.rows if row.waits_for == dataset for key in row.releases)
            if waiting := self._new(named, left_out):
                yield Verdict(waiting, f"waiting for {dataset} ({failure.reason})", failure.datasets | {dataset} | self._names(waiting))

    def _suspects(self, failure: Failure, left_out: frozenset[int]) -> frozenset[int]:
        """The new releases that failing rows name, or can come from; of a figure that readers have and that went away, who took it."""
        suspects: set[int] = set()
        read = frozenset(self.releases) if failure.reads is None else failure.reads
        for row in failure.rows:
            new = self._new(row.releases, left_out)
            if row.waits_for:
                if not new:
                    suspects |= self._new(frozenset(r.key for r in self.releases.values() if r.of == row.waits_for), left_out)
            else:
                suspects |= new or (frozenset() if row.complete else self._new(read, left_out))
        return frozenset(suspects)

    def _try_out(self, failure: Failure, suspects: frozenset[int], left_out: frozenset[int], aside: set[str]) -> frozenset[int]:
        """The fewest suspects without which the check fails no more than it does without all of them; none if they change nothing."""
        floor = 0 if self.readers.rule_holds(failure) else self._count(failure, left_out | suspects)
        if floor >= failure.weight:
            return frozenset()
        found: list[tuple[int, int, frozenset[int]]] = []
        for position, keys in enumerate(self._by_dataset(suspects)):
            judgement = self._trial(left_out | keys)
            if _count(judgement, failure) <= floor:
                others = sum(other.name not in aside for other in judgement.failures)
                found.append((others, position, keys))
                if not others:
                    break
        if not found and self._count(failure, left_out | suspects) > floor:
            return frozenset()
        guilty = min(found)[2] if found else suspects
        return self._fewest(failure, guilty, left_out, floor)

    def _by_dataset(self, suspects: frozenset[int]) -> list[frozenset[int]]:
        """The suspects by dataset, first those of which a release was held before."""
        groups: dict[str, set[int]] = {}
        for key in suspects:
            groups.setdefault(self.releases[key].of, set()).add(key)
        order = sorted(groups, key=lambda name: (not any(self.releases[key].is_held for key in groups[name]), name))
        return [frozenset(groups[name]) for name in order]

    def _fewest(self, failure: Failure, guilty: frozenset[int], left_out: frozenset[int], floor: int) -> frozenset[int]:
        """Puts back what can be put back: halves first, then smaller parts, down to single releases."""
        kept = sorted(guilty, key=lambda key: self.releases[key].order)
        size = len(kept) // 2
        worst = len(self._trial(left_out | guilty).failures)
        while size and self.trials < TRIALS:
            for start in range(0, len(kept), size):
                rest = frozenset(kept[:start] + kept[start + size :])
                judgement = self._trial(left_out | rest) if rest else None
                if judgement and _count(judgement, failure) <= floor and len(judgement.failures) <= worst:
                    kept = [key for key in kept if key in rest]
                    size = min(size, len(kept) // 2)
                    break
            else:
                size //= 2
        return frozenset(kept)

    def _trial(self, left_out: frozenset[int]) -> Judgement:
        self.trials += 1
        return self.attempt(left_out)

    def _count(self, failure: Failure, left_out: frozenset[int]) -> int:
        return _count(self._trial(left_out), failure)

    def _verdict(self, failure: Failure, guilty: frozenset[int]) -> Verdict:
        return Verdict(guilty, failure.reason, failure.datasets | self._names(guilty) if failure.datasets else frozenset())

    def _names(self, keys: frozenset[int]) -> frozenset[str]:
        return frozenset(self.releases[key].of for key in keys)


def _without(left_out: frozenset[int], verdicts: list[Verdict]) -> frozenset[int]:
    return left_out.union(*(verdict.releases for verdict in verdicts))


def _count(judgement: Judgement, failure: Failure) -> int:
    """How many rows of the check fail; more than before where the candidate could not be built and so not be asked."""
    same = [other.weight for other in judgement.failures if other.name == failure.name]
    if same or failure.is_build or judgement.is_built:
        return sum(same)
    return failure.weight + 1
