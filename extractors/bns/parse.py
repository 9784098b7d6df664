"""Bytes of the bureau → rows of text. Pure: knows neither network nor database, and judges no figure.

Half an answer, a page instead of data, or a layout that is not the known one raises `ContractError`; a strange figure,
territory or unit is a row like any other, and gate 1 decides.
"""

from __future__ import annotations

from collections.abc import Sequence

from extractors.bns.printed import parse_printed
from extractors.bns.table import parse_element_table, parse_matrix, parse_region_table
from extractors.bns.taldau import parse_element_json, parse_tree
from extractors.bns.workbook import parse_workbook
from extractors.rows import Answered, Parsed
from extractors.source import Dataset

PARSERS = {
    "taldau_tree": parse_tree,
    "workbook": parse_workbook,
    "element_csv": parse_element_table,
    "element_json": parse_element_json,
    "region_table": parse_region_table,
    "region_matrix": parse_matrix,
    "printed": parse_printed,
}


def parse(dataset: Dataset, answers: Sequence[Answered]) -> Parsed:
    """The rows of one delivery, whose answers are in the order of the requests. Raises `ContractError` with the position."""
    parsed = PARSERS[dataset.request["interface"]](dataset, answers)
    parsed.figures, parsed.decimal_marks = ("value", "value_high", "tolerance"), ".,"
    return parsed
