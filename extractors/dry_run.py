"""A dry run: asks and parses as a run would, and writes neither archive nor journal nor database."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import uuid4

from extractors.archive import Archive, ArchiveError, Snapshot, archive_of
from extractors.delivery import archived, asks, client_of, source_of
from extractors.http import LiveTransport, ReplayTransport
from extractors.landing import delivery_of, parse
from extractors.rows import UNREADABLE, ContractError, Parsed
from extractors.source import Source
from warehouse.profile import BUNDLED_ARCHIVE, Profile
from warehouse.wording import counted, one_line


@dataclass(frozen=True)
class Tried:
    """What one slice of a delivery would be: its rows, or why it cannot be read."""

    delivery: str
    slice: str
    rows: int = 0
    problem: str = ""

    def __str__(self) -> str:
        return f"delivery {self.delivery}, slice {self.slice}: {self.problem or counted(self.rows, 'row')}"


def dry_run(profile: Profile, source_code: str, dataset: str, delivery: str = "") -> list[Tried]:
    """What the dataset's next delivery would be: asked for now, or read from the archive (all of it, or the delivery of that name).

    Raises `FetchError` where the agency does not answer, and `LandingError` where the archive does not hold the delivery.
    """
    source = source_of(profile, source_code)
    if not asks(profile, source, dataset) or delivery:
        bundled_alone = profile.is_live and not asks(profile, source, dataset)
        archive = Archive(str(BUNDLED_ARCHIVE)) if bundled_alone else archive_of(profile)
        return [tried for name in archived(archive, source, dataset, delivery) for tried in _held(archive, source, dataset, name)]
    scratch = Archive(f"memory://koshi-dry-run-{uuid4().hex}")
    try:
        snapshots = client_of(source.code, source.dataset(dataset)).fetch(
            source, source.dataset(dataset), LiveTransport(scratch, source, dataset)
        )
        return list(_parsed(scratch, source, dataset, snapshots))
    finally:
        if scratch.fs.exists(scratch.root):
            scratch.fs.rm(scratch.root, recursive=True)


def _held(archive: Archive, source: Source, dataset: str, delivery: str) -> Iterator[Tried]:
    transport = ReplayTransport(archive, source.code, dataset, delivery)
    try:
        snapshots = client_of(source.code, source.dataset(dataset)).fetch(source, source.dataset(dataset), transport)
        transport.check()
        yield from _parsed(archive, source, dataset, snapshots)
    except ArchiveError as error:
        yield Tried(delivery, UNREADABLE, problem=one_line(str(error)))


def _parsed(archive: Archive, source: Source, dataset: str, snapshots: list[Snapshot]) -> Iterator[Tried]:
    name = delivery_of(snapshots)
    try:
        parsed = parse(source.code, source.dataset(dataset), archive, snapshots)
    except ContractError as error:
        yield Tried(name, UNREADABLE, problem=one_line(str(error)))
        return
    for slice_name in [*parsed.slices, *parsed.unreadable]:
        yield _slice(parsed, name, slice_name)


def _slice(parsed: Parsed, delivery: str, name: str) -> Tried:
    try:
        if error := parsed.unreadable.get(name):
            raise error
        return Tried(delivery, name, sum(len(block.lines) for block in parsed.blocks(name)))
    except ContractError as error:
        return Tried(delivery, name, problem=one_line(str(error)))
