"""New code reaches old bytes: where a source's parsing code has changed, its archived deliveries are read anew.

What comes out as before costs nothing more. Other rows make a release of their own, ranked directly above the one that the old code
read from the same bytes: a change of ours, never an agency's revision.
"""

from __future__ import annotations

from typing import Any

from extractors.archive import Archive, Snapshot
from extractors.landing import Landed, as_declared, declaration_of, stage
from extractors.recorded import refuse_edited
from extractors.rows import UNREADABLE
from extractors.source import Dataset, Source
from warehouse import ledger
from warehouse.connection import Connection
from warehouse.fingerprint import parser_fingerprint
from warehouse.journal import Journal
from warehouse.steps import reached, step

Declaration = dict[str, Any] | None


def reparse(connection: Connection, journal: Journal, archive: Archive, source: Source, dataset_name: str) -> Landed | None:
    """Reads every delivery of the dataset anew if its parsing code has changed; None if it has not.

    The connection acts as the loader and is committed. A slice that the new code no longer finds is named in `vanished`: a person
    decides whether its release is withdrawn.
    """
    before, after = last_parser(connection, source.code, dataset_name), parser_fingerprint(source.code)
    found = deliveries(connection, archive, source.code, dataset_name)
    if before == after or not found:
        return None
    with step("land"):
        total = Landed(reparsed=True)
        body: dict[str, Any] = {"source": source.code, "dataset": dataset_name, "before": before, "after": after}
        body |= {"declarations": {}, "snapshots": [], "releases": [], "confirmations": [], "vanished": []}
        known = source.datasets.get(dataset_name)
        today = known.records.recorded if known and known.records else None
        body |= {"records": today} if today else {}
        for name, (snapshots, declaration) in found.items():
            dataset = read_by(source, dataset_name, declaration, today)
            if declaration is None:
                body["declarations"][name] = declaration_of(dataset)
            said, result = stage(connection, archive, source.code, dataset_name, dataset, snapshots)
            _add(body, said)
            _count(total, result)
            body["vanished"] += _vanished(connection, source.code, dataset_name, name, result)
        total.vanished = body["vanished"]
        with step("land.journal"):
            ledger.record(connection, journal, "reparsed", body)
        reached("land.commit")
        connection.commit()
    return total


def is_read_otherwise(connection: Connection, source: str, dataset: str) -> bool:
    """Whether the parsing code is another than that which has read every delivery of the dataset."""
    return last_parser(connection, source, dataset) != parser_fingerprint(source)


def read_by(source: Source, dataset_name: str, declaration: Declaration, records: Declaration) -> Dataset:
    """The dataset as it was asked for when a delivery came, and as it is read anew: by these `records`, None for a parser of its own."""
    if declaration is None:
        return as_declared(source, dataset_name, None)
    return as_declared(source, dataset_name, declaration | {"records": records})


def last_parser(connection: Connection, source: str, dataset: str) -> str | None:
    """The fingerprint of the code that has read every delivery of the dataset; None if that is not known."""
    row = connection.execute("select parser_fingerprint from meta.parser where (source, dataset) = (%s, %s)", [source, dataset]).fetchone()
    return row[0] if row else None


def deliveries(connection: Connection, archive: Archive, source: str, dataset: str) -> dict[str, tuple[list[Snapshot], Declaration]]:
    """The landed deliveries of a dataset by name, in order of retrieval, each with its snapshots and the declaration kept with it.

    Raises `ArchiveError` if a manifest is missing, or not as it was when it landed.
    """
    rows = connection.execute(
        "select delivery, manifests, declaration from meta.delivery where (source, dataset) = (%s, %s)"
        " order by coalesce(came_after::timestamptz, retrieved_at), delivery",
        [source, dataset],
    ).fetchall()
    found = {name: ([archive.read_manifest(path) for path in manifests], declaration) for name, manifests, declaration in rows}
    refuse_edited(connection, [snapshot for snapshots, _ in found.values() for snapshot in snapshots])
    return found


def _add(body: dict[str, Any], said: dict[str, Any]) -> None:
    """Of the snapshots only those that a new release rests on: the ledger has them all."""
    keys = {key for release in said["releases"] for key in release["snapshot_keys"]}
    body["snapshots"] += [snapshot for snapshot in said["snapshots"] if snapshot["snapshot_key"] in keys]
    body["releases"] += said["releases"]
    body["confirmations"] += said["confirmations"]


def _count(total: Landed, result: Landed) -> None:
    for name in ("landed", "rows", "parsed", "unchanged", "confirmed"):
        setattr(total, name, getattr(total, name) + getattr(result, name))
    total.unreadable = total.unreadable or result.unreadable
    total.releases += result.releases
    total.not_yet += result.not_yet


def _vanished(connection: Connection, source: str, dataset: str, delivery: str, result: Landed) -> list[int]:
    """Accepted releases of the delivery whose slice the new code does not find; of an answer that it cannot read nothing is known."""
    if result.slices == [UNREADABLE]:
        return []
    rows = connection.execute(
        "select release_key from meta.release where (source, dataset, delivery) = (%s, %s, %s) and state = any(%s)"
        " and not slice = any(%s) order by release_key",
        [source, dataset, delivery, list(ledger.ACCEPTED_STATES), result.slices],
    ).fetchall()
    return [int(key) for (key,) in rows]
