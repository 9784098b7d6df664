"""What becomes of releases at gate 2, at the level of ledger, candidate, blame and views."""

from __future__ import annotations

import pytest

from expectations.judgement import Row
from expectations.settle import settle
from tests.state import read
from tests.worlds import World, below, equal
from warehouse.candidate import Candidate
from warehouse.connection import connect
from warehouse.keys import hex_key
from warehouse.profile import Profile
from warehouse.publication import decide, roll_back, status
from warehouse.relation import PublicationError


@pytest.fixture
def world(profile: Profile) -> World:
    """A world that has published one good release of a, b and c."""
    made = World(profile)
    for dataset in "abc":
        made.deliver(dataset, "1", 1)
    made.rule("small", below(100))
    assert settle(profile, made).outcome == "published"
    return made


def _seen(world: World) -> dict[object, int]:
    """What readers see: the value of each dataset."""
    return {dataset: world.values[int(str(key))] for dataset, key in read(world.profile, "select dataset, release_key from bi.figures")}


def _held(world: World) -> set[object]:
    return {key for (key,) in read(world.profile, "select release_key from meta.release where state = 'held'")}


def test_one_bad_release_among_new_ones_is_held_and_the_others_are_published_in_the_same_run(world: World) -> None:
    bad = world.deliver("a", "2", 100)
    world.deliver("b", "2", 2)
    end = settle(world.profile, world)
    assert (end.outcome, end.number, end.held) == ("published", 2, [bad])
    assert _seen(world) == {"a": 1, "b": 2, "c": 1}


def test_faults_that_show_at_different_stages_are_held_one_after_another(world: World) -> None:
    first = world.deliver("a", "2", 100)
    second = world.deliver("b", "2", 7)
    world.deliver("c", "2", 3)
    # asked only where everything is small: it shows once the first is held
    world.rule("no seven", lambda v, k: [Row(frozenset({k[n]})) for n in v if v[n] == 7] if max(v.values()) < 100 else [])
    end = settle(world.profile, world)
    assert (end.outcome, set(end.held)) == ("published", {first, second})
    assert _seen(world) == {"a": 1, "b": 1, "c": 3}


def test_what_is_unchanged_costs_no_build(world: World) -> None:
    world.deliver("a", "2", 100)
    settle(world.profile, world)
    builds, entries = world.builds, read(world.profile, "select max(sequence) from meta.journal_entry")
    end = settle(world.profile, world)
    assert (end.outcome, end.number, end.checks, world.builds) == ("nothing new", 1, 0, builds)
    assert read(world.profile, "select max(sequence) from meta.journal_entry") == entries


def test_a_held_release_is_tried_again_with_another_company_and_drags_nobody_down(world: World) -> None:
    world.rule("agree", equal("a/all", "b/all"))
    waiting = world.deliver("a", "2", 2)
    assert settle(world.profile, world).held == [waiting]
    other = world.deliver("c", "2", 5)
    assert settle(world.profile, world).held == [waiting]
    assert _seen(world) == {"a": 1, "b": 1, "c": 5}
    assert read(world.profile, f"select state from meta.release where release_key = {other}") == [("published",)]
    world.deliver("b", "2", 2)
    end = settle(world.profile, world)
    assert (end.outcome, end.held) == ("published", [])
    assert _seen(world) == {"a": 2, "b": 2, "c": 5}


def test_of_one_edition_the_highest_rank_alone_is_in_a_publication(world: World) -> None:
    world.deliver("a", "2/first", 2, edition="2")
    world.deliver("a", "2/later", 3, edition="2")
    settle(world.profile, world)
    assert _seen(world)["a"] == 3
    edition = "select count(*) from meta.publication_release join meta.release using (release_key) where edition = '2'"
    assert read(world.profile, edition) == [(1,)]
    # the corrected one is bad: what the edition said before is good
    bad = world.deliver("b", "2/later", 100, edition="2")
    world.deliver("b", "2/first", 2, edition="2")
    assert settle(world.profile, world).held == [bad]
    assert _seen(world)["b"] == 2


def test_a_stricter_rule_on_what_readers_have_stops_and_holds_nothing_and_waits_for_a_decision(world: World) -> None:
    world.deliver("a", "2", 50)
    settle(world.profile, world)
    world.rule("small", below(40), fingerprint="2")
    world.deliver("b", "2", 2)
    end = settle(world.profile, world)
    assert (end.outcome, end.held, end.reasons) == ("published", [], [])
    assert "accept or withdraw one of" in end.waiting[0]
    assert _seen(world) == {"a": 50, "b": 2, "c": 1}
    builds = world.builds
    again = settle(world.profile, world)
    assert (again.outcome, again.waiting, world.builds) == ("nothing new", end.waiting, builds), "it is said until it is decided"
    # a bad release beside it is found all the same
    bad = world.deliver("c", "2", 60)
    end = settle(world.profile, world)
    assert end.held == [bad]
    assert _seen(world)["c"] == 1
    assert len(end.waiting or settle(world.profile, world).waiting) == 1


@pytest.mark.parametrize("kind", ["accept", "withdraw"])
def test_a_decision_ends_the_waiting(world: World, kind: str) -> None:
    strict = world.deliver("a", "2", 50)
    settle(world.profile, world)
    world.rule("small", below(40), fingerprint="2")
    world.deliver("b", "2", 2)
    settle(world.profile, world)
    decide(world.profile, kind, "a test", "looked at it", strict)
    state = read(world.profile, f"select state from meta.release where release_key = {strict}")
    assert state == [("published",) if kind == "accept" else ("withdrawn",)]
    end = settle(world.profile, world)
    assert (end.outcome, end.waiting) == (("nothing new", []) if kind == "accept" else ("published", []))
    assert _seen(world)["a"] == (50 if kind == "accept" else 1)


def test_a_rule_that_held_and_fails_on_what_readers_see_is_refused_once_and_says_what_to_decide(world: World) -> None:
    world.rule("agree", equal("a/all", "b/all"))
    first = world.deliver("a", "2", 2)
    world.deliver("b", "2", 2)
    settle(world.profile, world)
    decide(world.profile, "withdraw", "a test", "a misprint", first)
    world.deliver("c", "2", 9)
    end = settle(world.profile, world)
    assert (end.outcome, end.number, end.held) == ("refused", 2, [])
    assert "accept or withdraw one of" in end.reasons[0]
    assert _seen(world) == {"a": 2, "b": 2, "c": 1}, "readers keep what they had"
    builds = world.builds
    assert settle(world.profile, world).reasons == end.reasons
    assert world.builds == builds, "the same candidate is not built to be refused again"

    second = int(str(read(world.profile, "select release_key from meta.release where dataset = 'b' and rank = '2'")[0][0]))
    decide(world.profile, "accept", "a test", "b is right", second)
    assert settle(world.profile, world).outcome == "published"
    assert _seen(world) == {"a": 1, "b": 2, "c": 9}


def test_a_figure_that_waits_for_a_sibling_is_no_failure_of_what_readers_see(world: World) -> None:
    world.rule("c beside a", lambda v, k: [Row(frozenset({k["c/all"]}), waits_for="s.z")] if "z/all" not in v else [])
    world.deliver("b", "2", 2)
    end = settle(world.profile, world)
    assert (end.outcome, end.held, end.waiting) == ("published", [], [])
    newer = world.deliver("c", "2", 2)
    assert settle(world.profile, world).held == [newer]
    assert "waiting for s.z" in str(read(world.profile, f"select reason from meta.release where release_key = {newer}")[0][0])
    world.deliver("z", "1", 1)
    assert settle(world.profile, world).held == []
    assert _seen(world)["c"] == 2


def test_who_takes_a_figure_away_that_another_rests_on_is_held_and_who_comes_after_is_not(world: World) -> None:
    world.rule("c rests on a", lambda v, k: [Row(frozenset({k["c/all"]}), waits_for="s.a")] if v["a/all"] < v["c/all"] else [])
    gone = world.deliver("a", "2", 2)
    world.deliver("c", "2", 2)
    settle(world.profile, world)
    taker = world.deliver("a", "3", 1)
    assert settle(world.profile, world).held == [taker]
    assert _seen(world) == {"a": 2, "b": 1, "c": 2}
    # a person takes it away: that stops nothing, and the next release of the dataset is not to blame for it
    decide(world.profile, "withdraw", "a test", "a misprint", gone)
    assert settle(world.profile, world).outcome == "published"
    assert _seen(world) == {"a": 1, "b": 1, "c": 2}
    world.deliver("a", "4", 0)
    end = settle(world.profile, world)
    assert (end.outcome, end.held, end.waiting) == ("published", [], [])
    assert _seen(world) == {"a": 0, "b": 1, "c": 2}


def test_what_was_shown_once_is_never_held(world: World) -> None:
    world.deliver("a", "2", 2)
    world.deliver("b", "2", 2)
    settle(world.profile, world)
    roll_back(world.profile, status(world.profile)["kept"][0][1], "a test", "to look again")
    decide(world.profile, "unpin", "a test", "it was right")
    bad = world.deliver("c", "2", 2)
    world.rule("agree", lambda v, k: [Row(frozenset(k.values()))] if v["c/all"] == 2 else [])
    end = settle(world.profile, world)
    assert (end.outcome, end.held) == ("published", [bad])
    assert _seen(world) == {"a": 2, "b": 2, "c": 1}


def test_a_withdrawal_survives_a_rollback(world: World) -> None:
    latest = world.deliver("a", "2", 2)
    settle(world.profile, world)
    decide(world.profile, "withdraw", "a test", "a misprint", latest)
    settle(world.profile, world)
    roll_back(world.profile, status(world.profile)["kept"][1][1], "a test", "to look at it")
    decide(world.profile, "unpin", "a test", "seen")
    settle(world.profile, world)
    assert _seen(world)["a"] == 1


def test_a_publication_that_does_not_stand_says_what_it_needs_and_is_listed(world: World) -> None:
    world.deliver("a", "2", 2)
    settle(world.profile, world)
    first = status(world.profile)["kept"][0][1]
    with connect(world.profile) as connection:
        connection.execute("delete from meta.shown where publication_key = %s", [first])
    with pytest.raises(PublicationError, match="publication 1 cannot be rebuilt here: it was made by the code"):
        roll_back(world.profile, first, "a test", "to look again")
    assert "publication 1 cannot be rebuilt here" in status(world.profile)["not_rebuildable"][0]


def test_publications_that_an_earlier_layout_kept_as_schemas_are_taken_over(world: World) -> None:
    world.deliver("a", "2", 2)
    settle(world.profile, world)
    kept = [key for _, key, *_ in status(world.profile)["kept"]]
    with connect(world.profile) as connection:
        rows = connection.execute("select publication_key, release_key, is_current from meta.publication_release order by 1, 2").fetchall()
        connection.execute("drop table bi.figures")
        connection.execute("delete from meta.shown")
    for number in kept:
        world(world.profile, Candidate(number, tuple((release, current) for key, release, current in rows if key == number)))
    with connect(world.profile, "koshi_transformer") as connection:
        connection.execute(f"create view bi.figures as select * from pub_{hex_key(kept[1])}.figures")
    world.deliver("a", "3", 3)
    assert settle(world.profile, world).number == 3
    for place, value in ((0, 1), (1, 2)):
        roll_back(world.profile, kept[place], "a test", "to look at it")
        assert _seen(world)["a"] == value
    assert read(world.profile, "select nspname from pg_namespace where nspname like 'pub\\_%'") == []
