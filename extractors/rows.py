"""What a `parse.py` takes and returns: answers with the questions they answer, and rows of text in slices, exactly as sourced."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple, Protocol, runtime_checkable

from extractors.digest import one_spelling
from warehouse.keys import SEPARATOR

# its address in the answer, then the values of the raw table's columns; empty text and null both land as NULL
Row = tuple[str | None, ...]
BLOCK = 5_000
# The longest text of a cell or a field that is taken, in characters: agencies' longest are some hundreds, and a text that is repeated
# in every row takes its length times the rows
LONGEST_TEXT = 4_096
LONGEST_SAID = 400
LONGEST_NAME = 100
WHOLE = "whole"
UNREADABLE = "unreadable"


class ContractError(ValueError):
    """An answer that is not what its source's parser knows. `position` is a JSON pointer, cell, line or byte.

    What is said can be printed, encoded and kept by the database, whatever the answer holds: other characters are written as escapes,
    and long texts are cut.
    """

    def __init__(self, position: str, expected: str, found: str) -> None:
        self.position, self.expected, self.found = map(sayable, (position, expected, found))
        super().__init__(f"at {self.position}: expected {self.expected}, found {self.found}")


def sayable(text: str) -> str:
    """The text as it can be said in a message: cut if it is long, other characters than printable ones as escapes."""
    text = text if len(text) <= LONGEST_SAID else f"{text[:LONGEST_SAID]}…"
    return text if text.isprintable() else "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


@contextmanager
def refused(position: str, expected: str) -> Iterator[None]:
    """Whatever goes wrong inside is said of the answer that is read there: it becomes a `ContractError` with the exception's type.

    Only a want of memory is said of the machine, which may have more of it another day.
    """
    try:
        yield
    except (ContractError, MemoryError):
        raise
    except Exception as error:
        raise ContractError(position, expected, f"{type(error).__name__}: {error}") from error


def parsing() -> AbstractContextManager[None]:
    """A parser says of every answer what is wrong with it; anything else that it raises is a fault of its own, and is said to be."""
    return refused("the answer", "rows, or the place that is not as known; this is a fault of the parser, which has to be taught to say it")


@dataclass(frozen=True)
class Answered:
    """The bytes of an answer, and the archived question: what the answer is about is said by it, never by today's declaration."""

    url: str
    params: tuple[tuple[str, str], ...]
    form: tuple[tuple[str, str], ...]
    body: bytes

    def asked(self, name: str) -> list[str]:
        """The values of one parameter of the question, in its address or its form."""
        return [value for key, value in (*self.params, *self.form) if key == name]

    def asked_once(self, name: str) -> str:
        """The one value of a parameter. Raises `ContractError` if the question has none or several."""
        values = self.asked(name)
        if len(values) != 1:
            raise ContractError(f"the question {self.url}", f"one parameter {name}", f"{len(values)}")
        return values[0]

    def named(self, pattern: str) -> str:
        """What the one group of the pattern finds in the address. Raises `ContractError` if it finds nothing."""
        found = re.search(pattern, self.url)
        if found is None:
            raise ContractError(f"the question {self.url}", f"an address with {pattern}", "none")
        return found[1]


class Block(NamedTuple):
    """Many rows of one answer at once.

    Their addresses in it, their values as lines of CSV, what they say as lines (see `Parsed.figures`), and which of the answers of their
    slice it is, counted from 0.
    """

    addresses: list[str]
    lines: list[str]
    content: list[str]
    answer: int = 0


@dataclass
class Parsed:
    """Rows of one delivery, by slice. `columns` are those of the raw table; a row is its address followed by their values.

    The rows of a slice may be a list, or for a large answer something that is read as it is iterated. `answers` says for a slice which
    of the answers it rests on, counted from 0, where it is not all of them; `unreadable` holds the slices whose own answer cannot be
    read. `edition` is the agency's own label of the vintage inside the bytes (an ISO date or a version), empty if it states none,
    and `editions` has those of slices that have one of their own;
    `out_of_scope` counts what was delivered and is declared as not taken; `reported` is the count that the source itself gives.

    Two releases say the same if their rows do, in any order: the columns `figures` in one spelling (`decimal_marks` are those that the
    agency writes), and without the columns `places`, which say where in the answer a row stands.
    """

    columns: tuple[str, ...]
    slices: dict[str, Iterable[Row]] = field(default_factory=dict)
    answers: dict[str, tuple[int, ...]] = field(default_factory=dict)
    unreadable: dict[str, ContractError] = field(default_factory=dict)
    edition: str = ""
    editions: dict[str, str] = field(default_factory=dict)
    out_of_scope: int = 0
    reported: int | None = None
    figures: tuple[str, ...] = ("value",)
    decimal_marks: str = "."
    places: tuple[str, ...] = ()

    def blocks(self, name: str) -> Iterator[Block]:
        """The rows of a slice, many at once. Raises `ContractError` for what cannot be read, and for whatever else reading raises."""
        with parsing():
            yield from self._blocks(name)

    def _blocks(self, name: str) -> Iterator[Block]:
        rows = self.slices[name]
        if isinstance(rows, InBlocks):
            yield from rows.blocks()
            return
        kept = [at for at, column in enumerate(self.columns, 1) if column not in self.places]
        figures = {self.columns.index(column) + 1 for column in self.figures if column in self.columns}
        remaining = iter(rows)
        while block := list(islice(remaining, BLOCK)):
            lines = csv_lines(row[1:] for row in block)
            said = csv_lines([one_spelling(row[at], self.decimal_marks) if at in figures else row[at] for at in kept] for row in block)
            yield Block([str(row[0]) for row in block], lines, said)


def by_slice(rows: Iterable[tuple[str, Row]]) -> dict[str, Iterable[Row]]:
    """The rows under the names of their slices, in the order of the answer.

    Raises `ContractError` with the row's address for a name that no key, page or message can carry.
    """
    slices: dict[str, list[Row]] = {}
    for name, row in rows:
        if name not in slices and not (name.isprintable() and len(name) <= LONGEST_NAME and SEPARATOR not in name):
            expected = f"the name of a slice: at most {LONGEST_NAME} printable characters, none of them {SEPARATOR!r}"
            raise ContractError(str(row[0]), expected, repr(name))
        slices.setdefault(name, []).append(row)
    return dict(slices)


def one_slice_an_answer(
    columns: tuple[str, ...],
    answers: Sequence[Answered],
    slice_of: Callable[[Answered], str],
    rows_of: Callable[[str, bytes], Iterable[Row]],
    figures: tuple[str, ...] = ("value",),
) -> Parsed:
    """A delivery in which each answer is a slice of its own, read without the others: one that cannot be read leaves them as they are.

    `slice_of` names the slice by the question, `rows_of` reads its rows by that name.
    Raises `ContractError` if two answers are of one slice.
    """
    parsed = Parsed(columns, figures=figures)
    for number, answer in enumerate(answers):
        name = slice_of(answer)
        if name in parsed.answers:
            raise ContractError(f"the answer {number + 1}", "one answer a slice", f"a second answer of {name}")
        parsed.answers[name] = (number,)
        try:
            with parsing():
                parsed.slices[name] = list(rows_of(name, answer.body))
        except ContractError as error:
            parsed.unreadable[name] = error
    return parsed


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
