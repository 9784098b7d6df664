"""Deliveries of a dataset, in order: all that the archive holds (sample), or one new retrieval (live)."""

from __future__ import annotations

import importlib
from collections.abc import Iterator

from extractors.archive import Archive, Snapshot
from extractors.http import ReplayTransport, Transport
from extractors.landing import Landed, LandingError, land
from extractors.source import Source, load_source
from warehouse.connection import connect
from warehouse.journal import Journal
from warehouse.profile import Profile
from warehouse.steps import step

NOT_FROM_THE_AGENCY = ("reconstructed", "transcribed")


def deliver(profile: Profile, source_code: str, dataset: str) -> Iterator[Landed]:
    """Fetches and lands one delivery after the other; the caller judges each before the next is taken.

    Raises `LandingError` where a live warehouse meets an answer that no agency gave.
    """
    source, archive, journal = load_source(source_code), Archive(profile.archive), Journal(profile.journal)
    client = importlib.import_module(f"extractors.{source_code}.client")
    for transport in _transports(profile, archive, source, dataset):
        with step("fetch"):
            snapshots: list[Snapshot] = client.fetch(source, source.dataset(dataset), transport)
        _refuse(profile, source, dataset, snapshots)
        with connect(profile, "koshi_loader") as connection:
            yield land(connection, journal, archive, source, dataset, snapshots)


def _transports(profile: Profile, archive: Archive, source: Source, dataset: str) -> Iterator[Transport]:
    if profile.is_live:
        from extractors.http import LiveTransport  # the HTTP stack is not needed to replay

        yield LiveTransport(archive, source, dataset)
        return
    deliveries = archive.deliveries(source.code, dataset)
    if not deliveries:
        raise LandingError(f"{source.code}.{dataset}: the archive {archive.root} holds no delivery; rebuild the bundled archive")
    for delivery in deliveries:
        yield ReplayTransport(archive, source.code, dataset, delivery)


def _refuse(profile: Profile, source: Source, dataset: str, snapshots: list[Snapshot]) -> None:
    for snapshot in snapshots:
        if profile.is_live and snapshot.capture in NOT_FROM_THE_AGENCY and not source.dataset(dataset).only_transcribed:
            raise LandingError(
                f"{source.code}.{dataset}, {snapshot.manifest}: capture is {snapshot.capture!r}, expected 'live' or 'recorded': "
                "a live warehouse takes only what the agency itself answered"
            )
