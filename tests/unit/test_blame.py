"""Who is at fault, in worlds where the guilty are known: only they are held, whatever the failing rows say of themselves."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from expectations.blame import Blame, Readers
from expectations.judgement import Failure, Judgement, Row
from warehouse.candidate import Release, form

DATASETS = tuple(f"d{number}" for number in range(6))
OLD, NEW = 0, 100


class World:
    """Six datasets: the key of the old release of number 3 is 3, that of its new one 103. Bad releases break the rules that read them.

    `below` are new ones that a publication has shown, below others.
    """

    def __init__(self, bad: Iterable[int] = (), keys: Iterable[int] | None = None, below: Iterable[int] = ()) -> None:
        self.below = tuple(below)
        chosen = list(keys) if keys is not None else [base + number for base in (OLD, NEW) for number in range(6)]
        self.pool = {key: Release(key, "s", f"d{key % 100}", "all", f"edition {key}", (True, f"{key // 100}", 1, key)) for key in chosen}
        self.bad = set(bad)
        self.rules: list[tuple[str, frozenset[int], str]] = []
        self.attempts: list[frozenset[int]] = []

    def rule(self, name: str, reads: Iterable[int], kind: str) -> None:
        """A rule over the current releases of these datasets; it fails with one row for each bad one among them."""
        self.rules.append((name, frozenset(reads), kind))

    def attempt(self, left_out: frozenset[int]) -> Judgement:
        """The judgement of the world without some releases."""
        self.attempts.append(left_out)
        current = {key for key, is_current in form(self.pool, left_out).releases if is_current}
        failures = [self._failure(*rule, current) for rule in self.rules if {key % 100 for key in self.bad & current} & rule[1]]
        built = [failure for failure in failures if failure.is_build]
        return Judgement([], built or failures)

    def _failure(self, name: str, reads: frozenset[int], kind: str, current: set[int]) -> Failure:
        read = frozenset(key for key in current if key % 100 in reads)
        guilty = sorted(read & self.bad)
        row = {
            "names the guilty": lambda key: Row(frozenset({key})),
            "names both sides": lambda _: Row(read),
            "names none": lambda _: Row(complete=False),
            "is not built": lambda _: Row(complete=False),
        }[kind]
        is_build = kind == "is not built"
        count = 1 if is_build else len(guilty)
        return Failure(name, name, tuple(map(row, guilty)), read, fingerprint="1", count=count, is_build=is_build)

    def held(self, passed: dict[str, frozenset[str]] | None = None) -> tuple[set[int], set[str]]:
        """What is held, and the names of what fails on what readers already see."""
        known = {name: frozenset({"1"}) for name, _, _ in self.rules} if passed is None else passed
        readers = Readers({key: True for key in self.pool if key < NEW} | dict.fromkeys(self.below, False), frozenset(), known)
        verdicts, aside = Blame(self.pool, readers, self.attempt).settle(frozenset())
        return {key for verdict in verdicts for key in verdict.releases}, {failure.name for failure in aside}


KINDS = ("names the guilty", "names both sides", "names none", "is not built")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("guilty", range(6))
def test_of_six_new_releases_only_the_guilty_one_is_held(kind: str, guilty: int) -> None:
    world = World({NEW + guilty})
    world.rule("all agree", range(6), kind)
    assert world.held() == ({NEW + guilty}, set())


@given(
    st.sets(st.integers(0, 5), max_size=4),
    st.lists(st.tuples(st.sets(st.integers(0, 5), min_size=1), st.sampled_from(KINDS)), min_size=1, max_size=4),
)
@settings(max_examples=300, deadline=None)
def test_whoever_is_guilty_at_whatever_stage_is_held_and_nobody_else(guilty: set[int], rules: list[tuple[set[int], str]]) -> None:
    world = World(NEW + number for number in guilty)
    for number, (reads, kind) in enumerate(rules):
        world.rule(f"rule {number}", reads, kind)
    read = set().union(*(reads for reads, _ in rules))
    assert world.held() == ({NEW + number for number in guilty & read}, set())


def test_of_one_dataset_only_the_guilty_slices_are_held() -> None:
    world = World({NEW + 3}, keys=[NEW + number for number in range(6)])
    world.pool = {key: Release(key, "s", "d", f"slice {key}", "e", (True, "1", 1, key)) for key in world.pool}
    world.rule("all agree", range(6), "names both sides")
    assert world.held() == ({NEW + 3}, set())


def test_a_slice_falls_back_to_its_next_lower_good_release_though_that_is_new_too() -> None:
    world = World({203}, keys=[3, 103, 203])
    world.rule("all agree", [3], "names none")
    assert world.held() == ({203}, set())
    assert [key for key, is_current in form(world.pool, {203}).releases if is_current] == [103]


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_shown_below_another_is_held_where_it_comes_to_be_current_and_fails(kind: str) -> None:
    world = World({103}, keys=[*range(6), 103], below=[103])
    world.rule("all agree", range(6), kind)
    assert world.held() == ({103}, set())
    stands_below = World({103}, keys=[*range(6), 103, 203], below=[103])
    stands_below.rule("all agree", range(6), kind)
    assert stands_below.held() == (set(), set())


@pytest.mark.parametrize("kind", ["names the guilty", "names both sides", "names none"])
def test_a_new_rule_that_fails_on_what_readers_see_holds_nothing_new(kind: str) -> None:
    world = World({3}, keys=[*range(6), *range(NEW, NEW + 3)])
    world.rule("stricter", range(6), kind)
    assert world.held(passed={"stricter": frozenset({"another"})}) == (set(), {"stricter"})


@pytest.mark.parametrize("kind", ["names the guilty", "names both sides", "names none"])
def test_a_new_rule_that_fails_on_both_holds_the_new_one_that_makes_it_worse(kind: str) -> None:
    world = World({3, NEW + 1}, keys=[*range(6), *range(NEW, NEW + 3)])
    world.rule("stricter", range(6), kind)
    assert world.held(passed={}) == ({NEW + 1}, {"stricter"})


def test_what_was_accepted_by_a_person_is_not_held() -> None:
    world = World({NEW + 1})
    world.rule("all agree", range(6), "names the guilty")
    readers = Readers(dict.fromkeys(range(6), True), frozenset({NEW + 1}), {"all agree": frozenset({"1"})})
    blame = Blame(world.pool, readers, world.attempt)
    verdicts, aside = blame.settle(frozenset())
    assert not verdicts
    assert [failure.name for failure in aside] == ["all agree"]
