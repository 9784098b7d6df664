"""The mirror: the entries of the journal that this database has applied, and with them the head as it was then.

Journal, head record and mirror are three witnesses. A process that is killed leaves the entry without its head record, or both without
their mirror: the next one goes on from there. An end that the journal lost comes back from the mirror. Anything else is told by name.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC

from psycopg.types.json import Jsonb

from warehouse.connection import Connection
from warehouse.journal import RESTORE, Entry, Head, Journal, JournalError, digest_of_all, faults_of_head, now
from warehouse.steps import note


def last(connection: Connection) -> Head:
    """The last entry that this database has applied."""
    row = connection.execute("select sequence, digest from meta.journal_entry order by sequence desc limit 1").fetchone()
    return Head(*row) if row else Head(0, None)


def applied(connection: Connection) -> list[Entry]:
    """All entries that this database has applied; what each followed is not in the mirror."""
    return [entry for entry, _ in _rows(connection, 0)]


def keep(connection: Connection, entry: Entry) -> None:
    """Notes that the entry is applied; in the transaction that applies it."""
    connection.execute(
        "insert into meta.journal_entry (sequence, kind, entry, recorded_at, digest) values (%s, %s, %s, %s, %s)",
        [entry.sequence, entry.kind, Jsonb(entry.body), entry.at, entry.head.digest],
    )


def is_out_of_step(connection: Connection, journal: Journal) -> bool:
    """Whether journal, head record and mirror end with different entries; only for who keeps others from writing."""
    mirrored = last(connection)
    return journal.head() != mirrored.sequence or (journal.head_record() or Head(mirrored.sequence, None)) != mirrored


def agree(connection: Connection, journal: Journal) -> list[Entry]:
    """Looks at the whole journal, its head record and the mirror; mends what a kill left and an end that was lost, and says so.

    Returns the entries that this database lacks. Only for who keeps others from writing.
    Raises `JournalError` naming what is wrong; then nothing was written.
    """
    there, faults = journal.examine()
    if faults:
        raise JournalError("\n".join(faults))
    mirrored, head = last(connection), journal.head_record()
    lost = _lost(connection, there)
    whole = there + lost
    if faults := [*faults_of_mirror(connection, journal, there), *faults_of_head(journal, whole, _vouched(whole, head, mirrored))]:
        raise JournalError("\n".join(faults))
    for entry in lost:
        journal.write(entry)
    if lost:
        _say(f"{journal.root} had lost {_numbers(lost)}: written anew from what this database has applied")
    if whole and whole[-1].previous is not None and head != whole[-1].head:
        if head is None and len(whole) > 1:
            unknown = "" if mirrored.sequence == len(whole) else ". Whether entries after it were lost cannot be known"
            _say(f"{journal.root} had no head record: written anew for entry {len(whole)}{unknown}")
        journal.write_head(whole[-1].head)
    return whole[mirrored.sequence :]


def seal(connection: Connection, journal: Journal) -> Entry | None:
    """The entry that names all those of earlier versions, with which the chain begins; None where there are none, or it has begun.

    Raises `JournalError` if one of them is not as this database has applied it: what was edited is not sealed.
    """
    if journal.head_record() is not None or not (before := journal.entries()):
        return None
    if faults := faults_of_mirror(connection, journal, before, whole=True):
        raise JournalError("\n".join(faults))
    digest = digest_of_all(before)
    return Entry(len(before) + 1, "sealed", now(), {"entries": len(before), "digest": digest}, digest)


def faults_of_mirror(connection: Connection, journal: Journal, there: Sequence[Entry], *, whole: bool = False) -> list[str]:
    """A line if the last entry that this database has applied is another than the journal's; with `whole` a line on each such entry."""
    first = 0 if whole else max(0, min(last(connection).sequence, len(there)) - 1)
    faults = []
    for theirs, stated in _rows(connection, first)[: len(there) - first]:
        ours = there[theirs.sequence - 1]
        if ours.digest != replace(theirs, previous=ours.previous).digest or stated not in (None, ours.digest):
            faults.append(
                f"{journal.path(ours.sequence)} is not the entry {ours.sequence} that this database has applied: it was edited, or journal "
                f"and database are of two warehouses (KOSHI_JOURNAL, DATABASE_URL). {RESTORE}"
            )
    return faults


def _lost(connection: Connection, there: Sequence[Entry]) -> list[Entry]:
    """What this database has applied after the last entry that is there, linked as it was."""
    lost, digest = list[Entry](), digest_of_all(there)
    for number, (unlinked, stated) in enumerate(_rows(connection, len(there)), len(there) + 1):
        entry = replace(unlinked, previous=None if stated is None else digest)
        if entry.sequence != number or entry.head.digest != stated:
            raise JournalError(
                f"meta.journal_entry {number} is missing or does not follow the entry before, so the end that the journal lost is not made "
                f"of it. {RESTORE}"
            )
        digest = stated or replace(entry, previous=digest).digest
        lost.append(entry)
    return lost


def _rows(connection: Connection, after: int) -> list[tuple[Entry, str | None]]:
    """The mirrored entries numbered above `after`, each with the digest that it had; what they followed is not in the mirror."""
    rows = connection.execute(
        "select sequence, kind, recorded_at, entry, digest from meta.journal_entry where sequence > %s order by sequence", [after]
    ).fetchall()
    # the instant as `now` writes it
    return [
        (Entry(number, kind, at.astimezone(UTC).isoformat(timespec="milliseconds"), body), digest)
        for number, kind, at, body, digest in rows
    ]


def _vouched(whole: Sequence[Entry], head: Head | None, mirrored: Head) -> Head | None:
    """The mirror's head where it is the later one of the same chain: a head record of an earlier day is no fault then."""
    fits = head and 0 < head.sequence <= len(whole) and whole[head.sequence - 1].head == head
    return mirrored if fits and head and mirrored.digest and mirrored.sequence > head.sequence else head


def _numbers(entries: Sequence[Entry]) -> str:
    first, end = entries[0].sequence, entries[-1].sequence
    return f"entry {first}" if first == end else f"entries {first} to {end}"


def _say(what: str) -> None:
    """Tells the person, and the log of whatever runs this."""
    note(what)
    logging.getLogger("koshi").info(what)
