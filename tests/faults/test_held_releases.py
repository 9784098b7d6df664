"""Releases that pass gate 1 but break a rule across datasets are held, and nothing else is."""

from __future__ import annotations

from tests.small import arrivals, departures, fill, put, run, tree
from tests.state import read
from warehouse.profile import Profile
from warehouse.publication import decide, roll_back, status

HELD = "select dataset, edition from meta.release where state = 'held' order by 1, 2"


def test_arrivals_of_a_year_that_departures_lack_wait_for_them_and_the_rest_is_published(settled: Profile) -> None:
    put(settled, "external_arrivals", tree(arrivals(range(2018, 2023))), "2026-03-01")
    put(settled, "external_departures", tree(departures() | {2018: 1501}), "2026-03-01")

    intakes, end = run(settled)
    assert len(intakes["external_arrivals"].accepted) == 1, "gate 1 sees one dataset and lets it pass"
    assert end.reasons[0].startswith("waiting for bns.external_departures (both flows hold the same years: year 2022")
    # only the arrivals wait: the revision of the departures is innocent
    assert read(settled, HELD) == [("external_arrivals", "retrieved 2026-03-01T00:00:00+00:00")]
    assert end.outcome == "published"
    assert read(settled, "select max(year), max(departures_persons) from bi.migration_balance") == [(2021, 1501)]

    # run again without change: still held, nothing is built
    _, again = run(settled)
    assert again.outcome == "nothing new"
    assert again.checks == 0
    assert read(settled, HELD) == [("external_arrivals", "retrieved 2026-03-01T00:00:00+00:00")]

    # those that need each other are published together, in one run
    put(settled, "external_departures", tree(departures(range(2018, 2023)) | {2018: 1501}), "2026-04-01")
    _, end = run(settled)
    assert end.outcome == "published"
    assert read(settled, "select arrivals_persons, departures_persons from bi.migration_balance where year = 2022") == [(1040, 1420)]
    assert read(settled, HELD) == []


def test_what_was_shown_below_another_is_held_where_that_is_withdrawn_and_it_fails_as_the_last_word(settled: Profile) -> None:
    put(settled, "external_arrivals", tree(arrivals(range(2018, 2023))), "2026-03-01")
    run(settled)
    put(settled, "external_arrivals", tree(arrivals() | {2019: 1046}), "2026-04-01")
    _, end = run(settled)
    assert (end.outcome, read(settled, HELD)) == ("published", []), "below another it says nothing of today"
    [(last,)] = read(settled, "select release_key from meta.release where dataset = 'external_arrivals' order by rank desc limit 1")
    decide(settled, "withdraw", "a test", "it was a slip", int(str(last)))

    _, end = run(settled)
    assert end.outcome == "published"
    assert read(settled, HELD) == [("external_arrivals", "retrieved 2026-03-01T00:00:00+00:00")]
    assert read(settled, "select max(year), max(arrivals_persons) from bi.migration_balance") == [(2021, 1030)]


def test_a_held_release_of_a_first_publication_falls_back_to_the_one_below(profile: Profile) -> None:
    fill(profile)
    put(profile, "external_arrivals", tree(arrivals(range(2018, 2023))), "2026-03-01")
    _, settled = run(profile)
    assert settled.outcome == "published"
    assert read(profile, HELD) == [("external_arrivals", "retrieved 2026-03-01T00:00:00+00:00")]
    assert read(profile, "select max(year), max(arrivals_persons) from bi.migration_balance") == [(2021, 1030)]


def test_after_a_rollback_and_unpin_a_bad_revision_alone_is_held_and_readers_lose_nothing(settled: Profile) -> None:
    put(settled, "external_arrivals", tree(arrivals() | {2020: 1021}), "2026-03-01")
    put(settled, "external_departures", tree(departures() | {2020: 1461}), "2026-03-01")
    run(settled)
    shown = "select year, arrivals_persons, departures_persons from bi.migration_balance order by year"
    before = read(settled, shown)
    roll_back(settled, status(settled)["kept"][0][1], "a test", "the revision looks wrong")
    _, pinned = run(settled)
    assert (pinned.outcome, pinned.number) == ("pinned", 1)
    decide(settled, "unpin", "a test", "it was right")

    put(settled, "external_arrivals", tree(arrivals(range(2018, 2023)) | {2020: 1021}), "2026-04-01")
    _, end = run(settled)
    assert read(settled, HELD) == [("external_arrivals", "retrieved 2026-04-01T00:00:00+00:00")]
    assert end.outcome == "published"
    assert read(settled, shown) == before
