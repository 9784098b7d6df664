"""Delimited tables of the bureau: element files, internal migration by region, and the matrix of origins and destinations."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial

from extractors.bns.scope import in_scope
from extractors.decode import decode_table, text_or_none
from extractors.rows import WHOLE, Answered, ContractError, Parsed, Row, by_slice, one_slice_an_answer
from extractors.source import Dataset

TABLE = ("element_id", "indicator", "unit", "sheet", "section", "territory", "locality", "ethnicity", "sex", "age", "period", "value")
MATRIX = ("period", "origin", "destination", "value")
# The breakdowns of an element file, which gives only those that the element has
BREAKDOWNS = {"КАТО(по каталогу)": "territory", "СПТМ (по каталогу)": "locality", "КН": "ethnicity", "СП": "sex", "СГНЛ": "age"}
NEEDED = {"NAM", "DAT", "PERIOD", "КАТО(по каталогу)", "VAL"}
# YYYYMM; Taldau's tree writes MMYYYY, which must not be taken for it
PERIOD = re.compile(r"((?:19|20)\d\d)(0[1-9]|1[0-2])")
ELEMENT = r"/element/(\d+)/"
REGION_HEADER = ["region", "month", "arrivals", "departures", "net"]
# region_emmigr is the origin, region_immigr the destination, spelt as the bureau's copy spells them
MATRIX_HEADER = ["Year", "region_emmigr", "region_immigr", "N"]


def parse_element_table(dataset: Dataset, answers: Sequence[Answered]) -> Parsed:
    """The lines of an element file; districts are counted as out of scope. Raises `ContractError` with the line.

    The file is refused if NAM is not the declared indicator and unit: a link of the bureau once served another table.
    """
    header, records = decode_table(answers[0].body, "\t")
    _check_element_header(header)
    element = answers[0].named(ELEMENT)
    rows: list[Row] = []
    out_of_scope = 0
    for line, cells in records:
        row = _element_row(dataset, element, line, dict(zip(header, cells, strict=True)))
        if in_scope(dataset, row[1 + TABLE.index("territory")]):
            rows.append(row)
        else:
            out_of_scope += 1
    if not rows:
        raise ContractError("line 2", "at least one figure", "none")
    return Parsed(TABLE, {WHOLE: rows}, out_of_scope=out_of_scope)


def _check_element_header(header: list[str]) -> None:
    known = NEEDED | BREAKDOWNS.keys()
    known |= {f"L{name}" for name in BREAKDOWNS}
    if missing := NEEDED - set(header):
        raise ContractError("line 1", "the columns of an element file", f"no {', '.join(sorted(missing))}: {header}")
    if strange := [name for name in header if name not in known]:
        raise ContractError("line 1", "only columns that are known", ", ".join(map(repr, strange)))
    if len(set(header)) < len(header):
        raise ContractError("line 1", "each column once", str(header))


def _element_row(dataset: Dataset, element: str, line: int, cells: dict[str, str]) -> Row:
    wanted, here = dataset.request, f"line {line}"
    name, expected = cells.pop("NAM"), f"{wanted['indicator']}({wanted['unit']})"
    if name != expected:
        raise ContractError(f"{here}, NAM", repr(expected), repr(name))
    period = _period(here, cells.pop("PERIOD"), cells.pop("DAT"))
    value = text_or_none(cells.pop("VAL"))
    members = {column: text_or_none(cells.pop(field)) for field, column in BREAKDOWNS.items() if field in cells}
    for field, level in cells.items():
        if level != "0":
            raise ContractError(f"{here}, {field}", "'0', the only level that is known", repr(level))
    found = {"element_id": element, "indicator": wanted["indicator"], "unit": wanted["unit"], "period": period, "value": value}
    return (here, *({**found, **members}.get(column) for column in TABLE))


def _period(here: str, code: str, name: str) -> str:
    """The code as printed. The star of a preliminary figure stands after the period's name: it goes with the code."""
    found = PERIOD.fullmatch(code)
    if not found or name.rstrip("* ") != f"{found.group(1)} год":
        raise ContractError(f"{here}, PERIOD", "YYYYMM of a year, such as 201712 for '2017 год'", f"{code!r} for {name!r}")
    return f"{code}*" if name.rstrip().endswith("*") else code


def parse_region_table(dataset: Dataset, answers: Sequence[Answered]) -> Parsed:
    """Internal arrivals, departures and net by region, one answer and one slice a year; `section` holds the month or Total."""
    return one_slice_an_answer(TABLE, answers, lambda answer: answer.asked_once("year"), partial(_region_rows, dataset))


def _region_rows(dataset: Dataset, year: str, body: bytes) -> Iterator[Row]:
    header, records = decode_table(body, ",")
    if header != REGION_HEADER:
        raise ContractError(f"{year}, line 1", ",".join(REGION_HEADER), ",".join(header))
    line = 1
    for line, (region, month, *figures) in records:
        for measure, figure in zip(REGION_HEADER[2:], figures, strict=True):
            about = (None, measure, dataset.request["unit"], None, month, region, None, None, None, None)
            yield (f"{year}, line {line}, {measure}", *map(text_or_none, about), year, text_or_none(figure))
    if line == 1:
        raise ContractError(f"{year}, line 2", "at least one region", "none")


def parse_matrix(_dataset: Dataset, answers: Sequence[Answered]) -> Parsed:
    """Moves from region to region, one slice a year. Raises `ContractError` with the line."""
    header, records = decode_table(answers[0].body, ",")
    if header != MATRIX_HEADER:
        raise ContractError("line 1", ",".join(MATRIX_HEADER), ",".join(header))
    slices = by_slice(_matrix_row(line, cells) for line, cells in records)
    if not slices:
        raise ContractError("line 2", "at least one pair of regions", "none")
    return Parsed(MATRIX, slices)


def _matrix_row(line: int, cells: list[str]) -> tuple[str, Row]:
    # the year names the slice, so it cannot be left to gate 1
    if not re.fullmatch(r"(19|20)\d\d", cells[0]):
        raise ContractError(f"line {line}, Year", "a year YYYY", repr(cells[0]))
    return cells[0], (f"line {line}", *map(text_or_none, cells))
