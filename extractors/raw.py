"""The raw tables: the rows of one slice in by COPY, and out again."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from psycopg import sql

from extractors import digest
from extractors.archive import Snapshot
from extractors.rows import Block, Parsed
from extractors.source import Dataset
from warehouse.connection import Connection
from warehouse.keys import hex_key
from warehouse.steps import step


class LandingError(RuntimeError):
    """A delivery that cannot be landed for a reason that is not the agency's."""


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
    Raises `LandingError` if the counts differ, `ContractError` for a row that cannot be read.
    """
    delete(connection, dataset, release_key)
    table = sql.Identifier("raw", dataset.shape)
    names = sql.SQL(", ").join(map(sql.Identifier, ("_release_key", "_snapshot_key", "_row", *parsed.columns)))
    statement = sql.SQL("copy {} ({}) from stdin with (format csv)").format(table, names)
    digests = {version: digest.VERSIONS[version]() for version in versions}
    count, keys = 0, [f"{release_key},{snapshot.key}," for snapshot in snapshots]
    with step("land.copy"), connection.cursor() as cursor:
        with cursor.copy(statement) as target:
            for block in parsed.blocks(name):
                count += len(block.lines)
                for each in digests.values():
                    each.update(block.lines, block.content)
                target.write(_addressed(keys[block.answer], block))
        found = cursor.execute(sql.SQL("select count(*) from {} where _release_key = %s").format(table), [release_key]).fetchone()
    if found != (count,):
        raise LandingError(
            f"release {hex_key(release_key)}: {count} rows were parsed, {found} are in raw.{dataset.shape}; nothing was kept"
        )
    return count, {version: each.result() for version, each in digests.items()}


def _addressed(keys: str, block: Block) -> str:
    """The lines of a block with keys and address before them; the address is quoted by hand: a line is written once, whoever reads it."""
    addresses = block.addresses
    if '"' in "".join(addresses):
        addresses = [address.replace('"', '""') for address in addresses]
    return "".join([f'{keys}"{address}",{line}\n' for address, line in zip(addresses, block.lines, strict=True)])


def delete(connection: Connection, dataset: Dataset, release_key: int) -> None:
    """Takes the rows of a release out of raw."""
    connection.execute(sql.SQL("delete from {} where _release_key = %s").format(sql.Identifier("raw", dataset.shape)), [release_key])
