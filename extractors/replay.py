"""Catching up with the journal: the entries that this database has not applied, in order.

After a kill that is at most the last entry; after the database was dropped it is all of them. Both cases run the same code.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from extractors import digest
from extractors.archive import Archive, Snapshot, archive_of
from extractors.landing import as_declared, delivery_of, parse, slice_snapshots
from extractors.raw import Piece, copy, delete
from extractors.reparse import Declaration, deliveries
from extractors.rows import ContractError
from extractors.source import SourceError, load_source
from warehouse import ledger, mirror
from warehouse.build import BuildError, build, is_built
from warehouse.candidate import Candidate, current_publication
from warehouse.connection import Connection, again_if_lost, connect, shared_sessions
from warehouse.fingerprint import code_fingerprint
from warehouse.journal import Entry, Journal
from warehouse.keys import hex_key
from warehouse.locks import BUILD, JOURNAL, locked, until_commit
from warehouse.profile import Profile
from warehouse.publication import prune, show, turn_readers
from warehouse.served import can_show, shown
from warehouse.steps import step

Kept = dict[tuple[str, str, str], dict[str, Any]]


@dataclass
class Replayed:
    """How many entries were applied; which releases this code reads otherwise, and which kept publications it cannot rebuild, and why."""

    entries: int = 0
    not_at_hand: list[str] = field(default_factory=list)
    not_rebuilt: list[str] = field(default_factory=list)


class Written(NamedTuple):
    """A release as the journal or the ledger has it."""

    release_key: int
    slice: str
    row_digest: str


@again_if_lost
@shared_sessions()
def catch_up(profile: Profile, progress: Callable[[Entry], None] = lambda entry: None) -> Replayed:
    """Looks at the whole journal, then applies what the database lacks of it; `progress` hears of each entry.

    Releases are parsed anew from the archive. Where this code reads the bytes otherwise than the code of that time, the release is in
    the ledger and its rows are not at hand: the next run parses its delivery anew. Publications that are still kept are built anew if
    their code is this code, the one that readers see under any code; the others are named.
    Raises `JournalError` if the journal is damaged: then nothing was applied.
    """
    replayed = Replayed()
    with step("catch_up"):
        if is_behind(profile, mirror.agree):
            # nobody else builds or writes: a publication is built anew in the schema that all builds share
            with locked(profile, BUILD, wait=True):
                with locked(profile, JOURNAL, wait=True):
                    _apply_missing(profile, progress, replayed)
                _rebuild(profile, replayed)
                if replayed.entries:
                    prune(profile)
    return replayed


def is_behind(profile: Profile, lacks: Callable[[Connection, Journal], object] = mirror.is_out_of_step) -> bool:
    """Whether the database `lacks` entries, or readers their publication; asked while nobody is between his entry and his commit."""
    with locked(profile, JOURNAL, wait=True), connect(profile, "koshi_loader") as connection:
        if lacks(connection, Journal(profile.journal)):
            return True
        current = current_publication(connection)
        return current is not None and shown(connection) != current[0]


def _apply_missing(profile: Profile, progress: Callable[[Entry], None], replayed: Replayed) -> None:
    with connect(profile, "koshi_loader") as connection:
        missing = mirror.agree(connection, Journal(profile.journal))
    ledger.refuse_unknown(missing)
    kept = _kept_declarations(missing)
    for entry in missing:
        progress(entry)
        replayed.not_at_hand += _apply(profile, entry, kept)
        replayed.entries += 1


def _kept_declarations(entries: Sequence[Entry]) -> Kept:
    """What later code wrote down as declared for deliveries that came before declarations were kept."""
    found: Kept = {}
    for entry in entries:
        if entry.kind == "reparsed":
            for delivery, declaration in entry.body["declarations"].items():
                found.setdefault((entry.body["source"], entry.body["dataset"], delivery), declaration)
    return found


def _apply(profile: Profile, entry: Entry, kept: Kept) -> list[str]:
    """Applies one entry; returns which of its releases this code reads otherwise, and why."""
    if entry.kind in ("landed", "reparsed"):
        with connect(profile, "koshi_loader") as connection:
            return reland(connection, archive_of(profile), entry, kept)
    points_readers = entry.kind == "published" or entry.body.get("kind") == "pin"
    with connect(profile, None if points_readers else "koshi_loader") as connection:
        if points_readers:
            show(connection, entry)
        else:
            ledger.apply(connection, entry)
    return []


def reland(connection: Connection, archive: Archive, entry: Entry, kept: Kept) -> list[str]:
    """Applies an entry of deliveries: their rows are parsed anew from the archived bytes. The caller commits.

    Returns which releases this code reads otherwise, and why: the ledger says that their rows are not at hand.
    Raises `ArchiveError` if the archive no longer has what the entry speaks of.
    """
    body = entry.body
    source, dataset = body["source"], body["dataset"]
    if entry.kind == "landed":
        snapshots = [archive.read_manifest(snapshot["manifest"]) for snapshot in body["snapshots"]]
        for snapshot, recorded in zip(snapshots, body["snapshots"], strict=True):
            snapshot.refuse_other([recorded])
        name = delivery_of(snapshots)
        known = {name: (snapshots, body.get("declaration") or kept.get((source, dataset, name)))}
    else:
        # read by what the entry was read by, and not by what the deliveries kept when they came
        records = {"records": body["records"]} if "records" in body else {}
        known = {
            name: (snapshots, declaration and {key: declaration[key] for key in declaration if key != "records"} | records)
            for name, (snapshots, declaration) in deliveries(connection, archive, source, dataset).items()
        }
    missing: dict[int, str] = {}
    for name, (snapshots, declaration) in known.items():
        wanted = [
            Written(release["release_key"], release["slice"], release["row_digest"])
            for release in body["releases"]
            if release.get("delivery", name) == name
        ]
        missing |= rows_from_bytes(connection, archive, source, dataset, snapshots, declaration, wanted)
    ledger.apply(connection, entry)
    connection.execute("update meta.release set rows_at_hand = false where release_key = any(%s)", [list(missing)])
    return [f"journal entry {entry.sequence}, {source}.{dataset}, release {hex_key(key)}: {why}" for key, why in missing.items()]


def rows_from_bytes(
    connection: Connection,
    archive: Archive,
    source: str,
    dataset_name: str,
    snapshots: Sequence[Snapshot],
    declaration: Declaration,
    wanted: Sequence[Written],
) -> dict[int, str]:
    """Copies the rows of releases of one delivery into raw, from the archived bytes; returns those that come out otherwise, and why."""
    wanted = [release for release in wanted if release.row_digest]  # what could not be read has no rows
    if not wanted:
        return {}
    try:
        dataset = as_declared(load_source(source), dataset_name, declaration)
        parsed = parse(source, dataset, archive, snapshots)
    except (ContractError, SourceError) as error:
        return {release.release_key: str(error) for release in wanted}
    pieces = [
        Piece(key, name, slice_snapshots(snapshots, parsed, name), [digest.version_of(row_digest)])
        for key, name, row_digest in wanted
        if name in parsed.slices
    ]
    copied = copy(connection, dataset, parsed, pieces)
    found = {key: [*each.digests.values()] for key, each in copied.items()}
    missing = [key for key, _, row_digest in wanted if found.get(key) != [row_digest]]
    delete(connection, dataset, missing)
    return dict.fromkeys(missing, f"this code ({code_fingerprint()}) reads its bytes otherwise than the code that landed it")


def _rebuild(profile: Profile, replayed: Replayed) -> None:
    """Builds what readers see, and what is kept for a rollback, where it does not stand; then shows it in its order, all at once."""
    with connect(profile) as connection:
        rows = connection.execute(
            "select publication_key, number, code_fingerprint, is_current from meta.publication where is_kept order by number"
        ).fetchall()
        wanted = [row for row in rows if not can_show(connection, row[0]) and not is_built(connection, Candidate(row[0], ()).schema)]
    for key, number, code, is_current in wanted if replayed.entries else [row for row in wanted if row[3]]:
        if why := _why_not(profile, key, code, is_current=is_current) or _built(profile, key):
            replayed.not_rebuilt.append(f"publication {number}: {why}")
    with connect(profile) as connection:
        until_commit(connection, JOURNAL)
        current = next((row[0] for row in rows if row[3]), None)
        if current is not None and (can_show(connection, current) or is_built(connection, Candidate(current, ()).schema)):
            for key, *_ in rows if replayed.entries else []:
                if not can_show(connection, key):
                    turn_readers(connection, key)
            turn_readers(connection, current)


def _why_not(profile: Profile, key: int, code: str, *, is_current: bool) -> str:
    with connect(profile) as connection:
        missing = connection.execute(
            "select r.source, r.dataset, r.slice, r.release_key from meta.publication_release as p join meta.release as r"
            " using (release_key) where p.publication_key = %s and not r.rows_at_hand order by 1, 2, 3 limit 1",
            [key],
        ).fetchone()
    if missing:
        source, dataset, name, release = missing
        return f"this code reads {source}.{dataset}, slice {name}, release {hex_key(release)} otherwise than the code of that time"
    if code != code_fingerprint() and not is_current:
        return f"it was made by other code ({code}); this is {code_fingerprint()}"
    return ""


def _built(profile: Profile, key: int) -> str:
    """Builds a publication's schema; returns why it cannot be built."""
    with connect(profile) as connection:
        rows = connection.execute(
            "select release_key, is_current from meta.publication_release where publication_key = %s order by release_key", [key]
        ).fetchall()
    try:
        build(profile, Candidate(key, tuple((int(release), bool(current)) for release, current in rows)))
    except BuildError as error:
        return str(error)
    return ""
