"""Deliveries of a dataset, in order: all that the archive holds (sample), or one new retrieval (live)."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from typing import Any

from extractors import clock
from extractors.archive import Archive, ArchiveError, Snapshot, archive_of
from extractors.http import LiveTransport, ReplayTransport, UndeclaredError, dropin_folder, file_asked_for
from extractors.landing import Landed, is_known, land, package_of
from extractors.raw import LandingError
from extractors.recorded import refuse_changed
from extractors.reparse import is_read_otherwise, reparse
from extractors.source import Dataset, Source, at_configured_addresses, load_source
from warehouse.connection import connect
from warehouse.journal import Journal, now
from warehouse.profile import BUNDLED_ARCHIVE, Profile
from warehouse.steps import step

FROM_THE_AGENCY = ("live", "recorded")


def deliver(profile: Profile, source_code: str, dataset: str, delivery: str = "") -> Iterator[Landed]:
    """Fetches and lands one delivery after the other, or the archived one of that name alone; the caller judges each before the next.

    Where the source's parsing code has changed, what it makes of the deliveries that were landed before comes first.
    Raises `LandingError` where a live warehouse meets an answer that no agency gave, `FetchError` where an agency gives none, and
    `ArchiveError` naming what the archive holds and nobody declares, after the deliveries where all is in order.
    """
    source = source_of(profile, source_code)
    undeclared: list[str] = []
    yield from land_each(profile, source, dataset, _fetched(profile, archive_of(profile), source, dataset, delivery, undeclared))
    if undeclared:
        raise ArchiveError("\n".join(undeclared))


def known(profile: Profile, source_code: str, dataset: str) -> list[Landed]:
    """What `deliver` would yield where it would do nothing: the archive alone is asked, and all that it holds is known.

    Empty where there is something to do, or to complain of: `deliver` says what.
    """
    source = load_source(source_code)
    if asks(profile, source, dataset):
        return []
    archive = archive_of(profile)
    with connect(profile, "koshi_loader") as connection:
        if is_read_otherwise(connection, source_code, dataset) or clock.was_ahead(connection, source_code, dataset, now()):
            return []
        landed = connection.execute("select delivery from meta.delivery where (source, dataset) = (%s, %s)", [source_code, dataset])
        there = {str(name) for (name,) in landed.fetchall()}
        # what has not landed decides mostly, so it is looked at first
        found = sorted(archive.deliveries(source_code, dataset), key=lambda name: name in there)
        try:
            if not all(is_known(connection, source_code, dataset, _held(archive, source, dataset, name)) for name in found):
                return []
            refuse_changed(connection, archive, source_code, dataset)
        except ArchiveError:
            return []
    return [Landed(known=True) for _ in found]


def _held(archive: Archive, source: Source, dataset: str, delivery: str) -> list[Snapshot]:
    """The snapshots of an archived delivery. Raises `UndeclaredError` where they answer other questions than those declared."""
    transport = ReplayTransport(archive, source.code, dataset, delivery)
    with step("fetch"):
        snapshots: list[Snapshot] = client_of(source.code, source.dataset(dataset)).fetch(source, source.dataset(dataset), transport)
        transport.check()
    return snapshots


def source_of(profile: Profile, source_code: str) -> Source:
    """The source at the addresses where the profile asks it."""
    source = load_source(source_code)
    return at_configured_addresses(source) if profile.is_live else source


def land_each(profile: Profile, source: Source, dataset: str, deliveries: Iterator[list[Snapshot] | None]) -> Iterator[Landed]:
    """Lands deliveries that are archived, after what other code than of that time makes of those that were landed before.

    None stands for one that has landed as it lies there.
    """
    archive, journal = archive_of(profile), Journal(profile.journal)
    with connect(profile, "koshi_loader") as connection:
        if anew := reparse(connection, journal, archive, source, dataset):
            yield anew
    for snapshots in deliveries:
        if snapshots is None:
            yield Landed(known=True)
            continue
        for snapshot in snapshots:
            refuse(profile, source, dataset, snapshot)
        with connect(profile, "koshi_loader") as connection:
            yield land(connection, journal, archive, source, dataset, snapshots)


def refuse(profile: Profile, source: Source, dataset: str, snapshot: Snapshot) -> None:
    """Raises `LandingError` if the snapshot is not of a capture that the profile's warehouse takes for the dataset."""
    allowed = ("transcribed",) if source.dataset(dataset).only_transcribed else FROM_THE_AGENCY
    if profile.is_live and snapshot.capture not in allowed:
        raise LandingError(
            f"{source.code}.{dataset}, {snapshot.manifest or snapshot.request.shown}: capture is {snapshot.capture!r}, "
            f"expected {' or '.join(allowed)}: a live warehouse takes only what the agency itself answered, "
            "and declared transcriptions of what it has in print alone"
        )


def client_of(source_code: str, dataset: Dataset) -> Any:
    """The module that knows the dataset's questions: `fetch(source, dataset, transport)` and `requests(source, dataset)`."""
    return importlib.import_module(f"extractors.{package_of(source_code, dataset)}.client")


def unasked_files(source: Source) -> list[str]:
    """The files in the drop-in folder of the source that no live delivery would ask for now.

    Their names are not the agency's, or they answer another question. An edition that is not the newest is taken in by
    `pipeline.py record`.
    """
    folder = dropin_folder(source)
    if not folder or not folder.is_dir():
        return []
    asked = {
        file_asked_for(request)
        for dataset in source.datasets.values()
        if not dataset.only_transcribed
        for request in client_of(source.code, dataset).requests(source, dataset)
    }
    return sorted(str(file) for file in folder.iterdir() if file.is_file() and file.name not in asked)


def _fetched(
    profile: Profile, archive: Archive, source: Source, dataset: str, delivery: str, undeclared: list[str]
) -> Iterator[list[Snapshot] | None]:
    """The snapshots of each delivery: one that is asked for now, or all that the archive holds, or the one of that name."""
    if asks(profile, source, dataset) and not delivery:
        with step("fetch"):
            snapshots: list[Snapshot] = client_of(source.code, source.dataset(dataset)).fetch(
                source, source.dataset(dataset), LiveTransport(archive, source, dataset)
            )
        yield snapshots
        return
    if profile.is_live and not asks(profile, source, dataset):
        _copy(Archive(str(BUNDLED_ARCHIVE)), archive, source.code, dataset)
    yield from _replayed(profile, archive, source, dataset, delivery, undeclared)


def asks(profile: Profile, source: Source, dataset: str) -> bool:
    """Whether the agency is asked for the dataset; what it has in print alone is declared, and so is all of a sample."""
    return profile.is_live and not source.dataset(dataset).only_transcribed


def archived(archive: Archive, source: Source, dataset: str, delivery: str = "") -> list[str]:
    """The deliveries of the dataset that the archive holds, or the one of that name. Raises `LandingError` if there is none."""
    held = archive.deliveries(source.code, dataset)
    if not held:
        raise LandingError(
            f"{source.code}.{dataset}: the archive {archive.where} holds no delivery. Take in a file with "
            f"`python pipeline.py record {source.code} {dataset} FILE`, or ask the agency: make run LIVE=1"
        )
    if delivery and delivery not in held:
        raise LandingError(f"{source.code}.{dataset}: the archive {archive.where} holds no delivery {delivery}; it holds {', '.join(held)}")
    return [delivery] if delivery else held


def _replayed(
    profile: Profile, archive: Archive, source: Source, dataset: str, wanted: str, undeclared: list[str]
) -> Iterator[list[Snapshot] | None]:
    """The snapshots of each delivery that the archive holds; what speaks against one whose questions are not declared is added.

    A delivery that has landed stays what it was when it came, whatever is declared today: None where each of its manifests is as it landed.
    """
    landed: dict[str, list[str]] = {}
    with connect(profile, "koshi_loader") as connection:
        refuse_changed(connection, archive, source.code, dataset)
        if not clock.was_ahead(connection, source.code, dataset, now()):
            rows = connection.execute(
                "select delivery, manifests from meta.delivery where (source, dataset) = (%s, %s)", [source.code, dataset]
            )
            landed = {delivery: sorted(manifests) for delivery, manifests in rows.fetchall()}
    for delivery in archived(archive, source, dataset, wanted):
        if delivery in landed and archive.manifests_of(source.code, dataset, delivery) == landed[delivery]:
            yield None
            continue
        try:
            snapshots = _held(archive, source, dataset, delivery)
        except UndeclaredError as error:
            if not _has_landed(profile, source, dataset, error.snapshots):
                undeclared.append(str(error))
        else:
            yield snapshots


def _has_landed(profile: Profile, source: Source, dataset: str, snapshots: Sequence[Snapshot]) -> bool:
    """Whether this database knows the bytes of every one of the snapshots."""
    with connect(profile, "koshi_loader") as connection:
        rows = connection.execute("select sha256 from meta.snapshot where (source, dataset) = (%s, %s)", [source.code, dataset]).fetchall()
    return bool(snapshots) and {snapshot.sha256 for snapshot in snapshots} <= {sha256 for (sha256,) in rows}


def _copy(bundled: Archive, archive: Archive, source: str, dataset: str) -> None:
    """Takes the declared transcriptions into a live archive, which must hold whatever its warehouse was made of."""
    for delivery in bundled.deliveries(source, dataset):
        held = archive.snapshots(source, dataset, delivery)
        for snapshot in bundled.snapshots(source, dataset, delivery):
            if snapshot not in held:
                number = int(snapshot.manifest.rpartition("/")[2].partition("_")[0])
                archive.write(snapshot, bundled.body(snapshot), number)
