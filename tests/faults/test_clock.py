"""A clock that was wrong for one run is named, and hides nothing that comes later."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import pytest

from extractors import landing
from extractors import reparse as reparse_module
from extractors.archive import archive_of
from extractors.landing import land
from extractors.reparse import reparse
from extractors.replay import catch_up
from extractors.source import load_source
from reporting.datasets import lines
from tests.conftest import new_profile
from tests.small import arrivals, land_all, put, tree
from tests.state import read
from warehouse.candidate import Release, form, pool
from warehouse.connection import connect
from warehouse.journal import Journal
from warehouse.profile import Profile

AHEAD = "2096-02-01"


def _current(profile: Profile) -> list[tuple[object, ...]]:
    """What a publication would show of 2021."""
    with connect(profile) as connection:
        keys = [key for key, is_current in form(pool(connection)).releases if is_current]
    return read(profile, f"select value from raw.bns_taldau where period like '%2021' and _release_key in ({', '.join(map(str, keys))})")


def _deliver(profile: Profile, day: str, figure: int) -> None:
    put(profile, "external_arrivals", tree(arrivals() | {2021: figure}), day)
    land_all(profile, load_source("bns"), "external_arrivals")


def _remarks(profile: Profile) -> list[str]:
    return [detail for line in lines(profile) for detail in line.details if "a clock was wrong" in detail]


def test_what_came_by_a_clock_that_was_ahead_ranks_where_it_was_landed(
    bare: Profile, tmp_path: Path, migrated: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _deliver(bare, "2026-02-01", 1000)
    _deliver(bare, AHEAD, 2000)
    _deliver(bare, "2097-02-01", 3000)
    assert _current(bare) == [("3000",)], "nothing is known of the clock yet"
    assert ["the next delivery ranks above it" in remark for remark in _remarks(bare)] == [False, True]

    # the agency says again what it said before: a release of its own, for the other came in between
    _deliver(bare, "2026-03-01", 1000)
    assert _current(bare) == [("1000",)]
    assert [remark.partition(": a clock")[0] for remark in _remarks(bare)] == [
        f"delivery {name} says that it came {day} 00:00:00 UTC"
        for name, day in (("20960201T000000+0000", AHEAD), ("20970201T000000+0000", "2097-02-01"))
    ]
    # and equal content is unchanged, as ever
    _deliver(bare, "2026-03-02", 1000)
    assert read(bare, "select count(*) from meta.release") == [(4,)]
    ranks = "select slice, rank, edition from meta.release order by rank"
    before = read(bare, ranks)
    assert [edition for _, _, edition in before] == [
        f"retrieved {day}T00:00:00+00:00" for day in ("2026-02-01", AHEAD, "2097-02-01", "2026-03-01")
    ]

    # by other code, too, the old bytes stay where they are
    for module in (landing, reparse_module):
        monkeypatch.setattr(module, "parser_fingerprint", lambda code: "0123456789ab")
    with connect(bare, "koshi_loader") as link:
        anew = reparse(link, Journal(bare.journal), archive_of(bare), load_source("bns"), "external_arrivals")
    assert anew and anew.landed == 0
    assert _current(bare) == [("1000",)]

    # and so they are after the database was lost
    again = new_profile(tmp_path, "koshi_bare", like=migrated)
    catch_up(again)
    assert read(again, ranks) == before


def test_what_a_clock_behind_retrieved_is_above_what_was_landed_before(bare: Profile) -> None:
    _deliver(bare, "2026-02-01", 1000)
    _deliver(bare, "2026-06-01", 2000)
    archive, source = archive_of(bare), load_source("bns")
    body, at = tree(arrivals() | {2021: 3000}), "2026-05-01T00:00:00+00:00"
    (one,) = archive.snapshots("bns", "external_arrivals", "20260601T000000+0000")
    sha256 = hashlib.sha256(body).hexdigest()
    live = dataclasses.replace(one, capture="live", delivery=at, retrieved_at=at, sha256=sha256, size_bytes=len(body))
    with connect(bare, "koshi_loader") as connection:
        land(connection, Journal(bare.journal), archive, source, "external_arrivals", [archive.write(live, body, 1)])
        connection.execute("update meta.release set state = 'accepted'")
    assert _current(bare) == [("3000",)]
    assert len(_remarks(bare)) == 1

    # a file that a person records is older for good reason
    _deliver(bare, "2026-04-01", 4000)
    assert _current(bare) == [("3000",)]


def test_which_release_is_current_is_part_of_what_a_publication_is() -> None:
    first, second = (Release(key, "s", "d", "x", f"edition {key}", (True, f"{key}", 1, key)) for key in (1, 2))
    turned = dataclasses.replace(first, order=(True, "2/1", 1, 1))
    before, after = form({1: first, 2: second}), form({1: turned, 2: second})
    assert (before.releases, after.releases) == (((1, False), (2, True)), ((1, True), (2, False)))
    assert before.key != after.key


def test_an_edition_outranks_a_retrieval_of_unknown_edition_whenever_it_came() -> None:
    edition = Release(1, "s", "d", "x", "2026-04-30", (True, "2026-04-30/2026-11-25", 1, 1))
    retrieval = Release(2, "s", "d", "x", "retrieved 2026-09-30", (False, "2026-09-30", 1, 2))
    assert form({1: edition, 2: retrieval}).releases == ((1, True), (2, False))
    assert form({2: retrieval}).releases == ((2, True),), "without an edition it is the best that is known"
