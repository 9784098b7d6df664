"""A dry run asks and parses, and writes neither archive nor journal nor database."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from expectations.intake import take_in
from extractors.archive import Archive
from extractors.dry_run import dry_run
from extractors.polite import FetchError
from extractors.raw import LandingError
from tests import small
from tests.agency import Agency, Reply
from tests.contract.test_live import play
from tests.state import read, state
from warehouse.profile import BUNDLED_ARCHIVE, Profile, state_root


def files(profile: Profile) -> dict[str, bytes]:
    """All that lies in archive and journal."""
    folders = (Path(profile.archive), Path(profile.journal), Path(profile.overlay or profile.archive))
    return {str(file): file.read_bytes() for folder in folders for file in folder.rglob("*") if file.is_file()}


def test_a_dry_run_of_an_agency_leaves_nothing_behind(live: Profile, agency: Agency) -> None:
    play(agency, "bns", "external_arrivals")
    before = files(live), state(live), read(live, "select count(*) from meta.attempt")
    [tried] = dry_run(live, "bns", "external_arrivals")
    assert (tried.rows, tried.problem) == (35, "")
    assert len(agency.seen) == 1, "the agency was asked"
    assert (files(live), state(live), read(live, "select count(*) from meta.attempt")) == before
    # a run of the same answer takes what was said to come
    play(agency, "bns", "external_arrivals")
    assert [landed.rows for landed in take_in(live, "bns", "external_arrivals").deliveries] == [tried.rows]


def test_it_needs_no_database_and_takes_the_memory_back(live: Profile, agency: Agency) -> None:
    nowhere = dataclasses.replace(live, database="koshi_there_is_none", journal=str(state_root() / "no_journal"))
    play(agency, "bns", "external_arrivals")
    assert [tried.slice for tried in dry_run(nowhere, "bns", "external_arrivals")] == ["whole"]
    assert not Path(nowhere.journal).exists()
    import fsspec

    assert [path for path in fsspec.filesystem("memory").find("/") if "koshi-dry-run" in path] == []


def test_what_cannot_be_read_and_who_does_not_answer_are_told(live: Profile, agency: Agency) -> None:
    agency.plays(Reply(200, b"<!DOCTYPE html><title>Just a moment</title>", {"Content-Type": "text/html"}))
    [tried] = dry_run(live, "bns", "external_arrivals")
    assert (tried.slice, tried.rows) == ("unreadable", 0)
    assert "HTML" in str(tried)
    agency.plays(Reply(429, b"slow down", {"Retry-After": "4000"}))
    with pytest.raises(FetchError) as raised:
        dry_run(live, "bns", "external_arrivals")
    assert raised.value.wait_seconds == 4000, "a scheduler asks again when the agency says"


def test_a_sample_reads_all_or_the_delivery_that_is_named(profile: Profile) -> None:
    small.put(profile, "external_arrivals", small.tree(small.arrivals()), "2026-02-01")
    small.put(profile, "external_arrivals", small.tree(small.arrivals(range(2018, 2023))), "2026-03-01")
    assert [tried.rows for tried in dry_run(profile, "bns", "external_arrivals")] == [4, 5]
    assert [tried.rows for tried in dry_run(profile, "bns", "external_arrivals", "20260301T000000+0000")] == [5]
    with pytest.raises(LandingError, match=r"holds no delivery 2027; it holds 20260201T000000\+0000, 20260301T000000\+0000"):
        dry_run(profile, "bns", "external_arrivals", "2027")


def test_one_archived_delivery_is_taken_alone_and_nobody_is_asked(live: Profile, agency: Agency) -> None:
    sample = dataclasses.replace(live, name="sample")
    small.put(sample, "external_arrivals", small.tree(small.arrivals()), "2026-02-01")
    small.put(sample, "external_arrivals", small.tree(small.arrivals(range(2018, 2023))), "2026-03-01")
    intake = take_in(sample, "bns", "external_arrivals", "20260201T000000+0000")
    assert [delivery.rows for delivery in intake.deliveries] == [4]
    assert read(live, "select delivery from meta.delivery") == [("20260201T000000+0000",)]
    # of a live warehouse as well, which would ask
    play(agency, "bns", "external_departures")
    take_in(live, "bns", "external_departures")
    [delivery] = Archive(live.archive).deliveries("bns", "external_departures")
    asked = len(agency.seen)
    assert take_in(live, "bns", "external_departures", delivery).became == "skipped"
    assert len(agency.seen) == asked > 0


def test_every_bundled_dataset_can_be_tried(bare: Profile) -> None:
    bundled = dataclasses.replace(bare, archive=str(BUNDLED_ARCHIVE))
    tried = [each for name in ("outbound_totals", "students_to_kazakhstan") for each in dry_run(bundled, "uis", name)]
    assert tried and all(each.rows and not each.problem for each in tried)
