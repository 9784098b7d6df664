"""Delimited tables of the bureau: from bytes to records, with errors that say where."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

from extractors.decode import decode_text, is_html
from extractors.rows import LONGEST_TEXT, ContractError

# The longest table at hand has 3,000 lines
RECORDS = 300_000


def decode_table(body: bytes, delimiter: str) -> tuple[list[str], Iterator[tuple[int, list[str]]]]:
    """The header of a delimited text and its records, each with the number of its (last) line.

    Raises `ContractError` for a page, an open quote, a record that is not as long as the header, and for more lines than are taken.
    """
    text = decode_text(body, "a delimited table")
    if is_html(text):
        raise ContractError("line 1", "a delimited table", "an HTML page")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    header = _next(reader) or []
    return header, _records(reader, len(header))


def _next(reader: Any) -> list[str] | None:
    try:
        record: list[str] | None = next(reader, None)
    except csv.Error as error:
        raise ContractError(f"line {reader.line_num}", "a complete record", str(error)) from error
    return record


def _records(reader: Any, width: int) -> Iterator[tuple[int, list[str]]]:
    while (record := _next(reader)) is not None:
        if reader.line_num > RECORDS:
            raise ContractError(f"line {reader.line_num}", f"at most {RECORDS} lines", "more")
        if len(longest := max(record, key=len, default="")) > LONGEST_TEXT:
            raise ContractError(
                f"line {reader.line_num}", f"at most {LONGEST_TEXT} characters in a cell", f"{len(longest)}: {longest[:40]!r}"
            )
        if len(record) != width:
            raise ContractError(f"line {reader.line_num}", f"{width} cells, as the header has", f"{len(record)}: {record}")
        yield reader.line_num, record


def text_or_none(value: object) -> str | None:
    """The value as text; None for nothing, and an empty cell is nothing."""
    return None if value is None or value == "" else str(value)
