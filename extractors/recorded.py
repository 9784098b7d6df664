"""Manifests against what the ledger recorded of them when they landed: an archive is written once, and what was edited since is named."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from psycopg.rows import dict_row

from extractors.archive import Archive, Snapshot
from warehouse.connection import Connection


def refuse_edited(connection: Connection, snapshots: Sequence[Snapshot]) -> None:
    """Raises `ArchiveError` for the first snapshot of which the ledger recorded something else."""
    known = _rows(connection, "manifest = any(%s)", [snapshot.manifest for snapshot in snapshots])
    for snapshot in snapshots:
        snapshot.refuse_other([row for row in known if row["manifest"] == snapshot.manifest])


def refuse_changed(connection: Connection, archive: Archive, source: str, dataset: str) -> None:
    """Raises `ArchiveError` for the first manifest of the dataset that the ledger knows and that is missing, damaged or edited."""
    known = _rows(connection, "source || '.' || dataset = %s", f"{source}.{dataset}")
    of_manifest: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in known:
        of_manifest[str(row["manifest"])].append(row)
    for manifest, rows in sorted(of_manifest.items()):
        archive.read_manifest(manifest).refuse_other(rows)


def _rows(connection: Connection, which: str, value: object) -> list[dict[str, Any]]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(f"select * from meta.snapshot where {which}", [value]).fetchall()
