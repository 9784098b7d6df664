"""A candidate that its releases keep from being built: the one at fault is held, the rest is published."""

from __future__ import annotations

import json

from expectations.intake import take_in
from expectations.settle import settle
from extractors.archive import Archive, Request
from extractors.source import load_source
from extractors.uis.client import requests, version_request
from sample.answer import store
from tests.small import NOTE, arrivals, departures, population, put, run, tree
from tests.state import read
from warehouse.profile import Profile

# More than a rate per 10,000 has room for, and no more than gate 1 warns of
MONSTROUS = 10**13


def test_of_several_new_releases_only_the_one_that_no_mart_can_hold_is_held(settled: Profile) -> None:
    put(settled, "external_arrivals", tree(arrivals() | {2020: 1021}), "2026-03-01")
    put(settled, "external_departures", tree(departures() | {2020: MONSTROUS}), "2026-03-01")
    put(
        settled,
        "population",
        population(replace={("г. Шымкент", 2021): 1_003_001, ("Республика Казахстан ", 2021): 17_051_001}),
        "2026-03-01",
    )
    _, end = run(settled)
    assert end.outcome == "published"
    assert read(settled, "select dataset from meta.release where state = 'held'") == [("external_departures",)]
    assert "migration_balance cannot be built" in end.reasons[0]
    assert "overflow" in end.reasons[0]
    query = "select arrivals_persons, departures_persons, population_end_persons from bi.migration_balance where year = 2020"
    assert read(settled, query) == [(1021, 1460, 17_051_001)]


def _deliver_outbound(profile: Profile, delivered: str, students: dict[int, int]) -> None:
    """A delivery of outbound totals of Kazakhstan in one and the same version of the agency."""
    source = load_source("uis")
    version: object = {"version": "20250416-f6707727", "publicationDate": None, "description": "", "themeDataStatus": []}
    records = [
        {"indicatorId": "OE.5T8.40510", "geoUnit": "KAZ", "year": year, "value": value, "magnitude": None, "qualifier": None}
        for year, value in students.items()
    ]
    answer = {"hints": [], "records": records, "indicatorMetadata": []}
    asked: list[tuple[Request, object]] = [(version_request(source), version)]
    asked += [(request, answer) for request in requests(source, source.dataset("outbound_totals"), "20250416-f6707727")]
    for number, (request, body) in enumerate(asked, 1):
        store(
            Archive(profile.archive), source, "outbound_totals", request, json.dumps(body).encode(),
            delivered=f"{delivered}T00:00:00+00:00", content_type="application/json", note=NOTE, number=number,
        )  # fmt: skip


def test_of_two_releases_of_one_edition_the_later_is_shown_and_nothing_stops(settled: Profile) -> None:
    _deliver_outbound(settled, "2026-03-01", {2019: 90, 2020: 100})
    _deliver_outbound(settled, "2026-03-02", {2020: 101, 2019: 90})
    intake = take_in(settled, "uis", "outbound_totals")
    assert len(intake.accepted) == 2
    end = settle(settled)
    assert (end.outcome, end.held) == ("published", [])
    assert read(settled, "select year, outbound_students from bi.student_totals order by year") == [(2019, 90), (2020, 101)]
