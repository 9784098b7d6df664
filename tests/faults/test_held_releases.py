"""Releases that pass gate 1 but break a rule across datasets are held until what they miss arrives."""

from __future__ import annotations

from tests.small import arrivals, departures, fill, put, run, tree
from tests.state import read
from warehouse.profile import Profile


def test_arrivals_of_a_year_that_departures_lack_are_held_and_published_once_departures_have_it(settled: Profile) -> None:
    put(settled, "external_arrivals", tree(arrivals(range(2018, 2023))), "2026-03-01")
    put(settled, "external_departures", tree(departures() | {2018: 1501}), "2026-03-01")

    intakes, end = run(settled)
    assert len(intakes["external_arrivals"].accepted) == 1, "gate 1 sees one dataset and lets it pass"
    assert any("both flows hold the same years" in reason and "2022" in reason for reason in end.reasons)
    # both new flows are read by the failed check, so both wait; readers keep what they had
    assert end.outcome == "nothing new"
    assert read(settled, "select dataset from meta.release where state = 'held' order by 1") == [
        ("external_arrivals",),
        ("external_departures",),
    ]
    assert read(settled, "select max(year), max(departures_persons) from bi.migration_balance") == [(2021, 1500)]

    # run again without change: still held, nothing is built
    _, again = run(settled)
    assert again.outcome == "nothing new"
    assert again.checks == 0

    put(settled, "external_departures", tree(departures(range(2018, 2023)) | {2018: 1501}), "2026-04-01")
    _, end = run(settled)
    assert end.outcome == "published"
    assert read(settled, "select arrivals_persons, departures_persons from bi.migration_balance where year = 2022") == [(1040, 1420)]
    assert read(settled, "select count(*) from meta.release where state = 'held'") == [(0,)]


def test_the_rest_is_published_while_one_dataset_is_held(profile: Profile) -> None:
    fill(profile)
    put(profile, "external_arrivals", tree(arrivals(range(2018, 2023))), "2026-03-01")
    _, settled = run(profile)
    # nothing was published before: all releases are new, the flows are read by the failed check, the population is not
    assert settled.outcome == "published"
    assert read(profile, "select distinct dataset from meta.release where state = 'published'") == [("population",)]
