"""How far each row may be handed on: as far as the strictest of the datasets that it rests on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date

from extractors.source import Dataset, Redistribution, load_source, source_codes, strictest

# what a file may hold; the others are named in NOT_INCLUDED
HANDED_OUT: tuple[Redistribution, ...] = ("open", "share-alike")
# first and last day of what a row is of
Period = tuple[date, date]


def declared() -> dict[str, Dataset]:
    """The declared datasets by `source.dataset`."""
    return {f"{code}.{name}": dataset for code in source_codes() for name, dataset in load_source(code).datasets.items()}


@dataclass(frozen=True)
class Made:
    """Who made figures, and how far they may be handed on."""

    source: str
    attribution: str
    licence: str
    may: Redistribution


@dataclass(frozen=True)
class Release:
    """A release that readers see: who made it, and by period who else made the figures that it only delivers."""

    key: str
    dataset: str
    own: Made
    others: Mapping[Period, Made] = field(default_factory=dict)

    @property
    def sources(self) -> frozenset[str]:
        """All who made its figures."""
        return frozenset({self.own.source, *(made.source for made in self.others.values())} - {""})

    def may(self, period: Period | None = None, makers: frozenset[str] = frozenset()) -> Redistribution:
        """How far its figures of a period may be handed on, or, without one, all that it has; `makers` are others who count."""
        found = [
            made.may
            for (first, last), made in self.others.items()
            if period is None or (first <= period[1] and last >= period[0]) or made.source in makers
        ]
        return strictest([self.own.may, *found])


@dataclass
class Grounds:
    """What rows of one mart can rest on: all releases by key, and those that each of its release columns names anywhere."""

    releases: Mapping[str, Release]
    of_column: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def of(
        self, keys: Mapping[str, str | None], sources: str | None, *, has_figures: bool = True, period: Period | None = None
    ) -> tuple[Redistribution, set[str]]:
        """How far a row may be handed on, and the datasets that it rests on.

        `keys` are its release columns. A column without a key may stand for several releases, which have no single address: then it can
        be any that the column names elsewhere, of those whose makers are among the row's sources. So can any release of a source that
        none of the row's keys explains. Who stays unknown makes the row `unknown`. Of a release that delivers figures of another
        agency those count that fall into the row's period; a row without one can rest on all of them.
        """
        named = [self.releases.get(key) for key in keys.values() if key]
        found = [release for release in named if release]
        if len(found) < len(named):  # a key of no release that readers see
            return "unknown", {release.dataset for release in found}
        makers = frozenset(filter(None, (sources or "").split("; ")))
        for column, key in keys.items():
            if key is None and (makers or has_figures):
                found += self._made_by(makers, self.of_column.get(column) or frozenset(self.releases))
        if rest := makers.difference(*(release.sources for release in found)):
            hidden = self._made_by(rest, frozenset(self.releases))
            if not rest <= frozenset().union(*(release.sources for release in hidden)):
                return "unknown", {release.dataset for release in found}
            found += hidden
        if not found:
            return ("unknown" if has_figures else "open"), set()
        return strictest(release.may(period, makers) for release in found), {release.dataset for release in found}

    def _made_by(self, makers: frozenset[str], keys: frozenset[str]) -> list[Release]:
        """Those of the releases whose figures one of these made; all of them where nobody is named."""
        releases = [self.releases[key] for key in sorted(keys)]
        return [release for release in releases if not makers or release.sources & makers]


def spans(periods: Iterable[Period], together: str = "together") -> str:
    """Periods in words, by their years: `1991–1999, 2001`, and what is of several years together as `1991–2021 together`."""
    found = {(first.year, last.year) for first, last in periods}
    single = sorted(first for first, last in found if first == last)
    starts = [year for year in single if year - 1 not in single]
    ends = [year for year in single if year + 1 not in single]
    runs = [f"{first}–{last}" if last > first else f"{first}" for first, last in zip(starts, ends, strict=True)]
    return ", ".join([*runs, *(f"{first}–{last} {together}" for first, last in sorted(found) if last > first)])
