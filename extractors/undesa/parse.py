"""Workbooks of the Population Division → rows of text. Pure: knows neither network nor database, and judges no figure.

One line of the table is a pair (or a destination), one row of ours a cell of figures. Codes, marks (`..`, `~`, `—`), names with
leading blanks and areas that appear twice are landed as they are. A workbook is read as its rows are taken, never as a whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from openpyxl.utils import get_column_letter

from extractors.digest import one_spelling
from extractors.rows import BLOCK, WHOLE, Answered, Block, ContractError, Parsed, Row, csv_lines
from extractors.source import Dataset
from extractors.workbook import Line as SheetLine
from extractors.workbook import Value, Workbook

STOCK = (
    "sheet",
    "block",
    "line_number",
    "destination",
    "destination_notes",
    "coverage",
    "destination_code",
    "data_type",
    "origin",
    "origin_code",
    "period",
    "value",
)
ABOUT = STOCK[2:-2]
HEADER_ROW = 11
TABLE = re.compile(r"Table \d+")
EDITION = re.compile(r"POP/DB/MIG/Stock/Rev\.(\d{4})")
PERIOD = re.compile(r"(19|20)\d\d(-(19|20)\d\d)?")
# what CSV may quote a field for is among these
NOT_AS_IT_IS = re.compile(r"[^\w .-]")

Line = tuple[Any, ...]
Texts = tuple[str | None, ...]


def parse(dataset: Dataset, answers: Sequence[Answered]) -> Parsed:
    """The rows of one edition. Raises `ContractError` with the cell that is not as known, now or while the rows are read."""
    book, wanted = Workbook(answers[0].body), dataset.request
    table: str = wanted["table"]
    for name in book.sheets:
        if name not in wanted["notes"] and not TABLE.fullmatch(name):
            raise ContractError(f"sheet {name!r}", f"tables and {', '.join(wanted['notes'])}", "an unknown sheet")
    if table not in book.sheets:
        raise ContractError("the workbook", f"the sheet {table!r}", ", ".join(book.sheets))
    preface = _preface(book, table)
    _check_above(table, preface[:-1])
    _check_licence(wanted["licence"], table, preface)
    rows = TableRows(book, table, _columns(dataset, table, preface))
    others = [name for name in book.sheets if name != table and TABLE.fullmatch(name)]
    out_of_scope = sum(_filled(book, name) for name in others)
    return Parsed(STOCK, {WHOLE: rows}, edition=_edition(table, preface), out_of_scope=out_of_scope, places=("line_number",))


@dataclass(frozen=True)
class Columns:
    """Where a table keeps what: position of each descriptive column, and (position, block, period) of each column of figures."""

    about: dict[str, int]
    required: tuple[str, ...]
    figures: tuple[tuple[int, str, str], ...]

    @cached_property
    def known(self) -> set[int]:
        """The positions of all columns."""
        return {*self.about.values(), *(position for position, _, _ in self.figures)}

    @cached_property
    def lettered(self) -> list[tuple[int, str, str, str]]:
        """Each column of figures with its letters."""
        return [(position, get_column_letter(position + 1), block, period) for position, block, period in self.figures]


@dataclass(frozen=True)
class TableRows:
    """The rows of one table, read from the workbook anew each time they are iterated."""

    book: Workbook
    sheet: str
    columns: Columns

    def __iter__(self) -> Iterator[Row]:
        """One row for each cell of figures. Raises `ContractError` for a line that is not one of the table's."""
        for number, described, texts in self._lines():
            for position, letters, block, period in self.columns.lettered:
                yield (f"{self.sheet}!{letters}{number}", self.sheet, block, *described, period, texts.get(position))

    def blocks(self) -> Iterator[Block]:
        """The same rows, many at once. What the cells of one line, or of one column, have in common is written once."""
        heads = [
            (position, f"{self.sheet}!{letters}", csv_lines([(self.sheet, block)])[0], period)
            for position, letters, block, period in self.columns.lettered
        ]
        addresses: list[str] = []
        lines: list[str] = []
        content: list[str] = []
        for number, described, texts in self._lines():
            # the number of the line is a place, and no content
            about, said = csv_lines([described, described[1:]])
            for position, letters, head, period in heads:
                text = texts.get(position)
                addresses.append(f"{letters}{number}")
                lines.append(f"{head},{about},{period},{_quoted(text)}")
                content.append(f"{head},{said},{period},{_quoted(one_spelling(text))}")
            if len(lines) >= BLOCK:
                yield Block(addresses, lines, content)
                addresses, lines, content = [], [], []
        if lines:
            yield Block(addresses, lines, content)

    def _lines(self) -> Iterator[tuple[int, Texts, dict[int, str | None]]]:
        """Of each line its number, what describes it, and its texts by position."""
        for line in self.book.lines(self.sheet):
            if line.number > HEADER_ROW:
                yield line.number, *self._read(line)

    def _read(self, line: SheetLine) -> tuple[Texts, dict[int, str | None]]:
        number, texts = line.number, {column - 1: _text(cell) for column, cell in line.cells.items()}
        about = {name: texts.get(position) for name, position in self.columns.about.items()}
        for name in self.columns.required:
            if about[name] is None:
                address = f"{self.sheet}!{get_column_letter(self.columns.about[name] + 1)}{number}"
                raise ContractError(address, f"a {name.replace('_', ' ')}", "an empty cell")
        for position in sorted(texts.keys() - self.columns.known):
            if (text := texts[position]) is not None:
                raise ContractError(f"{self.sheet}!{get_column_letter(position + 1)}{number}", "no cell outside the header", repr(text))
        return tuple(about.get(name) for name in ABOUT), texts


def _columns(dataset: Dataset, table: str, preface: list[Line]) -> Columns:
    wanted = dataset.request
    about: dict[str, int] = {}
    figures: list[tuple[int, str, str]] = []
    block = None
    for position, cell in enumerate(preface[-1]):
        address, label = f"{table}!{get_column_letter(position + 1)}{HEADER_ROW}", _text(cell)
        if label is None:
            if position == 0:
                about["line_number"] = position  # the 2020 edition leaves the first column unnamed
            continue
        if PERIOD.fullmatch(label):
            block = _title(preface, position) or block
            if block is None or block not in wanted["blocks"]:
                raise ContractError(address, f"a block titled {' | '.join(wanted['blocks'])}", repr(block))
            figures.append((position, block, label))
        elif (name := wanted["headers"].get(label.strip())) and name not in about:
            about[name] = position
        else:
            raise ContractError(address, f"a year, or once each of {', '.join(wanted['headers'])}", repr(label))
    _check_complete(wanted, table, about, figures)
    return Columns(about, tuple(wanted["required"]), tuple(figures))


def _check_complete(wanted: dict[str, Any], table: str, about: dict[str, int], figures: list[tuple[int, str, str]]) -> None:
    if missing := [name for name in wanted["required"] if name not in about]:
        raise ContractError(f"{table}!A{HEADER_ROW}", f"a column of {', '.join(missing)}", ", ".join(about) or "none")
    by_block = {title: [period for _, block, period in figures if block == title] for title in wanted["blocks"]}
    years = by_block[wanted["blocks"][0]]
    if not years or len(set(years)) != len(years) or any(periods != years for periods in by_block.values()):
        raise ContractError(f"{table}!A{HEADER_ROW}", "the same years once in every block", str(by_block))


def _title(preface: list[Line], position: int) -> str | None:
    """What stands above a column of figures; a merged title stands above the first of its columns only."""
    titles = [_text(line[position]) for line in preface[6 : HEADER_ROW - 1] if position < len(line)]
    return next((title.strip() for title in titles if title), None)


def _edition(table: str, preface: list[Line]) -> str:
    for line in preface:
        for cell in line:
            if found := EDITION.search(str(cell)):
                return found[1]
    raise ContractError(f"{table}!A1:Z{HEADER_ROW}", "the database code POP/DB/MIG/Stock/Rev.YYYY", "none")


def _check_above(table: str, lines: list[Line]) -> None:
    for number, line in enumerate(lines, start=1):
        for position, cell in enumerate(line):
            if isinstance(cell, int | float) and not isinstance(cell, bool):
                raise ContractError(f"{table}!{get_column_letter(position + 1)}{number}", "no figure above the header", repr(cell))


def _check_licence(licence: str, table: str, preface: list[Line]) -> None:
    """What a workbook prints about its licence must be what is declared; a workbook may print nothing."""
    for number, line in enumerate(preface, start=1):
        for cell in line:
            if isinstance(cell, str) and "copyright" in cell.lower() and licence not in cell:
                raise ContractError(f"{table}!A{number}", f"the licence {licence}", repr(cell))


def _preface(book: Workbook, table: str) -> list[Line]:
    """The lines of a table down to its header, empty cells included."""
    preface: list[Line] = [()] * HEADER_ROW
    for line in book.lines(table):
        if line.number > HEADER_ROW:
            break
        preface[line.number - 1] = tuple(line.cells.get(column) for column in range(1, max(line.cells) + 1))
    if not preface[-1]:
        raise ContractError(f"{table}!A{HEADER_ROW}", "the header of the table", "an empty line")
    return preface


def _filled(book: Workbook, sheet: str) -> int:
    return sum(1 for line in book.lines(sheet) if line.number > HEADER_ROW)


def _quoted(text: str | None) -> str:
    """The text as a field of CSV."""
    if not text or not NOT_AS_IT_IS.search(text):
        return text or ""
    return csv_lines([(text,)])[0]


def _text(cell: Value | None) -> str | None:
    """The cell as text; a whole number that the workbook keeps as a float is written without its `.0`."""
    if cell is None or cell == "":
        return None
    if isinstance(cell, str):
        return cell
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)
