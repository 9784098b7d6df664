"""The dynamic workbook of element 6584: sheets by sex, regions in rows, years in columns."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from xml.etree.ElementTree import ParseError

from openpyxl import load_workbook
from openpyxl.cell.cell import Cell, MergedCell
from openpyxl.utils.exceptions import InvalidFileException
from openpyxl.worksheet.worksheet import Worksheet

from extractors.bns.table import ELEMENT, TABLE
from extractors.rows import Answered, ContractError, Parsed, Row, by_slice
from extractors.source import Dataset

# Sections of the sheets by sex; the first, untitled or titled otherwise, is the total
LOCALITIES = ("Городское население", "Сельское население")
YEAR = re.compile(r"(19|20)\d\d")


def parse_workbook(dataset: Dataset, answers: Sequence[Answered]) -> Parsed:
    """The cells, in slices of one reference date of one table; the edition is the date of the workbook's last change.

    Raises `ContractError` with sheet and cell.
    """
    body, element = answers[0].body, answers[0].named(ELEMENT)
    if not body:
        raise ContractError("byte 0", "an XLSX workbook", "0 bytes")
    try:
        book = load_workbook(io.BytesIO(body), data_only=True)
    except (zipfile.BadZipFile, InvalidFileException, KeyError, ParseError, ValueError, OSError) as error:
        raise ContractError("byte 0", "an XLSX workbook", f"{type(error).__name__}: {error}") from error
    sheets: dict[str, str] = dataset.request["sheets"]
    if unknown := [name for name in book.sheetnames if name not in sheets]:
        raise ContractError(f"sheet {unknown[0]!r}", f"one of {', '.join(sheets)}", "an unknown sheet")
    modified = book.properties.modified if b"dcterms:modified" in _core_properties(body) else None
    tables = [_Table(element, sheet, sheets) for sheet in book.worksheets]
    slices = by_slice(row for table in tables for row in table.rows())
    if not slices:
        raise ContractError(f"sheet {book.sheetnames[0]!r}", "figures", "none")
    # a year that one section lacks is half a table: it is refused by name, and the other years land
    unreadable = {name: error for table in tables for name, error in table.empty()}
    for name in unreadable:
        slices.pop(name, None)
    return Parsed(TABLE, slices, unreadable=unreadable, edition=modified.date().isoformat() if modified else "")


def _core_properties(body: bytes) -> bytes:
    # openpyxl invents a date of modification where the workbook states none
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        return archive.read("docProps/core.xml") if "docProps/core.xml" in archive.namelist() else b""


class _Table:
    """One sheet: its rows by slice, and once they are read the years of which a section has no figure."""

    def __init__(self, element: str, sheet: Worksheet, sheets: Mapping[str, str]) -> None:
        self.element, self.sheet, self.sheets = element, sheet, sheets
        self.years = _year_row(sheet)
        # by table and section, for the sections of one table stand below each other
        self.found: dict[tuple[str, str | None], set[str]] = {}

    def rows(self) -> Iterator[tuple[str, Row]]:
        """The cells. Raises `ContractError` for a figure outside the table, and for a title that is another sheet's."""
        unit, section, locality = None, None, None
        for cells in self.sheet.iter_rows():
            label = _label(cells[0])
            if cells[0].row < self.years[0].row:
                _check_above(cells)
                # the last line above the years prints the unit, in any column
                unit = next((str(cell.value) for cell in reversed(cells) if cell.value is not None), unit)
                continue
            if cells[0].row == self.years[0].row:
                continue
            figures = [(year, cell) for year, cell in _by_year(self.years, cells) if cell.value is not None]
            if label and not figures and label.strip() in (*self.sheets, *LOCALITIES):
                section, locality = self._title(cells[0], label)
                self.found.setdefault((self._name(locality), section), set())
            table = self._name(locality)
            for year, cell in figures:
                self.found.setdefault((table, section), set()).add(year)
                about = (self.element, None, unit, self.sheet.title, section, label, locality, None, None, None)
                yield f"{table}/{year}-01-01", (f"{self.sheet.title}!{cell.coordinate}", *about, year, _figure(cell))

    def empty(self) -> Iterator[tuple[str, ContractError]]:
        """The slices of which this sheet has the year, and not one figure in a section that it has."""
        for (table, section), filled in self.found.items():
            for cell in self.years:
                year = str(cell.value)
                if YEAR.fullmatch(year) and year not in filled:
                    expected = f"figures of {year}" + (f" in the section {section.strip()!r}" if section else "")
                    yield f"{table}/{year}-01-01", ContractError(f"{self.sheet.title}!{cell.coordinate}", expected, "an empty column")

    def _title(self, cell: Cell | MergedCell, label: str) -> tuple[str, str | None]:
        name = label.strip()
        if name in self.sheets and name != self.sheet.title:
            raise ContractError(f"{self.sheet.title}!{cell.coordinate}", f"a section of the sheet {self.sheet.title!r}", repr(label))
        return label, name if name in LOCALITIES else None

    def _name(self, locality: str | None) -> str:
        if self.sheets[self.sheet.title] == "_T":
            return "region"
        return "region_sex_locality" if locality else "region_sex"


def _check_above(cells: tuple[Cell | MergedCell, ...]) -> None:
    for cell in cells:
        if isinstance(cell.value, int | float) and not isinstance(cell.value, bool):
            raise ContractError(f"{cell.parent.title}!{cell.coordinate}", "no figure above the years", repr(cell.value))


def _year_row(sheet: Worksheet) -> list[Cell | MergedCell]:
    """The cells of the row that holds the years, from column B on."""
    for cells in sheet.iter_rows(max_row=20):
        years = [cell for cell in cells[1:] if YEAR.fullmatch(str(cell.value))]
        if years and cells[0].value is None:
            return years
    raise ContractError(f"{sheet.title}!A1:Z20", "a row of years from column B on", "none")


def _by_year(years: list[Cell | MergedCell], cells: tuple[Cell | MergedCell, ...]) -> Iterator[tuple[str, Cell | MergedCell]]:
    columns = {year.column: str(year.value) for year in years}
    for cell in cells[1:]:
        if cell.column in columns:
            yield columns[cell.column], cell
        elif cell.value is not None:
            raise ContractError(f"{cell.parent.title}!{cell.coordinate}", "no figure outside the columns of the years", repr(cell.value))


def _label(cell: Cell | MergedCell) -> str | None:
    return None if cell.value is None else str(cell.value)


def _figure(cell: Cell | MergedCell) -> str:
    """The figure as text; a whole number that the workbook keeps as a float is written without its `.0`."""
    value = cell.value
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
