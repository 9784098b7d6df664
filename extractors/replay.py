"""Catching up with the journal: the entries that this database has not applied, in order.

After a kill that is at most the last entry; after the database was dropped it is all of them. Both are the same deed.
"""

from __future__ import annotations

from collections.abc import Callable

from extractors.archive import archive_of
from extractors.landing import reland
from extractors.source import load_source
from warehouse import ledger
from warehouse.build import build, is_built, prepare
from warehouse.candidate import Candidate
from warehouse.connection import connect
from warehouse.fingerprint import code_fingerprint
from warehouse.journal import Entry, Journal
from warehouse.keys import content_key
from warehouse.locks import hold
from warehouse.profile import Profile
from warehouse.publication import KEEP, prune, show
from warehouse.steps import step


def catch_up(profile: Profile, progress: Callable[[Entry], None] = lambda entry: None) -> int:
    """Applies what the database lacks of the journal and returns the number of entries; `progress` hears of each.

    Releases are parsed anew from the archive; a publication that is still kept is built anew if its code is this code,
    otherwise only the ledger remembers it and the next run publishes under the new code.
    """
    journal = Journal(profile.journal)
    with step("catch_up"), hold(profile, "catch up", wait=True):
        with connect(profile, "koshi_loader") as connection:
            # an entry that another has written and not committed yet is not missing
            connection.execute("select pg_advisory_xact_lock(%s)", [content_key("lock", "journal")])
            missing = journal.entries(after=ledger.last_applied(connection))
        kept = {entry.sequence for entry in [entry for entry in missing if entry.kind == "published"][-KEEP:]}
        for entry in missing:
            progress(entry)
            _apply(profile, entry, rebuild=entry.sequence in kept)
        if missing:
            prune(profile)
    return len(missing)


def _apply(profile: Profile, entry: Entry, *, rebuild: bool) -> None:
    if entry.kind == "landed":
        with connect(profile, "koshi_loader") as connection:
            reland(connection, archive_of(profile), load_source(entry.body["source"]), entry)
        return
    if entry.kind == "published" and rebuild and entry.body["code_fingerprint"] == code_fingerprint():
        _build(profile, entry)
    points_readers = entry.kind == "published" or entry.body.get("kind") == "pin"
    with connect(profile, None if points_readers else "koshi_loader") as connection:
        if points_readers:
            show(connection, entry)
        else:
            ledger.apply(connection, entry)


def _build(profile: Profile, entry: Entry) -> None:
    """The publication's schema, unless it stands already: then the process died after the build."""
    candidate = Candidate(entry.body["publication_key"], tuple((key, current) for key, current in entry.body["releases"]))
    with connect(profile) as connection:
        if is_built(connection, candidate.schema):
            return
    prepare(profile)
    build(profile, candidate)
