"""What a `parse.py` returns: rows of text in slices, exactly as sourced."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Protocol, runtime_checkable

# its address in the answer, then the values of the raw table's columns; empty text and null both land as NULL
Row = tuple[str | None, ...]
# many rows of one answer at once: their addresses in it, beside them their values as lines of CSV, and which answer it is,
# counted from the first of their slice
Block = tuple[list[str], list[str], int]
BLOCK = 20_000
WHOLE = "whole"
UNREADABLE = "unreadable"


class ContractError(ValueError):
    """An answer that is not what its source's parser knows. `position` is a JSON pointer, cell, line or byte."""

    def __init__(self, position: str, expected: str, found: str) -> None:
        self.position, self.expected, self.found = position, expected, found
        super().__init__(f"at {position}: expected {expected}, found {found}")


@dataclass
class Parsed:
    """Rows of one delivery, by slice. `columns` are those of the raw table; a row is its address followed by their values.

    The rows of a slice may be a list, or for a large answer something that is read as it is iterated.
    `bodies` says for a slice which of the answers it comes from (the first of them), counted from 0, where it is not the first of all.
    `edition` is the agency's own label of the vintage inside the bytes (an ISO date or a version), empty if it states none;
    `out_of_scope` counts what was delivered and is declared as not taken; `reported` is the count that the source itself gives.
    """

    columns: tuple[str, ...]
    slices: dict[str, Iterable[Row]] = field(default_factory=dict)
    bodies: dict[str, int] = field(default_factory=dict)
    edition: str = ""
    out_of_scope: int = 0
    reported: int | None = None


def by_slice(rows: Iterable[tuple[str, Row]]) -> dict[str, Iterable[Row]]:
    """The rows under the names of their slices, in the order of the answer."""
    slices: dict[str, list[Row]] = {}
    for name, row in rows:
        slices.setdefault(name, []).append(row)
    return dict(slices)


class _Lines(list[str]):
    """A file for the csv writer that keeps its lines apart, without their ends."""

    def write(self, line: str) -> None:
        self.append(line[:-2])


def csv_lines(values: Iterable[Sequence[str | None]]) -> list[str]:
    """Each row's values as one line of CSV, as COPY reads it: empty text and null alike are nothing between commas."""
    lines = _Lines()
    csv.writer(lines, lineterminator="\r\n").writerows(values)  # what ends a line is quoted inside one
    return lines


@runtime_checkable
class InBlocks(Protocol):
    """Rows of a large answer that are read, and handed on, many at once."""

    def blocks(self) -> Iterator[Block]:
        """The rows in order."""


def blocks_of(rows: Iterable[Row]) -> Iterator[Block]:
    """The rows in blocks, whatever they are."""
    if isinstance(rows, InBlocks):
        yield from rows.blocks()
        return
    remaining = iter(rows)
    while block := list(islice(remaining, BLOCK)):
        yield [str(row[0]) for row in block], csv_lines(row[1:] for row in block), 0
