"""The raw tables: the rows of one slice in by COPY, and out again."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

import psycopg
from psycopg import sql

from extractors import digest
from extractors.archive import Snapshot
from extractors.rows import Block, ContractError, Parsed
from extractors.source import Dataset
from warehouse import raw_tables
from warehouse.connection import Connection
from warehouse.keys import hex_key
from warehouse.steps import step

NOT_TAKEN = re.compile("[\0\ud800-\udfff]")


class LandingError(RuntimeError):
    """A delivery that cannot be landed, through no fault of the agency."""


def copy(
    connection: Connection,
    dataset: Dataset,
    release_key: int,
    snapshots: Sequence[Snapshot],
    parsed: Parsed,
    name: str,
    versions: Collection[int],
) -> tuple[int, dict[int, str]]:
    """COPY of one slice into the raw table of its shape, in one pass over the rows; `snapshots` are those that it rests on.

    Returns their number, which is also what the table counts, and the digests of these versions.
    Raises `LandingError` if the counts differ, `ContractError` for a row that cannot be read, and for one that the database refuses.
    """
    if dataset.records:
        raw_tables.make(connection, dataset.shape, dataset.records.columns)
    delete(connection, dataset, release_key)
    table = sql.Identifier("raw", dataset.shape)
    names = sql.SQL(", ").join(map(sql.Identifier, ("_release_key", "_snapshot_key", "_row", *parsed.columns)))
    statement = sql.SQL("copy {} ({}) from stdin with (format csv)").format(table, names)
    digests = {version: digest.VERSIONS[version]() for version in versions}
    count, keys = 0, [f"{release_key},{snapshot.key}," for snapshot in snapshots]
    with step("land.copy"), connection.cursor() as cursor:
        try:
            with cursor.copy(statement) as target:
                for block in parsed.blocks(name):
                    count += len(block.lines)
                    written = addressed(keys[block.answer], block)
                    for each in digests.values():
                        each.update(block.lines, block.content)
                    target.write(written)
        except psycopg.DataError as error:
            where = error.diag.context or f"slice {name}"
            raise ContractError(where, "rows that the database takes", error.diag.message_primary or str(error)) from error
        found = cursor.execute(sql.SQL("select count(*) from {} where _release_key = %s").format(table), [release_key]).fetchone()
    if found != (count,):
        raise LandingError(
            f"release {hex_key(release_key)}: {count} rows were parsed, {found} are in raw.{dataset.shape}; nothing was kept"
        )
    return count, {version: each.result() for version, each in digests.items()}


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


def delete(connection: Connection, dataset: Dataset, release_key: int) -> None:
    """Takes the rows of a release out of raw."""
    connection.execute(sql.SQL("delete from {} where _release_key = %s").format(sql.Identifier("raw", dataset.shape)), [release_key])
