"""dbt's graph of the models: which releases can be the reason when a model, a test or a check fails."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

# Folders of dbt/models whose relations name the release of each row; those of what readers see; and the one whose members all facts
# share: a way through it says nothing
GROUNDS, PUBLISHED, SHARED = ("core", "staging"), ("star", "marts"), ("star", "dimensions")


@dataclass(frozen=True)
class Node:
    """A model, seed, test or source table of the dbt project; `parents` are the names of those it is made from.

    `folders` leads to it below `dbt/models`, the outermost first.
    """

    name: str
    folders: tuple[str, ...]
    schema: str
    relation: str
    parents: tuple[str, ...]

    def is_in(self, *layers: str) -> bool:
        """Whether it lies in one of these folders."""
        return bool(self.folders) and self.folders[0] in layers

    @property
    def is_shared(self) -> bool:
        """Whether it is a dimension or a bridge."""
        return self.folders[:2] == SHARED


@dataclass(frozen=True)
class Graph:
    """The nodes of the project by their unique names."""

    nodes: Mapping[str, Node]

    def named(self, relations: Iterable[str]) -> list[str]:
        """The models that stand in a publication under these names; dimensions only where nothing else is named."""
        wanted = set(relations)
        found = [node for node in self.nodes.values() if node.relation in wanted and node.is_in(*PUBLISHED)]
        found = [node for node in found if node.name.startswith("model.")]
        return sorted(node.name for node in found if not node.is_shared) or sorted(node.name for node in found)

    def grounds(self, starts: Iterable[str]) -> list[Node]:
        """The nearest relations before the starts in which each row has its release: core facts, or staging views for a fact itself."""
        return [node for node in self._before(starts, until=GROUNDS) if node.is_in(*GROUNDS)]

    def raw_tables(self, starts: Iterable[str]) -> list[str]:
        """The tables of raw that the starts are made from."""
        return sorted(node.relation for node in self._before(starts) if node.schema == "raw")

    def made_from(self, raw_tables: Collection[str]) -> list[str]:
        """The core models that take rows from these tables of raw."""
        core = [node.name for node in self.nodes.values() if node.is_in("core") and node.name.startswith("model.")]
        return sorted(name.rpartition(".")[2] for name in core if not set(raw_tables).isdisjoint(self.raw_tables([name])))

    def touched(self, facts: Collection[str]) -> list[str]:
        """The models of a publication whose rows may be others where only these core facts have rows of other releases.

        A dimension is touched if anything but seeds is before it. What a fact or a mart takes from dimensions does not touch it: their
        members are named by what they are, and attributes that change are looked at when they are built.
        """
        known: dict[str, bool] = {}

        def is_touched(name: str) -> bool:
            if name not in known:
                node = self.nodes[name]
                known[name] = any(_touches(node, self.nodes[parent]) for parent in node.parents if parent in self.nodes)
            return known[name]

        def _touches(node: Node, parent: Node) -> bool:
            if parent.is_in("core"):
                return node.is_shared or parent.relation in facts
            if parent.is_shared and not node.is_shared:
                return False
            return not parent.name.startswith("seed.") and (not parent.is_in(*PUBLISHED) or is_touched(parent.name))

        published = [node for node in self.nodes.values() if node.is_in(*PUBLISHED) and node.name.startswith("model.")]
        return sorted(node.name.rpartition(".")[2] for node in published if is_touched(node.name))

    def _before(self, starts: Iterable[str], until: tuple[str, ...] = ()) -> list[Node]:
        waiting = [parent for start in starts for parent in self.nodes[start].parents]
        seen: dict[str, Node] = {}
        while waiting:
            name = waiting.pop()
            if name in seen or name not in self.nodes:
                continue
            node = self.nodes[name]
            if node.is_shared:
                continue
            seen[name] = node
            if not node.is_in(*until):
                waiting += node.parents
        return [seen[name] for name in sorted(seen)]
