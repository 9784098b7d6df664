"""The warehouse is a pure function of archive and journal."""

from __future__ import annotations

import io
from pathlib import Path

from openpyxl import load_workbook

from extractors.backup import back_up, restore
from extractors.replay import catch_up
from extractors.verify import check
from sample.answer import workbook_bytes
from tests.conftest import new_profile
from tests.small import arrivals, fill, population, put, run, tree
from tests.state import read, state
from warehouse.profile import Profile
from warehouse.publication import decide, roll_back, status


def test_a_backup_restored_and_replayed_gives_the_same_core_marts_and_ledger(settled: Profile, tmp_path: Path) -> None:
    for number, day in enumerate(("2026-03-01", "2026-04-01", "2026-05-01")):
        put(settled, "external_arrivals", tree(arrivals() | {2020: 1021 + number}), day)
        put(settled, "population", population(range(2018, 2021 + number)), day)
        run(settled)
    put(settled, "external_arrivals", b"", "2026-06-01")
    run(settled)
    kept = status(settled)["kept"]
    assert [row[0] for row in kept] == [2, 3, 4], "the last three of four publications are kept"
    roll_back(settled, kept[1][1], "a test", "to see the pin replayed")
    before = state(settled)

    assert check(settled) == []
    back_up(settled, str(tmp_path / "backup"))
    # an empty machine: nothing of archive, journal and database is there
    replayed = new_profile(tmp_path / "fresh", "koshi_replay")
    assert restore(replayed, str(tmp_path / "backup")).findings == []
    count = catch_up(replayed).entries
    assert count == read(settled, "select count(*) from meta.journal_entry")[0][0]
    after = state(replayed)
    assert after.keys() == before.keys()
    for name in before:
        assert after[name] == before[name], name
    assert check(replayed) == []


def test_a_rollback_stays_until_it_is_unpinned(settled: Profile) -> None:
    put(settled, "external_arrivals", tree(arrivals() | {2020: 1021}), "2026-03-01")
    run(settled)
    query = "select arrivals_persons from bi.migration_balance where year = 2020"
    assert read(settled, query) == [(1021,)]

    first = status(settled)["kept"][0]
    roll_back(settled, first[1], "a test", "the revision looks wrong")
    assert read(settled, query) == [(1020,)]
    _, end = run(settled)
    assert end.outcome == "pinned"
    assert read(settled, query) == [(1020,)]

    decide(settled, "unpin", "a test", "the revision was right")
    _, end = run(settled)
    assert end.outcome == "published"
    assert read(settled, query) == [(1021,)]


def test_to_withdraw_is_to_publish_the_next_lower_release(profile: Profile) -> None:
    fill(profile)
    put(profile, "external_arrivals", tree(arrivals() | {2020: 1021}), "2026-03-01")
    run(profile)
    latest = read(profile, "select release_key from meta.release where dataset = 'external_arrivals' order by rank desc limit 1")[0][0]
    decide(profile, "withdraw", "a test", "printed by mistake", int(str(latest)))
    _, settled = run(profile)
    assert settled.outcome == "published"
    assert read(profile, "select arrivals_persons from bi.migration_balance where year = 2020") == [(1020,)]
    assert read(profile, "select state from meta.release where state = 'withdrawn'") == [("withdrawn",)]


def test_the_same_rows_under_a_new_label_are_a_confirmation_and_nothing_is_published(settled: Profile) -> None:
    book = load_workbook(io.BytesIO(population()))
    put(settled, "population", workbook_bytes(book, "2026-03-03T00:00:00Z"), "2026-03-04")
    intakes, end = run(settled)
    assert [delivery.confirmed for delivery in intakes["population"].deliveries] == [0, 4]
    assert end.outcome == "nothing new"
    assert read(settled, "select distinct edition from meta.confirmation") == [("2026-03-03",)]
    intakes, _ = run(settled)
    assert all(delivery.known for delivery in intakes["population"].deliveries)
