"""`check`: archive, journal, ledger and raw against each other. It changes nothing; each finding is a line that says what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from extractors.archive import Archive, ArchiveError, archive_of
from warehouse import ledger, mirror
from warehouse.candidate import current_publication
from warehouse.connection import Connection, connect
from warehouse.journal import HEAD, Entry, Journal, JournalError, faults_of_head
from warehouse.keys import hex_key
from warehouse.locks import BUILD, JOURNAL, locked
from warehouse.profile import Profile
from warehouse.served import shown

SHOWN = 20  # lines on one table; a ledger that is another one altogether has thousands
# what entries write, in an order in which it can be taken out
LEDGER = (
    "quality.quarantine", "quality.validation_result", "meta.confirmation", "meta.release_snapshot", "meta.publication_release",
    "meta.candidate_release", "meta.decision", "meta.publication", "meta.release", "meta.snapshot", "meta.delivery", "meta.parser",
    "meta.journal_entry",
)  # fmt: skip
# no entry writes these: what a build is made from, whether this code can read the bytes, what a person ticked off
NOT_OF_THE_JOURNAL = {"meta.candidate_release", "rows_at_hand", "resolved_at"}
CATCH_UP = "the next run, or make replay, mends it"
ANEW = "make the database anew from archive and journal (docs/operations.md, Lost database)"
Rows = dict[tuple[Any, ...], dict[str, Any]]


def check(profile: Profile, at: Callable[[str], None] = lambda part: None) -> list[str]:
    """A line on each finding, none if all is well; `at` hears what is looked at. Waits for a build and for who writes the journal."""
    journal = Journal(profile.journal)
    with locked(profile, BUILD, wait=True), locked(profile, JOURNAL, wait=True), connect(profile, "koshi_loader") as connection:
        at("the journal")
        entries, found = of_journal(journal)
        if not found:
            found = [*of_mirror(connection, journal, entries), *of_readers(connection)]
            at("the ledger")
            found += of_ledger(connection, entries[: mirror.last(connection).sequence])
        at("the rows")
        found += of_raw(connection)
        said = entries if not found else [*entries, *mirror.applied(connection)]
    at("the archive")
    return [*found, *of_archive(archive_of(profile), said)]


def of_journal(journal: Journal) -> tuple[list[Entry], list[str]]:
    """The entries that can be read, and a line on each fault of the chain and of the head record."""
    entries, found = journal.examine()
    try:
        head = journal.head_record()
    except JournalError as error:
        return entries, [*found, str(error)]
    if found or (found := faults_of_head(journal, entries, head)):
        return entries, found
    if entries and entries[-1].head.digest and head != entries[-1].head:
        found = [f"{journal.root}/{HEAD} does not name the last entry, {len(entries)}: a process was killed, or it was removed: {CATCH_UP}"]
    return entries, found


def of_mirror(connection: Connection, journal: Journal, entries: Sequence[Entry]) -> Iterator[str]:
    """Entries that this database has and the journal lost, or the other way round, or that they have otherwise."""
    applied = mirror.last(connection).sequence
    if applied > len(entries):
        yield f"{journal.root} ends at entry {len(entries)}, this database has applied {applied}: the end was lost: {CATCH_UP}"
    if applied < len(entries):
        yield f"{journal.root} ends at entry {len(entries)}, this database has applied {applied}: it is behind: {CATCH_UP}"
    yield from mirror.faults_of_mirror(connection, journal, entries, whole=True)


def of_readers(connection: Connection) -> Iterator[str]:
    """Readers who are shown another publication than the ledger says."""
    current, seen = current_publication(connection), shown(connection)
    if seen != (current[0] if current else None):
        names = [f"publication {hex_key(key)}" if key is not None else "nothing" for key in (seen, current[0] if current else None)]
        yield f"schema bi shows {names[0]}, expected {names[1]}, which the ledger calls current: {CATCH_UP}"


def of_ledger(connection: Connection, entries: Sequence[Entry]) -> Iterator[str]:
    """What the ledger says otherwise than the entries do: they are applied to it anew in a transaction that is taken back."""
    there = {table: _rows(connection, table) for table in LEDGER}
    try:
        with connection.transaction():
            for table in LEDGER:
                connection.execute(sql.SQL("delete from {}").format(sql.Identifier(*table.split("."))))
            for entry in entries:
                ledger.apply(connection, entry)
            said = {table: _rows(connection, table) for table in LEDGER}
            raise psycopg.Rollback
    except (JournalError, psycopg.DatabaseError) as error:
        yield f"the entries of the journal cannot be applied anew: {' '.join(str(error).split())}"
        return
    for table in LEDGER:
        if table not in NOT_OF_THE_JOURNAL:
            lines = list(_differences(table, there[table], said[table]))
            yield from lines[:SHOWN]
            if len(lines) > SHOWN:
                yield f"{table}: and {len(lines) - SHOWN:,} more: {ANEW}"


def _differences(table: str, there: Rows, said: Rows) -> Iterator[str]:
    for key in sorted({*there, *said}, key=str):
        mine, theirs = there.get(key), said.get(key)
        name = f"{table} {_name(key, mine or theirs or {})}"
        if mine is None:
            yield f"{name} is missing, the journal has it: {ANEW}"
        elif theirs is None:
            yield f"{name} is in no entry of the journal: {ANEW}"
        elif other := [column for column in mine if column not in NOT_OF_THE_JOURNAL and mine[column] != theirs[column]]:
            said_so = "; ".join(f"{column} is {mine[column]!r}, expected {theirs[column]!r}" for column in other)
            yield f"{name}: {said_so}, as the journal says: {ANEW}"


def _name(key: tuple[Any, ...], row: Mapping[str, Any]) -> str:
    """The row in words: the dataset, slice and release where it has them, else its key."""
    if "rank" in row and "slice" in row:
        return f"{row['source']}.{row['dataset']}, slice {row['slice']}, edition {row['edition']}, release {hex_key(row['release_key'])}"
    if "manifest" in row:
        return str(row["manifest"])
    return ", ".join(hex_key(part) if isinstance(part, int) and abs(part) > 2**31 else str(part) for part in key)


def _rows(connection: Connection, table: str) -> Rows:
    """All rows by primary key, by column."""
    keys = connection.execute(
        "select a.attname from pg_index as i join pg_attribute as a on a.attrelid = i.indrelid and a.attnum = any(i.indkey)"
        " where i.indrelid = %s::regclass and i.indisprimary order by array_position(i.indkey, a.attnum)",
        [table],
    ).fetchall()
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(sql.SQL("select * from {}").format(sql.Identifier(*table.split(".")))).fetchall()
    return {tuple(row[name] for (name,) in keys): row for row in rows}


def of_raw(connection: Connection) -> Iterator[str]:
    """Releases of which raw holds other rows than landed, and rows of a release that the ledger does not know."""
    tables = [
        name
        for (name,) in connection.execute(
            "select c.relname from pg_class as c join pg_attribute as a on a.attrelid = c.oid and a.attname = '_release_key'"
            " where c.relnamespace = 'raw'::regnamespace and c.relkind = 'r' order by 1"
        )
    ]
    counts: dict[int, int] = {}
    for table in tables:
        statement = sql.SQL("select _release_key, count(*) from {} group by 1").format(sql.Identifier("raw", table))
        for key, count in connection.execute(statement).fetchall():
            counts[key] = counts.get(key, 0) + count
    for key, source, dataset, name, edition, landed in connection.execute(
        "select release_key, source, dataset, slice, edition, case when rows_at_hand then rows_landed else 0 end from meta.release"
        " order by source, dataset, slice, rank"
    ).fetchall():
        if (found := counts.pop(key, 0)) != landed:
            yield (
                f"{source}.{dataset}, slice {name}, edition {edition}, release {hex_key(key)}: raw holds {found:,} rows, expected "
                f"{landed:,}, as landed: {ANEW}"
            )
    for key, count in sorted(counts.items()):
        yield f"release {hex_key(key)}: raw holds {count:,} rows, expected none: the ledger does not know it: {ANEW}"


def of_archive(archive: Archive, entries: Iterable[Entry]) -> Iterator[str]:
    """Manifests and bytes that are missing, damaged, or not as the entries recorded them; those that no entry knows are read as well."""
    recorded: dict[str, list[dict[str, Any]]] = {}
    for entry in entries:
        for words in entry.body.get("snapshots", []):
            recorded.setdefault(words["manifest"], []).append(words)
    for manifest in sorted({*recorded, *archive.manifests()}):
        try:
            snapshot = archive.read_manifest(manifest)
            snapshot.refuse_other(recorded.get(manifest, []))
            archive.body(snapshot)
        except ArchiveError as error:
            yield str(error)
