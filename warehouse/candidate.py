"""The candidate: which releases the next publication would show."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
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


@dataclass(frozen=True)
class Release:
    """A release that a publication may show; `order` ranks it in its slice: an edition of the agency above a retrieval of unknown edition.

    Where gate 2 holds it, `held_with` is the company (see `company`) of `held_datasets` in which it failed, None in old journals.
    """

    key: int
    source: str
    dataset: str
    slice: str
    edition: str
    order: tuple[bool, str, int, int]
    is_held: bool = False
    held_with: int | None = None
    held_datasets: tuple[str, ...] = ()

    @property
    def of(self) -> str:
        """Its dataset as `source.dataset`."""
        return f"{self.source}.{self.dataset}"


Pool = Mapping[int, Release]


def pool(connection: Connection) -> dict[int, Release]:
    """Every release that may be shown, by key: accepted, neither withdrawn nor held by a person, with its rows at hand.

    Releases that gate 2 holds are among them: `form` says which of them are tried again.
    """
    rows = connection.execute(
        "select release_key, source, dataset, slice, edition, rank_basis = 'agency', rank, parse_number, state = 'held', held_with,"
        " held_datasets"
        " from meta.release where rows_at_hand"
        " and (state in ('accepted', 'published', 'superseded') or (state = 'held' and held_in_candidate is not null))"
        " order by release_key"
    ).fetchall()
    return {
        key: Release(key, source, dataset, name, edition, (is_agency, rank, parse, key), is_held, held_with, tuple(held_datasets or ()))
        for key, source, dataset, name, edition, is_agency, rank, parse, is_held, held_with, held_datasets in rows
    }


def company(releases: Pool, datasets: Collection[str]) -> int:
    """A key of the code and of the releases of these datasets (`source.dataset`; of all where none is named).

    A held release is tried again when the company in which it failed is another.
    """
    keys = sorted(release.key for release in releases.values() if not datasets or release.of in datasets)
    return content_key("company", code_fingerprint(), *sorted(datasets), *map(str, keys))


def still_held(releases: Pool) -> frozenset[int]:
    """The releases that gate 2 holds and whose company is the one in which they failed."""
    held = [release for release in releases.values() if release.is_held and release.held_with is not None]
    return frozenset(release.key for release in held if company(releases, release.held_datasets) == release.held_with)


def form(releases: Pool, left_out: Collection[int] = frozenset()) -> Candidate:
    """The candidate of these releases without those left out: their slices and editions fall back to the next lower release.

    Of each edition of a slice only the highest release is in it: an edition that is delivered again replaces what it said before.
    """
    taken = [release for release in releases.values() if release.key not in left_out]
    of_edition = _highest(taken, lambda release: (release.source, release.dataset, release.slice, release.edition))
    current = _highest(of_edition, lambda release: (release.source, release.dataset, release.slice))
    keys = {release.key for release in current}
    chosen = tuple((release.key, release.key in keys) for release in sorted(of_edition, key=lambda release: release.key))
    # which of them are current can change alone: a clock that was ahead is found out, a release is ranked anew
    named = (f"{key}" if is_current else f"{key} below" for key, is_current in chosen)
    return Candidate(content_key("publication", code_fingerprint(), *named), chosen)


def _highest(releases: Iterable[Release], group: Callable[[Release], tuple[str, ...]]) -> list[Release]:
    best: dict[tuple[str, ...], Release] = {}
    for release in releases:
        name = group(release)
        if name not in best or best[name].order < release.order:
            best[name] = release
    return list(best.values())


def current_publication(connection: Connection) -> tuple[int, int] | None:
    """Key and number of the publication that readers see, or None before the first."""
    row = connection.execute("select publication_key, number from meta.publication where is_current").fetchone()
    return (int(row[0]), int(row[1])) if row else None


def shown(connection: Connection) -> dict[int, bool]:
    """The releases that a publication has shown, today's or an earlier one, and whether as current: as that they are never held."""
    # by index, a look for each release: each publication has a row for each of its own
    rows = connection.execute(
        "select release_key, exists (select 1 from meta.publication_release as p where p.release_key = r.release_key and p.is_current)"
        " from meta.release as r where exists (select 1 from meta.publication_release as p where p.release_key = r.release_key)"
    ).fetchall()
    return {int(key): bool(as_current) for key, as_current in rows}


def accepted_by_person(connection: Connection) -> frozenset[int]:
    """The releases of which a person's last word was to accept them in spite of what gates say."""
    rows = connection.execute(
        "select release_key from (select distinct on (release_key) release_key, kind from meta.decision"
        " where release_key is not null and kind in ('accept', 'hold', 'withdraw') order by release_key, sequence desc) as last_word"
        " where kind = 'accept'"
    ).fetchall()
    return frozenset(int(key) for (key,) in rows)
