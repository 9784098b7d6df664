"""One delivery → releases in raw: counted, reconciled, and recorded in one transaction."""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from psycopg import sql

from extractors.archive import Archive, Snapshot
from extractors.rows import UNREADABLE, ContractError, Parsed, Row, blocks_of
from extractors.source import Dataset, Source
from warehouse import ledger
from warehouse.connection import Connection
from warehouse.fingerprint import code_fingerprint
from warehouse.journal import Entry, Journal
from warehouse.keys import content_key, hex_key
from warehouse.steps import reached, step


class LandingError(RuntimeError):
    """A delivery that cannot be landed for a reason that is not the agency's."""


@dataclass
class Landed:
    """What one delivery came to, by number of slices."""

    landed: int = 0
    rows: int = 0
    parsed: int = 0
    unchanged: int = 0
    confirmed: int = 0
    known: bool = False
    unreadable: str = ""
    releases: list[int] = field(default_factory=list)


def land(
    connection: Connection, journal: Journal, archive: Archive, source: Source, dataset_name: str, snapshots: Sequence[Snapshot]
) -> Landed:
    """Lands one delivery of a dataset; the connection acts as the loader and is committed.

    A delivery whose snapshots this database already knows, or that were already rejected under the same code, is known: no work.
    A slice whose rows are those of the release ranked directly below is unchanged (under a new edition label: confirmed).
    An answer that cannot be read becomes a release of the slice `unreadable`, which gate 1 rejects by name.
    """
    if _is_known(connection, source.code, dataset_name, snapshots):
        return Landed(known=True)
    dataset = source.dataset(dataset_name)
    with step("land"):
        result = Landed()
        try:
            parsed = parse(source, dataset, archive, snapshots)
            body = _stage(connection, source, dataset_name, snapshots, parsed, result)
            _reconcile(parsed, result)
        except ContractError as error:
            connection.rollback()
            result = Landed(unreadable=str(error))
            body = _stage(connection, source, dataset_name, snapshots, Parsed((), {UNREADABLE: []}), result)
        if body["releases"] or body["confirmations"]:
            with step("land.journal"):
                ledger.record(connection, journal, "landed", body)
        reached("land.commit")
        connection.commit()
    return result


def reland(connection: Connection, archive: Archive, source: Source, entry: Entry) -> None:
    """Applies a `landed` entry of the journal: the rows are parsed anew from the archived bytes. The caller commits.

    Raises `LandingError` if the bytes no longer give the rows of that time under this code.
    """
    snapshots = [archive.read_manifest(snapshot["manifest"]) for snapshot in entry.body["snapshots"]]
    dataset_name = entry.body["dataset"]
    dataset = source.dataset(dataset_name)
    releases = {release["slice"]: release for release in entry.body["releases"]}
    if releases and UNREADABLE not in releases:
        parsed = parse(source, dataset, archive, snapshots)
        for name, release in releases.items():
            snapshot, rows = _snapshot(snapshots, parsed, name), parsed.slices.get(name, [])
            _, digest = _copy(connection, dataset, release["release_key"], snapshot, parsed.columns, rows)
            if digest != release["row_digest"]:
                raise LandingError(
                    f"journal entry {entry.sequence}: {source.code}.{dataset_name} {name} parses to other rows than when it landed "
                    f"(code then {release['code_fingerprint']}, now {code_fingerprint()}): replay with the code of that time"
                )
    ledger.apply(connection, entry)


def parse(source: Source, dataset: Dataset, archive: Archive, snapshots: Sequence[Snapshot]) -> Parsed:
    """The rows of a delivery, by the source's own parser. Raises `ContractError`."""
    parser = importlib.import_module(f"extractors.{source.code}.parse")
    parsed: Parsed = parser.parse(dataset, [archive.body(snapshot) for snapshot in snapshots])
    return parsed


def _snapshot(snapshots: Sequence[Snapshot], parsed: Parsed, slice_name: str) -> int:
    """The key of the snapshot that the rows of a slice come from."""
    return snapshots[parsed.bodies.get(slice_name, 0)].key


def _reconcile(parsed: Parsed, result: Landed) -> None:
    taken = result.parsed + parsed.out_of_scope
    if parsed.reported is not None and parsed.reported != taken:
        raise ContractError("the whole answer", f"the {parsed.reported} rows that the source reports", f"{taken}")


def _is_known(connection: Connection, source: str, dataset: str, snapshots: Sequence[Snapshot]) -> bool:
    """Whether these very bytes were delivered before, and are still the last word or were rejected under this code."""
    shas = [snapshot.sha256 for snapshot in snapshots]
    rows = connection.execute(
        "with delivered as ("
        " select r.release_key, r.slice, r.rank, r.state, r.code_fingerprint,"
        "  array_agg(s.sha256 order by rs.position) as shas, array_agg(s.manifest order by rs.position) as manifests"
        " from meta.release as r join meta.release_snapshot as rs using (release_key) join meta.snapshot as s using (snapshot_key)"
        " where r.source = %s and r.dataset = %s group by r.release_key)"
        "select state, code_fingerprint, manifests, not exists ("
        "  select 1 from delivered as higher where higher.slice = d.slice and higher.rank > d.rank and higher.state <> 'rejected')"
        " from delivered as d where shas = %s",
        [source, dataset, shas],
    ).fetchall()
    if not rows:
        # the same rows may have been confirmed under this very label
        found = connection.execute(
            "select 1 from meta.confirmation as c join meta.snapshot as s using (snapshot_key)"
            " where s.source = %s and s.dataset = %s and s.manifest = %s",
            [source, dataset, snapshots[0].manifest],
        ).fetchone()
        return found is not None
    if any(state == "rejected" and code != code_fingerprint() for state, code, _, _ in rows):
        return False
    same_delivery = [snapshot.manifest for snapshot in snapshots]
    return all(state == "rejected" or manifests == same_delivery or is_last for state, _, manifests, is_last in rows)


def _stage(
    connection: Connection, source: Source, dataset_name: str, snapshots: Sequence[Snapshot], parsed: Parsed, result: Landed
) -> dict[str, Any]:
    """Copies the new slices into raw and returns the journal's entry for them."""
    dataset, first = source.dataset(dataset_name), snapshots[0]
    edition = parsed.edition or first.edition
    # of two deliveries under one label the later retrieved ranks higher
    rank, basis = (f"{edition}/{first.retrieved_at}", "agency") if edition else (first.retrieved_at, "retrieved")
    label = edition or f"retrieved {first.retrieved_at}"
    releases, confirmations = [], []
    for name, rows in parsed.slices.items():
        key = content_key("release", source.code, dataset_name, name, label, *(snapshot.sha256 for snapshot in snapshots))
        snapshot = _snapshot(snapshots, parsed, name)
        count, digest = _copy(connection, dataset, key, snapshot, parsed.columns, rows) if parsed.columns else (0, "")
        result.parsed += count
        below = _below(connection, source.code, dataset_name, name, rank)
        if below and below[1] == digest and name != UNREADABLE:
            _delete(connection, dataset, key)
            if basis == "agency" and below[2] != label:
                confirmations.append({"release_key": below[0], "edition": label, "rank": rank, "snapshot_key": first.key})
                result.confirmed += 1
            else:
                result.unchanged += 1
            continue
        result.landed, result.rows = result.landed + 1, result.rows + count
        result.releases.append(key)
        releases.append(
            {
                "release_key": key,
                "source": source.code,
                "dataset": dataset_name,
                "slice": name,
                "edition": label,
                "rank": rank,
                "rank_basis": basis,
                "state": "landed",
                "reason": result.unreadable or None,
                "capture": first.capture,
                "licence": first.licence,
                "attribution": first.attribution,
                "rows_landed": count,
                "rows_out_of_scope": parsed.out_of_scope,
                "row_digest": digest,
                "code_fingerprint": code_fingerprint(),
                "snapshot_keys": [snapshot.key for snapshot in snapshots],
            }
        )
    return {
        "source": source.code,
        "dataset": dataset_name,
        "snapshots": [_snapshot_row(snapshot) for snapshot in snapshots],
        "releases": releases,
        "confirmations": confirmations,
    }


def _below(connection: Connection, source: str, dataset: str, name: str, rank: str) -> tuple[int, str, str] | None:
    """Key, digest and label of the accepted release ranked directly below `rank` in the slice."""
    return connection.execute(
        "select release_key, row_digest, edition from meta.release"
        " where source = %s and dataset = %s and slice = %s and rank <= %s and state = any(%s) order by rank desc limit 1",
        [source, dataset, name, rank, list(ledger.ACCEPTED_STATES)],
    ).fetchone()


def _copy(
    connection: Connection, dataset: Dataset, release_key: int, snapshot_key: int, columns: Sequence[str], rows: Iterable[Row]
) -> tuple[int, str]:
    """COPY of one release into the raw table of its shape, in one pass over the rows.

    Returns their number, which is also what the table counts, and the sha256 of their values without the addresses.
    Raises `LandingError` if the counts differ.
    """
    _delete(connection, dataset, release_key)  # rejected under other code, and now judged anew
    table = sql.Identifier("raw", dataset.shape)
    names = sql.SQL(", ").join(map(sql.Identifier, ("_release_key", "_snapshot_key", "_row", *columns)))
    statement = sql.SQL("copy {} ({}) from stdin with (format csv)").format(table, names)
    parsed, total, keys = 0, hashlib.sha256(), f"{release_key},{snapshot_key},"
    with step("land.copy"), connection.cursor() as cursor:
        with cursor.copy(statement) as copy:
            for addresses, lines in blocks_of(rows):
                parsed += len(lines)
                total.update("\n".join([*lines, ""]).encode())
                if '"' in "".join(addresses):
                    addresses = [address.replace('"', '""') for address in addresses]
                # the address is quoted by hand: the line behind it is written once, for the digest and for the table
                copy.write("".join([f'{keys}"{address}",{line}\n' for address, line in zip(addresses, lines, strict=True)]))
        found = cursor.execute(sql.SQL("select count(*) from {} where _release_key = %s").format(table), [release_key]).fetchone()
    if found != (parsed,):
        raise LandingError(
            f"release {hex_key(release_key)}: {parsed} rows were parsed, {found} are in raw.{dataset.shape}; nothing was kept"
        )
    return parsed, total.hexdigest()


def _delete(connection: Connection, dataset: Dataset, release_key: int) -> None:
    connection.execute(sql.SQL("delete from {} where _release_key = %s").format(sql.Identifier("raw", dataset.shape)), [release_key])


def _snapshot_row(snapshot: Snapshot) -> dict[str, Any]:
    return {
        "snapshot_key": snapshot.key,
        "source": snapshot.source,
        "dataset": snapshot.dataset,
        "sha256": snapshot.sha256,
        "size_bytes": snapshot.size_bytes,
        "manifest": snapshot.manifest,
        "method": snapshot.request.method,
        "url": snapshot.request.url,
        "request": {"params": snapshot.request.params, "form": snapshot.request.form},
        "retrieved_at": snapshot.retrieved_at,
        "status": snapshot.status,
        "capture": snapshot.capture,
        "licence": snapshot.licence,
        "attribution": snapshot.attribution,
    }
