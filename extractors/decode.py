"""From bytes to text, JSON, delimited tables and members of a ZIP, within bounds and with errors that say where: shared by all parsers.

A JSON document is refused for a key that an object has twice, and for more than any agency sends: nesting, values, length of a text.
Figures keep the agency's digits: 99.35000000000001 is not ours to round, so every number is read as its text.
"""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from extractors.rows import LONGEST_TEXT, ContractError, refused

# An agency's deepest document has four levels; the decoder itself ends at some hundred
NESTING = 32
# Objects and lists, and values in them: the largest documents that are read whole have 2,000 and 40,000
CONTAINERS, VALUES = 500_000, 2_000_000
# The longest delimited table at hand has 10,000 lines
RECORDS = 300_000
# A ZIP of tables has some tens of files; its largest unpacks to some tens of megabytes
PARTS, UNPACKED_BYTES = 1_000, 400_000_000
_ENTRY = b"PK\x01\x02"
_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[{]|[\]}]', re.DOTALL)


def decode_text(body: bytes, expected: str, where: str = "") -> str:
    """The text of an answer, with or without a byte order mark. Raises `ContractError` for no bytes and for other encodings.

    `where` stands before every position.
    """
    if not body:
        raise ContractError(f"{where}byte 0", expected, "0 bytes")
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ContractError(f"{where}byte {error.start}", "UTF-8 text", f"byte {body[error.start]:#04x}") from error


def decode_json(body: bytes, where: str = "", pointer: str = "") -> Any:
    """The JSON of an answer. Raises `ContractError` for anything else, with line and column, or with the JSON pointer.

    `where` stands before every line, `pointer` before every pointer.
    """
    text = decode_text(body, "a JSON document", where)
    try:
        return read_json(text, pointer)
    except json.JSONDecodeError as error:
        found = "an HTML page" if is_html(text) else f"{error.msg} (the answer begins {text[:40]!r})"
        raise ContractError(f"{where}line {error.lineno} column {error.colno}", "a JSON document", found) from error


def read_json(text: str, pointer: str = "", first: int = 0) -> Any:
    """The JSON of a text. Raises `JSONDecodeError` for anything else, and `ContractError` with the pointer for what is out of bounds.

    `first` is the number of the first item where the text is a part of a longer list.
    """
    for what, found, most in (("objects and lists", text.count("{") + text.count("["), CONTAINERS), ("values", text.count(","), VALUES)):
        if found > most:
            raise ContractError(f"{pointer}/", f"at most {most} {what}", f"{found}")
    try:
        document = _decoder.decode(text)
    except RecursionError:
        raise ContractError(_deeper(text, pointer), f"at most {NESTING} levels of nesting", "more") from None
    _check(document, pointer, first)
    return document


def is_html(text: str) -> bool:
    """Whether an answer is a page instead of data."""
    return text.lstrip(" \r\n\t").startswith("<")


def decode_table(body: bytes, delimiter: str, where: str = "") -> tuple[list[str], Iterator[tuple[int, list[str]]]]:
    """The header of a delimited text and its records, each with the number of its (last) line; `where` stands before every line.

    Raises `ContractError` for a page, an open quote, a record that is not as long as the header, and for more lines than are taken.
    """
    text = decode_text(body, "a delimited table", where)
    if is_html(text):
        raise ContractError(f"{where}line 1", "a delimited table", "an HTML page")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    header = _next(reader, where) or []
    return header, _records(reader, len(header), where)


def _next(reader: Any, where: str) -> list[str] | None:
    try:
        record: list[str] | None = next(reader, None)
    except csv.Error as error:
        raise ContractError(f"{where}line {reader.line_num}", "a complete record", str(error)) from error
    return record


def _records(reader: Any, width: int, where: str) -> Iterator[tuple[int, list[str]]]:
    while (record := _next(reader, where)) is not None:
        line = f"{where}line {reader.line_num}"
        if reader.line_num > RECORDS:
            raise ContractError(line, f"at most {RECORDS} lines", "more")
        if len(longest := max(record, key=len, default="")) > LONGEST_TEXT:
            raise ContractError(line, f"at most {LONGEST_TEXT} characters in a cell", f"{len(longest)}: {longest[:40]!r}")
        if len(record) != width:
            raise ContractError(line, f"{width} cells, as the header has", f"{len(record)}: {record}")
        yield reader.line_num, record


def text_or_none(value: object) -> str | None:
    """The value as text; None for nothing, and an empty cell is nothing."""
    return None if value is None or value == "" else str(value)


def member_of(body: bytes, name: str, where: str = "") -> bytes:
    """The bytes of the file of that name in a ZIP. Raises `ContractError` for what is no ZIP, and for one without it or out of bounds.

    `where` stands before every position.
    """
    if not body:
        raise ContractError(f"{where}byte 0", "a ZIP", "0 bytes")
    if body.count(_ENTRY) > PARTS:
        raise ContractError(f"{where}the ZIP", f"at most {PARTS} files", f"{body.count(_ENTRY)}")
    with refused(f"{where}byte 0", "a ZIP"):
        archive = zipfile.ZipFile(io.BytesIO(body))
    found = [part for part in archive.infolist() if part.filename == name]
    if len(found) != 1:
        held = ", ".join(part.filename for part in archive.infolist()) or "nothing"
        raise ContractError(f"{where}the ZIP", f"one file {name}", f"{len(found)} of that name; it holds {held}")
    if found[0].file_size > UNPACKED_BYTES:
        raise ContractError(f"{where}{name}", f"at most {UNPACKED_BYTES} bytes when unpacked", f"{found[0].file_size}")
    if found[0].compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ContractError(f"{where}{name}", "a file that is stored or deflated", f"compression {found[0].compress_type}")
    # of a file not more is unpacked than the directory says it has
    with refused(f"{where}{name}", "a file that can be unpacked"):
        return archive.read(found[0])


def value_at(document: Any, pointer: str, where: str = "") -> Any:
    """What stands in a document at a JSON pointer (RFC 6901). Raises `ContractError` with the pointer if nothing does."""
    found = document
    for part in pointer.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if not isinstance(found, dict) or key not in found:
            raise ContractError(
                f"{where}{pointer}", "what is declared to stand there", _kind(found) if not isinstance(found, dict) else "nothing"
            )
        found = found[key]
    return found


def _kind(value: object) -> str:
    return {dict: "an object", list: "a list", type(None): "null", bool: "true or false"}.get(type(value), "a text or a number")


class _Repeated(dict[str, Any]):
    """An object that has a key more than once: which of its values would be the right one, nobody can say."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.pairs = pairs

    def refuse(self, pointer: str) -> ContractError:
        """The error that names the key and its values."""
        twice = next(name for name, times in Counter(name for name, _ in self.pairs).items() if times > 1)
        values = " and ".join(_shown(value) for name, value in self.pairs if name == twice)
        return ContractError(f"{pointer}/{escaped(twice)}", "each key once in an object", values)


def _shown(value: object) -> str:
    """A value in a message: a scalar as JSON, anything else by its kind, for it may be of any depth."""
    if isinstance(value, dict | list):
        return _kind(value)
    return json.dumps(value, ensure_ascii=False)[:LONGEST_TEXT]


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    return found if len(found) == len(pairs) else _Repeated(pairs)


_decoder = json.JSONDecoder(object_pairs_hook=_object, parse_int=str, parse_float=str, parse_constant=str)


def _check(document: object, pointer: str, first: int) -> None:
    """Raises `ContractError` for a key twice, a long text or a deep container; level by level, for recursion is what has to be bounded."""
    level: list[tuple[str, Any]] = [(pointer, document)] if isinstance(document, dict | list) else []
    for _ in range(NESTING):
        below: list[tuple[str, Any]] = []
        for here, container in level:
            if type(container) is _Repeated:
                raise container.refuse(here)
            items: Iterable[tuple[Any, Any]] = container.items() if type(container) is dict else enumerate(container, first)
            for key, value in items:
                kind = type(value)
                if kind is str:
                    if len(value) > LONGEST_TEXT:
                        found = f"{len(value)}: {value[:40]!r}"
                        raise ContractError(f"{here}/{escaped(key)}", f"at most {LONGEST_TEXT} characters", found)
                elif kind is dict or kind is list or kind is _Repeated:
                    below.append((f"{here}/{escaped(key)}", value))
        level, first = below, 0
    if level:
        raise ContractError(level[0][0], f"at most {NESTING} levels of nesting", "more")


def escaped(key: object) -> str:
    """A key as a part of a JSON pointer (RFC 6901)."""
    return str(key).replace("~", "~0").replace("/", "~1")


def _deeper(text: str, pointer: str) -> str:
    """Where a document becomes deeper than is taken."""
    depth = 0
    for token in _TOKEN.finditer(text):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(token[0], 0)
        if depth > NESTING:
            line = text.count("\n", 0, token.start()) + 1
            return f"{pointer}{', ' if pointer else ''}line {line} column {token.start() - text.rfind(chr(10), 0, token.start())}"
    return pointer or "/"
