"""Figures transcribed from print: figures and codes of one printed table or of one subject, a line each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from extractors.decode import decode_table, text_or_none
from extractors.rows import Answered, ContractError, Parsed, Row, by_slice
from extractors.source import Dataset

PRINTED = (
    "figure_id",
    "document",
    "locator",
    "measure",
    "unit",
    "period_start",
    "period_end",
    "reporting_area",
    "counterpart_area",
    "region",
    "direction",
    "scope",
    "breakdown",
    "category",
    "value",
    "value_high",
    "qualifier",
    "tolerance",
    "remark",
)


def parse_printed(dataset: Dataset, answers: Sequence[Answered]) -> Parsed:
    """One row a printed figure, in slices of the declared column. Raises `ContractError` with the line."""
    header, records = decode_table(answers[0].body, ",")
    if tuple(header) != PRINTED:
        raise ContractError("line 1", ",".join(PRINTED), ",".join(header))
    slices = by_slice(_rows(dataset, records))
    if not slices:
        raise ContractError("line 2", "at least one figure", "none")
    return Parsed(PRINTED, slices)


def _rows(dataset: Dataset, records: Iterator[tuple[int, list[str]]]) -> Iterator[tuple[str, Row]]:
    sliced_by = dataset.request["sliced_by"]
    for line, cells in records:
        name = cells[PRINTED.index(sliced_by)]
        if not name:
            raise ContractError(f"line {line}, {sliced_by}", "the name of a slice", "nothing")
        yield name, (f"line {line}", *map(text_or_none, cells))
