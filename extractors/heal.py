"""Releases whose rows do not add up are landed again from their archived bytes; the ledger stays as it is."""

from __future__ import annotations

from collections.abc import Collection

import psycopg

from extractors.archive import Archive, ArchiveError, archive_of
from extractors.recorded import refuse_edited
from extractors.replay import Written, rows_from_bytes
from warehouse.connection import Connection, connect
from warehouse.fingerprint import core_schema
from warehouse.profile import Profile
from warehouse.reconcile import load_again


def land_again(profile: Profile, release_keys: Collection[int]) -> dict[int, str]:
    """Lands these releases again from their bytes; the next build of core replaces their facts.

    Returns those that the bytes did not give back, with the reason: their rows stay as they were, in raw and in core.
    """
    archive, failed = archive_of(profile), dict[int, str]()
    with connect(profile, "koshi_loader") as connection:
        rows = connection.execute(
            "select r.source, r.dataset, d.manifests, d.declaration, array_agg(r.release_key), array_agg(r.slice), array_agg(r.row_digest)"
            " from meta.release as r join meta.delivery as d using (source, dataset, delivery) where r.release_key = any(%s)"
            " group by r.source, r.dataset, r.delivery, d.manifests, d.declaration order by r.source, r.dataset, r.delivery",
            [list(release_keys)],
        ).fetchall()
        for source, dataset, manifests, declaration, *releases in rows:
            wanted = [Written(*release) for release in zip(*releases, strict=True)]
            failed |= _restore(connection, archive, (source, dataset, manifests, declaration), wanted)
    load_again(profile, core_schema(), [key for key in release_keys if key not in failed])
    return failed


def _restore(
    connection: Connection, archive: Archive, delivery: tuple[str, str, list[str], dict[str, object] | None], wanted: list[Written]
) -> dict[int, str]:
    """Copies slices of one delivery into raw anew; those that come out otherwise are returned, and stay as they were."""
    source, dataset, manifests, declaration = delivery
    failed: dict[int, str] = {}
    try:
        snapshots = [archive.read_manifest(path) for path in manifests]
        refuse_edited(connection, snapshots)
        with connection.transaction():
            failed = rows_from_bytes(connection, archive, source, dataset, snapshots, declaration, wanted)
            if failed:
                raise psycopg.Rollback
        good = [release for release in wanted if release.release_key not in failed]
        if failed and good:
            rows_from_bytes(connection, archive, source, dataset, snapshots, declaration, good)
    except ArchiveError as error:
        failed = {release.release_key: str(error) for release in wanted}
    return {key: f"{source}.{dataset}: {why}" for key, why in failed.items()}
