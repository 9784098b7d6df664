"""The candidate: which releases the next publication would show."""

from __future__ import annotations

from dataclasses import dataclass

from warehouse.connection import Connection
from warehouse.fingerprint import code_fingerprint
from warehouse.keys import content_key, hex_key


@dataclass(frozen=True)
class Candidate:
    """A set of releases, of each slice one current. The key is that of the releases and the code."""

    key: int
    releases: tuple[tuple[int, bool], ...]

    @property
    def schema(self) -> str:
        """The schema that dbt builds it in."""
        return f"pub_{hex_key(self.key)}"

    @property
    def release_keys(self) -> list[int]:
        """Its releases, current or not."""
        return [key for key, _ in self.releases]


def form(connection: Connection) -> Candidate:
    """The candidate of this moment.

    It holds every accepted release that is neither withdrawn nor held by a person. A release that gate 2 held is tried again
    as soon as the set of releases is another than the one in which it failed.
    """
    rows = connection.execute(
        "select release_key, source, dataset, slice, rank, state, held_in_candidate from meta.release"
        " where state in ('accepted', 'published', 'superseded') or (state = 'held' and held_in_candidate is not null)"
        " order by release_key"
    ).fetchall()
    full = _candidate(rows)
    if any(held_in == full.key for *_, held_in in rows):
        return _candidate([row for row in rows if row[5] != "held"])
    return full


def without(connection: Connection, candidate: Candidate, at_fault: set[int]) -> Candidate:
    """The candidate without the releases at fault: their slices fall back to the next lower release."""
    rows = connection.execute(
        "select release_key, source, dataset, slice, rank from meta.release where release_key = any(%s) order by release_key",
        [[key for key in candidate.release_keys if key not in at_fault]],
    ).fetchall()
    return _candidate(rows)


def _candidate(rows: list[tuple[object, ...]]) -> Candidate:
    best: dict[tuple[object, ...], tuple[str, int]] = {}
    for key, source, dataset, name, rank, *_ in rows:
        order = (str(rank), int(str(key)))
        best[source, dataset, name] = max(order, best.get((source, dataset, name), order))
    current = {key for _, key in best.values()}
    releases = tuple((int(str(row[0])), row[0] in current) for row in rows)
    key = content_key("publication", code_fingerprint(), *(str(release) for release, _ in sorted(releases)))
    return Candidate(key, releases)


def current_publication(connection: Connection) -> tuple[int, int] | None:
    """Key and number of the publication that readers see, or None before the first."""
    row = connection.execute("select publication_key, number from meta.publication where is_current").fetchone()
    return (int(row[0]), int(row[1])) if row else None


def new_releases(connection: Connection, candidate: Candidate) -> set[int]:
    """The candidate's releases that the current publication does not have."""
    published = connection.execute(
        "select pr.release_key from meta.publication_release as pr join meta.publication as p using (publication_key) where p.is_current"
    ).fetchall()
    return set(candidate.release_keys) - {int(row[0]) for row in published}
