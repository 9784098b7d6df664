"""From the address of a figure to what stands there in the archived bytes: a JSON pointer, a cell of a sheet, or a line of a table."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from openpyxl.utils import column_index_from_string

from extractors.decode import decode_json, decode_table, decode_text, member_of
from extractors.rows import ContractError
from extractors.workbook import Workbook

# `2018#/0` is a pointer within the answer about 2018
POINTER = re.compile(r"[^/]*?#?(/.*)")
CELL = re.compile(r"(.+)!([A-Z]+)(\d+)")
LINE = re.compile(r"(?:(.+), )?line (\d+)(?:, (.+))?")


class Answer:
    """An archived answer, opened once for all the addresses in it."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._sheets: dict[str, dict[tuple[int, int], Any]] = {}
        self._tables: dict[str, dict[int, dict[str, str]]] = {}

    def at(self, position: str) -> list[Any]:
        """What stands at a position, of several joined by `; ` each: as it is printed, a record as names and values.

        Raises `ContractError` with the position where nothing stands.
        """
        return [self._one(part) for part in position.split("; ")]

    def _one(self, position: str) -> Any:
        if found := CELL.fullmatch(position):
            return self._cell(position, found[1], found[2], int(found[3]))
        if found := LINE.fullmatch(position):
            return self._line(position, found[1] or "", int(found[2]), found[3] or "")
        if found := POINTER.fullmatch(position):
            return self._value(position, found[1])
        raise ContractError(position, "a JSON pointer, a cell of a sheet or a line", "another address")

    @cached_property
    def _document(self) -> Any:
        return decode_json(self._body)

    @cached_property
    def _book(self) -> Workbook:
        return Workbook(self._body)

    def _value(self, position: str, pointer: str) -> Any:
        found = self._document
        for part in pointer.split("/")[1:]:
            key = part.replace("~1", "/").replace("~0", "~")
            try:
                found = found[int(key)] if isinstance(found, list) else found[key]
            except (LookupError, TypeError, ValueError):
                raise ContractError(position, "a value", "nothing") from None
        return found

    def _cell(self, position: str, sheet: str, column: str, row: int) -> Any:
        if sheet not in self._sheets:
            if sheet not in self._book.sheets:
                raise ContractError(position, f"one of the sheets {', '.join(self._book.sheets)}", sheet)
            self._sheets[sheet] = {(at, line.number): value for line in self._book.lines(sheet) for at, value in line.cells.items()}
        key = (column_index_from_string(column), row)
        if key not in self._sheets[sheet]:
            raise ContractError(position, "a filled cell", "nothing")
        return self._sheets[sheet][key]

    def _line(self, position: str, before: str, number: int, name: str) -> Any:
        # what stands before a line is the file of a ZIP, or the question that was answered
        member = before if self._body.startswith(b"PK") else ""
        if member not in self._tables:
            body = member_of(self._body, member) if member else self._body
            first = decode_text(body, "a delimited text").partition("\n")[0]
            delimiter = max("\t;,|", key=first.count)
            header, records = decode_table(body, delimiter)
            self._tables[member] = {line: dict(zip(header, cells, strict=True)) for line, cells in records}
        record: Mapping[str, str] | None = self._tables[member].get(number)
        if record is None or (name and name not in record):
            raise ContractError(position, "a record", "nothing")
        return record[name] if name else record


def shown(found: Any) -> str:
    """What stands at an address, in one line."""
    return found if isinstance(found, str) else json.dumps(found, ensure_ascii=False, default=str)


def numbers_in(found: Any) -> list[str]:
    """The numbers that stand at an address, however they are written: `-108 307` is one."""
    values = found.values() if isinstance(found, Mapping) else found if isinstance(found, list) else [found]
    texts = [re.sub(r"[\s\u00a0\u202f*]", "", str(value)).replace("−", "-") for value in values if not isinstance(value, (Mapping, list))]
    return [text.replace(",", ".") for text in texts if re.fullmatch(r"[-+]?\d+(?:[.,]\d+)?(?:[eE][-+]?\d+)?", text)]
