"""How far each row may be handed on: as far as the strictest of the datasets that it rests on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import get_args

from extractors.source import Redistribution, load_source, source_codes

# from the widest to the narrowest
CLASSES: tuple[Redistribution, ...] = get_args(Redistribution)
# what a file may hold; the others are named in NOT_INCLUDED
HANDED_OUT: tuple[Redistribution, ...] = ("open", "share-alike")


def strictest(classes: Iterable[Redistribution]) -> Redistribution:
    """The narrowest of these; of none the widest."""
    return max(classes, key=CLASSES.index, default=CLASSES[0])


def declared() -> dict[str, Redistribution]:
    """How far the figures of each declared dataset may be handed on, by `source.dataset`."""
    return {f"{code}.{name}": dataset.redistribution for code in source_codes() for name, dataset in load_source(code).datasets.items()}


@dataclass(frozen=True)
class Release:
    """A release that readers see. `sources` made its figures: its own, and others that a copy took figures from."""

    key: str
    dataset: str
    sources: frozenset[str]
    may: Redistribution


@dataclass
class Grounds:
    """What rows of one mart can rest on: all releases by key, and those that each of its release columns names anywhere."""

    releases: Mapping[str, Release]
    of_column: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def of(self, keys: Mapping[str, str | None], sources: str | None, *, has_figures: bool = True) -> tuple[Redistribution, set[str]]:
        """How far a row may be handed on, and the datasets that it rests on.

        `keys` are its release columns. A column without a key may stand for several releases, which have no single address: then it can
        be any that the column names elsewhere, of those whose makers are among the row's sources. So can any release of a source that
        none of the row's keys explains. Who stays unknown makes the row `unknown`.
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
        return strictest(release.may for release in found), {release.dataset for release in found}

    def _made_by(self, makers: frozenset[str], keys: frozenset[str]) -> list[Release]:
        """Those of the releases whose figures one of these made; all of them where nobody is named."""
        releases = [self.releases[key] for key in sorted(keys)]
        return [release for release in releases if not makers or release.sources & makers]
