"""Deliveries of a dataset, in order: all that the archive holds (sample), or one new retrieval (live)."""

from __future__ import annotations

import importlib
from collections.abc import Iterator

from extractors.archive import Archive, Snapshot, archive_of
from extractors.http import LiveTransport, ReplayTransport, Transport
from extractors.landing import Landed, LandingError, land
from extractors.reparse import reparse
from extractors.source import Source, at_configured_addresses, load_source
from warehouse.connection import connect
from warehouse.journal import Journal
from warehouse.profile import BUNDLED_ARCHIVE, Profile
from warehouse.steps import step

FROM_THE_AGENCY = ("live", "recorded")


def deliver(profile: Profile, source_code: str, dataset: str) -> Iterator[Landed]:
    """Fetches and lands one delivery after the other; the caller judges each before the next is taken.

    Where the source's parsing code has changed, what it makes of the deliveries that were landed before comes first.
    Raises `LandingError` where a live warehouse meets an answer that no agency gave, `FetchError` where an agency gives none.
    """
    source, archive, journal = load_source(source_code), archive_of(profile), Journal(profile.journal)
    if profile.is_live:
        source = at_configured_addresses(source)
    client = importlib.import_module(f"extractors.{source_code}.client")
    with connect(profile, "koshi_loader") as connection:
        if anew := reparse(connection, journal, archive, source, dataset):
            yield anew
    for transport in _transports(profile, archive, source, dataset):
        with step("fetch"):
            snapshots: list[Snapshot] = client.fetch(source, source.dataset(dataset), transport)
        _refuse(profile, source, dataset, snapshots)
        with connect(profile, "koshi_loader") as connection:
            yield land(connection, journal, archive, source, dataset, snapshots)


def _transports(profile: Profile, archive: Archive, source: Source, dataset: str) -> Iterator[Transport]:
    if profile.is_live and not source.dataset(dataset).only_transcribed:
        yield LiveTransport(archive, source, dataset)
        return
    if profile.is_live:
        _copy(Archive(str(BUNDLED_ARCHIVE)), archive, source.code, dataset)
    deliveries = archive.deliveries(source.code, dataset)
    if not deliveries:
        raise LandingError(f"{source.code}.{dataset}: the archive {archive.root} holds no delivery; rebuild the bundled archive")
    for delivery in deliveries:
        yield ReplayTransport(archive, source.code, dataset, delivery)


def _copy(bundled: Archive, archive: Archive, source: str, dataset: str) -> None:
    """Takes the declared transcriptions into a live archive, which must hold whatever its warehouse was made of."""
    for delivery in bundled.deliveries(source, dataset):
        held = archive.snapshots(source, dataset, delivery)
        for snapshot in bundled.snapshots(source, dataset, delivery):
            if snapshot not in held:
                number = int(snapshot.manifest.rpartition("/")[2].partition("_")[0])
                archive.write(snapshot, bundled.body(snapshot), number)


def _refuse(profile: Profile, source: Source, dataset: str, snapshots: list[Snapshot]) -> None:
    allowed = ("transcribed",) if source.dataset(dataset).only_transcribed else FROM_THE_AGENCY
    for snapshot in snapshots:
        if profile.is_live and snapshot.capture not in allowed:
            raise LandingError(
                f"{source.code}.{dataset}, {snapshot.manifest}: capture is {snapshot.capture!r}, expected {' or '.join(allowed)}: "
                "a live warehouse takes only what the agency itself answered, and declared transcriptions of what it has in print alone"
            )
