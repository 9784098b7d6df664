"""Every declared dataset is compared with what readers have: what is gone, zero, doubled or in another unit is not accepted."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from decimal import Decimal, InvalidOperation

import pytest
from psycopg import sql

from expectations.check import Suite
from expectations.gate1 import judge
from expectations.places import MissingPlaceError, suite_of
from expectations.suites import iom
from extractors import landing
from extractors.archive import Archive, Snapshot, archive_of
from extractors.delivery import client_of
from extractors.digest import one_spelling
from extractors.http import ReplayTransport
from extractors.landing import land
from extractors.rows import Parsed, Row
from extractors.source import Dataset, load_source, source_codes
from warehouse.build import stage
from warehouse.connection import connect
from warehouse.journal import Journal
from warehouse.profile import BUNDLED_ARCHIVE, Profile

DATASETS = [(code, name) for code in source_codes() for name in load_source(code).datasets]
UNIT, THERE = "figures are in the unit of the release below", "what the release below has is still there"
Rows = list[Row]


def _figures(change: Callable[[Decimal], Decimal | None], every: int = 1) -> Callable[[Rows, Parsed], Rows]:
    """Rows in which every so many figures are changed."""

    def changed(rows: Rows, parsed: Parsed) -> Rows:
        places = [parsed.columns.index(name) + 1 for name in parsed.figures if name in parsed.columns]
        return [
            tuple(_changed(text, parsed, change) if place in places and number % every == 0 else text for place, text in enumerate(row))
            for number, row in enumerate(rows)
        ]

    return changed


def _changed(text: str | None, parsed: Parsed, change: Callable[[Decimal], Decimal | None]) -> str | None:
    try:
        found = change(Decimal(one_spelling(text, parsed.decimal_marks) or ""))
    except InvalidOperation:
        return text
    return None if found is None else f"{found:f}"


def _halved(rows: Rows, parsed: Parsed) -> Rows:
    """Every other row that has a figure."""
    places = [parsed.columns.index(name) + 1 for name in parsed.figures if name in parsed.columns]
    return [row for row in rows if any(row[place] for place in places)][1::2]


# what is done to a delivery, and which of the two checks must name it
KINDS: dict[str, tuple[Callable[[Rows, Parsed], Rows], str]] = {
    "empty": (lambda rows, _: [], THERE),
    "half of it gone": (_halved, THERE),
    "figures gone": (_figures(lambda _: None), THERE),
    "zeros": (_figures(lambda _: Decimal(0)), THERE),
    "times three": (_figures(lambda figure: 3 * figure), THERE),
    "times ten": (_figures(lambda figure: 10 * figure), UNIT),
    "times a thousand": (_figures(lambda figure: 1000 * figure), UNIT),
    "in thousands": (_figures(lambda figure: figure / 1000), UNIT),
    "in millions": (_figures(lambda figure: figure / 1_000_000), UNIT),
}


def _delivery(profile: Profile, source: str, dataset: str, day: int) -> list[Snapshot]:
    """A bundled delivery of the dataset once more, on another day; from the second on its bytes are others."""
    bundled, archive, delivered = Archive(str(BUNDLED_ARCHIVE)), archive_of(profile), f"2026-11-26T00:{day:02}:00+00:00"
    folder = bundled.deliveries(source, dataset)[0 if source == "undesa" else -1]
    declared = load_source(source)
    asked = client_of(source, declared.dataset(dataset)).fetch(
        declared, declared.dataset(dataset), ReplayTransport(bundled, source, dataset, folder)
    )
    written = []
    for number, snapshot in enumerate(asked, 1):
        body = bundled.body(snapshot) + b"\n" * day
        again = replace(snapshot, delivery=delivered, retrieved_at=delivered, sha256=hashlib.sha256(body).hexdigest(), size_bytes=len(body))
        written.append(archive.write(again, body, number))
    return written


def _land(profile: Profile, source: str, dataset: str, snapshots: list[Snapshot]) -> list[int]:
    with connect(profile, "koshi_loader") as connection:
        return land(connection, Journal(profile.journal), archive_of(profile), load_source(source), dataset, snapshots).releases


def _rows(parsed: Parsed, name: str) -> Rows:
    return [
        (address, *(text or None for text in line))
        for block in parsed.blocks(name)
        for address, line in zip(block.addresses, csv.reader(block.lines), strict=True)
    ]


Change = Callable[[list[Snapshot], Callable[[Rows, Parsed], Rows]], None]


@pytest.fixture
def change(monkeypatch: pytest.MonkeyPatch) -> Change:
    """From now on every delivery is read as the one of these snapshots, and what is read is changed on its way into raw."""
    read = landing.parse

    def changed(snapshots: list[Snapshot], how: Callable[[Rows, Parsed], Rows]) -> None:
        def parse(source: str, dataset: Dataset, archive: Archive, _: Sequence[Snapshot]) -> Parsed:
            parsed = read(source, dataset, archive, snapshots)
            return replace(parsed, slices={name: how(_rows(parsed, name), parsed) for name in parsed.slices}, reported=None)

        monkeypatch.setattr(landing, "parse", parse)

    return changed


@pytest.mark.parametrize(("source", "dataset"), DATASETS)
def test_what_is_gone_zero_or_in_another_unit_is_not_accepted_and_a_small_revision_is_not_named(
    profile: Profile, source: str, dataset: str, change: Change
) -> None:
    snapshots = _delivery(profile, source, dataset, 0)
    _land(profile, source, dataset, snapshots)
    sound = {verdict.slice: verdict for verdict in judge(profile, source, dataset) if verdict.state == "accepted"}
    assert sound
    _key_is_unique(profile, source, dataset, [verdict.release_key for verdict in sound.values()])

    landed: dict[int, str] = {}
    for day, (kind, (how, _)) in enumerate(KINDS.items(), 1):
        change(snapshots, how)
        landed |= dict.fromkeys(_land(profile, source, dataset, _delivery(profile, source, dataset, day)), kind)
    change(snapshots, _figures(lambda figure: figure + 1, every=20))
    landed |= dict.fromkeys(_land(profile, source, dataset, _delivery(profile, source, dataset, len(KINDS) + 1)), "a revision")
    told = {(landed[verdict.release_key], verdict.slice): verdict for verdict in judge(profile, source, dataset)}

    said = {(kind, name): told[kind, name].said for kind in KINDS for name in sound}
    # a thousandth of a person is refused as a figure already, and then is in no unit
    parts = {at for at, text in said.items() if at[0].startswith("in ") and "every value is readable" in text}
    assert {at: text for at, text in said.items() if KINDS[at[0]][1] not in text and at not in parts} == {}
    assert {told[kind, name].state for kind in KINDS for name in sound} <= {"rejected", "undecided"}
    revisions = [verdict for (kind, name), verdict in told.items() if kind == "a revision" and name in sound and verdict.rows > 4]
    assert [verdict.said for verdict in revisions if UNIT in verdict.said or THERE in verdict.said] == []


def _key_is_unique(profile: Profile, source: str, dataset: str, releases: Iterable[int]) -> None:
    """Each row of a sound release has its own key; incidents share an id now and then, and are counted."""
    schema = stage(profile)
    suite = suite_of(source, dataset, schema)
    columns = sql.SQL(", ").join(map(sql.Identifier, ("release_key", *suite.key)))
    query = sql.SQL(
        "select count(*), count(distinct ({})), count(*) filter (where ({}) is null) from {}"
        " where release_key = any(%s) and dropped_because is null"
    )
    with connect(profile) as connection:
        rows, keys, unknown = connection.execute(
            query.format(columns, columns, sql.Identifier(schema, suite.view)), [list(releases)]
        ).fetchone() or (0, 0, 0)
    assert (keys == rows or (source == "iom" and keys > 0.97 * rows)) and not unknown


def test_a_suite_that_does_not_say_what_a_row_is_about_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(iom, "gate1", lambda dataset, schema: Suite(iom.VIEW, []))
    with pytest.raises(MissingPlaceError, match=r"expectations/suites/iom.py: Suite.key: the columns"):
        suite_of("iom", "missing_migrants", "staging")
