"""The raw tables: the rows of a delivery in by one COPY, and those of a release out again."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import NamedTuple

import psycopg
from psycopg import Copy, sql

from extractors import digest
from extractors.archive import Snapshot
from extractors.rows import Block, ContractError, Parsed
from extractors.source import Dataset
from warehouse import raw_tables
from warehouse.connection import Connection
from warehouse.steps import step

NOT_TAKEN = re.compile("[\0\ud800-\udfff]")


class LandingError(RuntimeError):
    """A delivery that cannot be landed, through no fault of the agency."""


class Piece(NamedTuple):
    """A slice that goes into raw: under which key, the snapshots that it rests on, and the versions of its digest that are wanted."""

    release_key: int
    name: str
    snapshots: Sequence[Snapshot]
    versions: Collection[int]


class Copied(NamedTuple):
    """What a slice came to: its rows and digests, or why it cannot be read; then it has neither, and nothing of it is in raw."""

    rows: int
    digests: dict[int, str]
    issue: str = ""

    @classmethod
    def refused(cls, piece: Piece, error: ContractError) -> Copied:
        """A slice that cannot be read."""
        return cls(0, dict.fromkeys(piece.versions, ""), str(error))


def copy(connection: Connection, dataset: Dataset, parsed: Parsed, pieces: Sequence[Piece]) -> dict[int, Copied]:
    """One COPY of all these slices of a delivery into the raw table of their shape; returns what each release came to.

    A slice with a row that cannot be read, or that the database refuses, goes out again by itself: the others are in raw.
    Raises `LandingError` if the server took in another number of rows.
    """
    found = {piece.release_key: Copied.refused(piece, parsed.unreadable[piece.name]) for piece in pieces if piece.name in parsed.unreadable}
    if readable := [piece for piece in pieces if piece.release_key not in found]:
        if dataset.records:
            raw_tables.make(connection, dataset.shape, dataset.records.columns)
        delete(connection, dataset, [piece.release_key for piece in readable])
        with step("land.copy"):
            found |= _copied(connection, dataset, parsed, readable)
    return found


def _copied(connection: Connection, dataset: Dataset, parsed: Parsed, pieces: Sequence[Piece]) -> dict[int, Copied]:
    """The slices by one COPY; where the server refuses a row, each by one of its own, which says whose row it is."""
    names = sql.SQL(", ").join(map(sql.Identifier, ("_release_key", "_snapshot_key", "_row", *parsed.columns)))
    statement = sql.SQL("copy {} ({}) from stdin with (format csv)").format(sql.Identifier("raw", dataset.shape), names)
    try:
        with connection.transaction(), connection.cursor() as cursor:
            with cursor.copy(statement) as target:
                written = {piece.release_key: _written(target, parsed, piece) for piece in pieces}
            if cursor.rowcount != (total := sum(rows for rows, _ in written.values())):
                raise LandingError(
                    f"delivery {pieces[0].snapshots[0].manifest}: {total} rows were parsed, raw.{dataset.shape} took in {cursor.rowcount}; "
                    "nothing was kept"
                )
            delete(connection, dataset, [key for key, (rows, copied) in written.items() if rows and copied.issue])
            return {key: copied for key, (_, copied) in written.items()}
    except psycopg.DataError as error:
        if len(pieces) > 1:
            return {key: copied for piece in pieces for key, copied in _copied(connection, dataset, parsed, [piece]).items()}
        where = error.diag.context or f"slice {pieces[0].name}"
        refusal = ContractError(where, "rows that the database takes", error.diag.message_primary or str(error))
        return {pieces[0].release_key: Copied.refused(pieces[0], refusal)}


def _written(target: Copy, parsed: Parsed, piece: Piece) -> tuple[int, Copied]:
    """Writes a slice in one pass over its rows; returns how many went out, the first of one that breaks off as well."""
    digests = {version: digest.VERSIONS[version]() for version in piece.versions}
    count, keys = 0, [f"{piece.release_key},{snapshot.key}," for snapshot in piece.snapshots]
    try:
        for block in parsed.blocks(piece.name):
            written = addressed(keys[block.answer], block)
            for each in digests.values():
                each.update(block.lines, block.content)
            target.write(written)
            count += len(block.lines)
    except ContractError as error:
        return count, Copied.refused(piece, error)
    return count, Copied(count, {version: each.result() for version, each in digests.items()})


def addressed(keys: str, block: Block) -> bytes:
    """The lines of a block as COPY reads them: keys and address before each, the address quoted by hand.

    Raises `ContractError` with the address of a line that holds a character that PostgreSQL does not take.
    """
    addresses = block.addresses
    if '"' in "".join(addresses):
        addresses = [address.replace('"', '""') for address in addresses]
    text = "".join([f'{keys}"{address}",{line}\n' for address, line in zip(addresses, block.lines, strict=True)])
    try:
        written = text.encode()
    except UnicodeEncodeError:
        raise _not_taken(block) from None
    if b"\0" in written:
        raise _not_taken(block)
    return written


def _not_taken(block: Block) -> ContractError:
    """Names the first line of a block that holds a NUL or half a surrogate pair."""
    for address, line in zip(block.addresses, block.lines, strict=True):
        if found := NOT_TAKEN.search(f"{address}{line}"):
            near = found.string[max(0, found.start() - 20) : found.end() + 20]
            return ContractError(address, "text that the database takes", f"U+{ord(found[0]):04X} in {near!r}")
    raise AssertionError("a block without such a character")


def delete(connection: Connection, dataset: Dataset, release_keys: Sequence[int]) -> None:
    """Takes the rows of releases out of raw."""
    if release_keys:
        table = sql.Identifier("raw", dataset.shape)
        connection.execute(sql.SQL("delete from {} where _release_key = any(%s)").format(table), [list(release_keys)])
