"""The dynamic workbook of element 6584: sheets by sex, regions in rows, years in columns."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

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
    slices = by_slice(row for name in book.sheets for row in _sheet(element, book, name, sheets[name]))
    if not slices:
        raise ContractError(f"sheet {book.sheets[0]!r}" if book.sheets else "the workbook", "figures", "none")
    return Parsed(TABLE, slices, edition=book.modified)


def _sheet(element: str, book: Workbook, title: str, sex: str) -> Iterator[tuple[str, Row]]:
    year_row, years = _year_row(book, title)
    unit, section, locality = None, None, None
    for line in book.lines(title):
        label = str(line.cells[1]) if 1 in line.cells else None
        if line.number < year_row:
            # the last line above the years prints the unit, in any column
            unit = str(list(line.cells.values())[-1])
            continue
        if line.number == year_row or _is_note(label):
            continue
        figures = list(_by_year(title, years, line))
        if label and not figures:  # a title of a section
            section, locality = label, label.strip() if label.strip() in LOCALITIES else None
        table = "region" if sex == "_T" else "region_sex_locality" if locality else "region_sex"
        for year, cell, value in figures:
            about = (element, None, unit, title, section, label, locality, None, None, None)
            yield f"{table}/{year}-01-01", (f"{title}!{cell}", *about, year, _figure(value))


def _year_row(book: Workbook, title: str) -> tuple[int, dict[int, str]]:
    """The number of the row that holds the years, and the years by column, from B on."""
    for line in book.lines(title):
        if line.number > LAST_YEAR_ROW:
            break
        years = {column: str(value) for column, value in line.cells.items() if column > 1 and YEAR.fullmatch(str(value))}
        if years and 1 not in line.cells:
            return line.number, years
    raise ContractError(f"{title}!A1:Z{LAST_YEAR_ROW}", "a row of years from column B on", "none")


def _by_year(title: str, years: dict[int, str], line: Line) -> Iterator[tuple[str, str, Value]]:
    """Year, address and value of each figure of a line."""
    for column, value in line.cells.items():
        cell = f"{get_column_letter(column)}{line.number}"
        if column in years:
            yield years[column], cell, value
        elif column > 1:
            raise ContractError(f"{title}!{cell}", "no figure outside the columns of the years", repr(value))


def _is_note(label: str | None) -> bool:
    return label is not None and re.match(r"\d+\)", label) is not None


def _figure(value: Value) -> str:
    """The figure as text; a whole number that the workbook keeps as a float is written without its `.0`."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
