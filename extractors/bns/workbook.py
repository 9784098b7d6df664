"""The dynamic workbook of element 6584: sheets by sex, regions in rows, years in columns."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from openpyxl.utils import get_column_letter

from extractors.bns.table import ELEMENT, TABLE
from extractors.rows import Answered, ContractError, Parsed, Row, by_slice
from extractors.source import Dataset
from extractors.workbook import Line, Value, Workbook

# Sections of the sheets by sex; the first, untitled or titled otherwise, is the total
LOCALITIES = ("Городское население", "Сельское население")
YEAR = re.compile(r"(19|20)\d\d")
# The workbook has 1,700 in a sheet
FILLED_CELLS = 200_000
LAST_YEAR_ROW = 20


def parse_workbook(dataset: Dataset, answers: Sequence[Answered]) -> Parsed:
    """The cells, in slices of one reference date of one table; the edition is the date of the workbook's last change.

    Raises `ContractError` with sheet and cell.
    """
    book, element = Workbook(answers[0].body, FILLED_CELLS), answers[0].named(ELEMENT)
    sheets: dict[str, str] = dataset.request["sheets"]
    if unknown := [name for name in book.sheets if name not in sheets]:
        raise ContractError(f"sheet {unknown[0]!r}", f"one of {', '.join(sheets)}", "an unknown sheet")
    tables = [_Table(element, book, title, sheets) for title in book.sheets]
    slices = by_slice(row for table in tables for row in table.rows())
    if not slices:
        raise ContractError(f"sheet {book.sheets[0]!r}" if book.sheets else "the workbook", "figures", "none")
    # a year that one section lacks is half a table: it is refused by name, and the other years land
    unreadable = {name: error for table in tables for name, error in table.empty()}
    for name in unreadable:
        slices.pop(name, None)
    return Parsed(TABLE, slices, unreadable=unreadable, edition=book.modified)


class _Table:
    """One sheet: its rows by slice, and once they are read the years of which a section has no figure."""

    def __init__(self, element: str, book: Workbook, title: str, sheets: Mapping[str, str]) -> None:
        self.element, self.book, self.title, self.sheets = element, book, title, sheets
        self.year_row, self.years = self._year_row()
        # by table and section, for the sections of one table stand below each other
        self.found: dict[tuple[str, str | None], set[str]] = {}

    def rows(self) -> Iterator[tuple[str, Row]]:
        """The cells. Raises `ContractError` for a figure outside the table, and for a title that is another sheet's."""
        unit, section, locality = None, None, None
        for line in self.book.lines(self.title):
            label = str(line.cells[1]) if 1 in line.cells else None
            if line.number < self.year_row:
                self._check_above(line)
                # the last line above the years prints the unit, in any column
                unit = str(list(line.cells.values())[-1])
                continue
            if line.number == self.year_row:
                continue
            figures = list(self._by_year(line))
            if label and not figures and label.strip() in (*self.sheets, *LOCALITIES):
                section, locality = self._section(line.number, label)
                self.found.setdefault((self._name(locality), section), set())
            if not figures:
                continue
            table = self._name(locality)
            about = (self.element, None, unit, self.title, section, label, locality, None, None, None)
            self.found.setdefault((table, section), set()).update(year for year, _, _ in figures)
            for year, cell, value in figures:
                yield f"{table}/{year}-01-01", (cell, *about, year, _figure(value))

    def empty(self) -> Iterator[tuple[str, ContractError]]:
        """The slices of which this sheet has the year, and not one figure in a section that it has."""
        for (table, section), filled in self.found.items():
            for column, year in self.years.items():
                if year not in filled:
                    expected = f"figures of {year}" + (f" in the section {section.strip()!r}" if section else "")
                    yield f"{table}/{year}-01-01", ContractError(self._cell(column, self.year_row), expected, "an empty column")

    def _year_row(self) -> tuple[int, dict[int, str]]:
        """The number of the row that holds the years, and the years by column, from B on."""
        for line in self.book.lines(self.title):
            if line.number > LAST_YEAR_ROW:
                break
            years = {column: str(value) for column, value in line.cells.items() if column > 1 and YEAR.fullmatch(str(value))}
            if years and 1 not in line.cells:
                return line.number, years
        raise ContractError(f"{self.title}!A1:Z{LAST_YEAR_ROW}", "a row of years from column B on", "none")

    def _by_year(self, line: Line) -> Iterator[tuple[str, str, Value]]:
        """Year, address and value of each figure of a line."""
        for column, value in line.cells.items():
            cell = self._cell(column, line.number)
            if column in self.years:
                yield self.years[column], cell, value
            elif column > 1:
                raise ContractError(cell, "no figure outside the columns of the years", repr(value))

    def _check_above(self, line: Line) -> None:
        for column, value in line.cells.items():
            if isinstance(value, int | float) and not isinstance(value, bool):
                raise ContractError(self._cell(column, line.number), "no figure above the years", repr(value))

    def _section(self, row: int, label: str) -> tuple[str, str | None]:
        name = label.strip()
        if name in self.sheets and name != self.title:
            raise ContractError(self._cell(1, row), f"a section of the sheet {self.title!r}", repr(label))
        return label, name if name in LOCALITIES else None

    def _name(self, locality: str | None) -> str:
        if self.sheets[self.title] == "_T":
            return "region"
        return "region_sex_locality" if locality else "region_sex"

    def _cell(self, column: int, row: int) -> str:
        return f"{self.title}!{get_column_letter(column)}{row}"


def _figure(value: Value) -> str:
    """The figure as text; a whole number that the workbook keeps as a float is written without its `.0`."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
