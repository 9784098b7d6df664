"""Bytes of the bureau → rows of text. Pure: knows neither network nor database, and judges no figure.

Half an answer, a page instead of data, or a layout that is not the known one raises `ContractError`; a strange figure,
territory or unit is a row like any other, and gate 1 decides.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator
from typing import Any
from xml.etree.ElementTree import ParseError

from openpyxl import load_workbook
from openpyxl.cell.cell import Cell, MergedCell
from openpyxl.utils.exceptions import InvalidFileException
from openpyxl.worksheet.worksheet import Worksheet

from extractors.rows import WHOLE, ContractError, Parsed, Row, by_slice
from extractors.source import Dataset

TALDAU = ("index_id", "period_type", "dictionaries", "terms", "term_id", "term_name", "measure_name", "period", "value")
TABLE = ("element_id", "indicator", "unit", "sheet", "section", "territory", "locality", "ethnicity", "sex", "age", "period", "value")
NODE_KEYS = {"id", "text", "leaf", "expanded", "measureName"}
# Sections of the sheets by sex; the first, untitled or titled otherwise, is the total
LOCALITIES = ("Городское население", "Сельское население")
YEAR = re.compile(r"(19|20)\d\d")


def parse(dataset: Dataset, bodies: list[bytes]) -> Parsed:
    """The rows of one delivery. Raises `ContractError` with the position of what cannot be read."""
    parser = {"taldau_tree": _tree, "workbook": _workbook}[dataset.request["interface"]]
    return parser(dataset, bodies[0])


def decode_json(body: bytes) -> Any:
    """The JSON of an answer, with or without a byte order mark. Raises `ContractError` for anything else."""
    if not body:
        raise ContractError("byte 0", "a JSON document", "0 bytes")
    try:
        return json.loads(body.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ContractError(f"byte {error.start}", "UTF-8 text", f"byte {body[error.start]:#04x}") from error
    except json.JSONDecodeError as error:
        head = body[:40].decode("utf-8", "replace")
        found = "an HTML page" if head.lstrip("\ufeff \r\n").startswith("<") else f"{error.msg} (the answer begins {head!r})"
        raise ContractError(f"line {error.lineno} column {error.colno}", "a JSON document", found) from error


def _tree(dataset: Dataset, body: bytes) -> Parsed:
    nodes = decode_json(body)
    if not isinstance(nodes, list) or not all(isinstance(node, dict) for node in nodes):
        raise ContractError("/", "a list of tree nodes", type(nodes).__name__)
    wanted = dataset.request
    rows: list[Row] = []
    for number, raw_node in enumerate(nodes):
        node = {key.strip(): value for key, value in raw_node.items()}
        if missing := {"id", "text", "measureName"} - node.keys():
            raise ContractError(f"/{number}", "a node with id, text and measureName", f"no {', '.join(sorted(missing))}")
        same = (wanted["index_id"], wanted["period_type"], ",".join(wanted["dictionaries"]), ",".join(wanted["terms"]))
        about = (*same, _text(node.pop("id")), _text(node.pop("text")), _text(node.pop("measureName")))
        for key, value in node.items():
            if key in NODE_KEYS:
                continue
            if not re.fullmatch(r"y\d+", key):
                raise ContractError(f"/{number}/{key}", "a period key such as y122023", repr(key))
            rows.append((f"/{number}/{key}", *about, key[1:], _text(value)))
    if not rows:
        raise ContractError("/", "at least one observation", "none")
    return Parsed(TALDAU, {WHOLE: rows})


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _workbook(dataset: Dataset, body: bytes) -> Parsed:
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
    slices = by_slice(row for sheet in book.worksheets for row in _sheet(dataset, sheet, sheets[sheet.title]))
    if not slices:
        raise ContractError(f"sheet {book.sheetnames[0]!r}", "figures", "none")
    return Parsed(TABLE, slices, edition=modified.date().isoformat() if modified else "")


def _core_properties(body: bytes) -> bytes:
    # openpyxl invents a date of modification where the workbook states none
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        return archive.read("docProps/core.xml") if "docProps/core.xml" in archive.namelist() else b""


def _sheet(dataset: Dataset, sheet: Worksheet, sex: str) -> Iterator[tuple[str, Row]]:
    years = _year_row(sheet)
    unit, section, locality = None, None, None
    for cells in sheet.iter_rows():
        label = _label(cells[0])
        if cells[0].row < years[0].row:
            unit = label or unit  # the last line above the years prints the unit
            continue
        if cells[0].row == years[0].row or _is_note(label):
            continue
        figures = [(year, cell) for year, cell in _by_year(years, cells) if cell.value is not None]
        if label and not figures:  # a title of a section
            section, locality = label, label.strip() if label.strip() in LOCALITIES else None
        table = "region" if sex == "_T" else "region_sex_locality" if locality else "region_sex"
        for year, cell in figures:
            about = (dataset.request["element_id"], None, unit, sheet.title, section, label, locality, None, None, None)
            yield f"{table}/{year}-01-01", (f"{sheet.title}!{cell.coordinate}", *about, year, _figure(cell))


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


def _is_note(label: str | None) -> bool:
    return label is not None and re.match(r"\d+\)", label) is not None


def _figure(cell: Cell | MergedCell) -> str:
    """The figure as text; a whole number that the workbook keeps as a float is written without its `.0`."""
    value = cell.value
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
