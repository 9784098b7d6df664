"""From bytes to text, with errors that say where: shared by the readers of the bureau's answers."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

from extractors.rows import ContractError


def decode_text(body: bytes, expected: str) -> str:
    """The text of an answer, with or without a byte order mark. Raises `ContractError` for no bytes and for other encodings."""
    if not body:
        raise ContractError("byte 0", expected, "0 bytes")
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ContractError(f"byte {error.start}", "UTF-8 text", f"byte {body[error.start]:#04x}") from error


def decode_json(body: bytes) -> Any:
    """The JSON of an answer. Raises `ContractError` for anything else."""
    text = decode_text(body, "a JSON document")
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        found = "an HTML page" if is_html(text) else f"{error.msg} (the answer begins {text[:40]!r})"
        raise ContractError(f"line {error.lineno} column {error.colno}", "a JSON document", found) from error


def decode_table(body: bytes, delimiter: str) -> tuple[list[str], Iterator[tuple[int, list[str]]]]:
    """The header of a delimited text and its records, each with the number of its (last) line.

    Raises `ContractError` for a page, an open quote, and a record that is not as long as the header.
    """
    text = decode_text(body, "a delimited table")
    if is_html(text):
        raise ContractError("line 1", "a delimited table", "an HTML page")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    header = next(reader, [])
    return header, _records(reader, len(header))


def _records(reader: Any, width: int) -> Iterator[tuple[int, list[str]]]:
    while True:
        try:
            record = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise ContractError(f"line {reader.line_num}", "a complete record", str(error)) from error
        if len(record) != width:
            raise ContractError(f"line {reader.line_num}", f"{width} cells, as the header has", f"{len(record)}: {record}")
        yield reader.line_num, record


def is_html(text: str) -> bool:
    """Whether an answer is a page instead of data."""
    return text.lstrip(" \r\n\t").startswith("<")


def text_or_none(value: object) -> str | None:
    """The value as text; None for nothing, and an empty cell is nothing."""
    return None if value is None or value == "" else str(value)
