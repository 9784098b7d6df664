"""Releases whose rows do not add up are landed again from their archived bytes: nothing that the ledger says of them changes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection

from extractors.archive import Archive, ArchiveError, archive_of
from extractors.landing import LandingError, _copy, _snapshot, parse
from extractors.rows import ContractError
from extractors.source import load_source
from warehouse.connection import Connection, connect
from warehouse.fingerprint import core_schema
from warehouse.keys import hex_key
from warehouse.profile import Profile
from warehouse.reconcile import load_again

Delivery = tuple[str, str, tuple[str, ...]]


def land_again(profile: Profile, release_keys: Collection[int]) -> dict[int, str]:
    """Lands these releases again from their bytes; the next build of core replaces their facts.

    Returns those that the bytes did not give back, with the reason: their rows stay as they were, in raw and in core.
    """
    archive, failed = archive_of(profile), {}
    for delivery, releases in _by_delivery(profile, release_keys).items():
        with connect(profile, "koshi_loader") as connection:
            failed.update(_restore(connection, archive, delivery, releases))
    load_again(profile, core_schema(), [key for key in release_keys if key not in failed])
    return failed


def _by_delivery(profile: Profile, release_keys: Collection[int]) -> dict[Delivery, dict[int, tuple[str, str]]]:
    """For each delivery (source, dataset, manifests) its releases, with slice and digest: an answer is parsed once."""
    found: dict[Delivery, dict[int, tuple[str, str]]] = defaultdict(dict)
    with connect(profile, "koshi_loader") as connection:
        rows = connection.execute(
            "select r.source, r.dataset, array_agg(s.manifest order by p.position), r.release_key, r.slice, r.row_digest"
            " from meta.release as r join meta.release_snapshot as p using (release_key) join meta.snapshot as s using (snapshot_key)"
            " where r.release_key = any(%s) group by r.release_key order by r.release_key",
            [list(release_keys)],
        ).fetchall()
    for source, dataset, manifests, key, name, digest in rows:
        found[source, dataset, tuple(manifests)][key] = (name, digest)
    return found


def _restore(connection: Connection, archive: Archive, delivery: Delivery, releases: dict[int, tuple[str, str]]) -> dict[int, str]:
    """Copies the slices of one delivery into raw anew; returns the releases that could not be, with the reason."""
    source_code, dataset_name, manifests = delivery
    source = load_source(source_code)
    dataset = source.dataset(dataset_name)
    try:
        snapshots = [archive.read_manifest(path) for path in manifests]
        parsed = parse(source, dataset, archive, snapshots)
    except (ContractError, ArchiveError, FileNotFoundError) as error:
        return dict.fromkeys(releases, f"{source_code}.{dataset_name}: its bytes cannot be read again: {error}")
    failed = {}
    for key, (name, digest) in releases.items():
        try:
            with connection.transaction():
                rows = parsed.slices.get(name, [])
                _, found = _copy(connection, dataset, key, _snapshot(snapshots, parsed, name), parsed.columns, rows)
                if found != digest:
                    raise LandingError(f"release {hex_key(key)}: its bytes give other rows than when it landed, under this code")
        except (LandingError, ContractError) as error:  # a large answer is read while it is copied
            failed[key] = f"{source_code}.{dataset_name} {name}: {error}"
    return failed
