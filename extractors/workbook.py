"""Workbooks (XLSX) as lines of filled cells, read as a stream and within bounds, whatever the bytes are.

A workbook is a ZIP of XML parts. Each goes through one pass of expat that keeps nothing but what is asked for, and whose sizes, names,
nesting and numbers of rows and cells are bounded: no answer takes more memory or time than the largest sound one could. Refused with
the cell are a formula without its stored result, a number that is none, and cells that come twice or in no order. A raised digit
beside a figure stays a raised digit: it is never one of the figure's own.

Lines whose cells are all written in the plainest way, as programs write tables of figures, are read by one expression a cell, and expat
gets blanks in their place: it finds where a line begins, and what is wrong in the rest. Any other line is expat's own.
"""

from __future__ import annotations

import io
import posixpath
import re
import zipfile
from collections import deque
from collections.abc import Callable, Iterator
from datetime import date, datetime, time, timedelta
from functools import cache, cached_property
from typing import Any, NamedTuple
from xml.parsers import expat

from openpyxl.styles.numbers import BUILTIN_FORMATS, is_date_format, is_timedelta_format
from openpyxl.utils import get_column_letter
from openpyxl.utils.datetime import MAC_EPOCH, WINDOWS_EPOCH, from_excel, from_ISO8601

from extractors.rows import LONGEST_TEXT, ContractError, refused

# What the format itself allows: the last row, the last column, the longest text of a cell
LAST_ROW, LAST_COLUMN, LONGEST_STRING = 1_048_576, 16_384, 32_767
# What is taken. The largest workbook that is known, of all pairs of countries, unpacks to about 100 MB with 1.3 million cells
PARTS, UNPACKED_BYTES, CELLS = 1_000, 400_000_000, 3_000_000
STRINGS, STRING_CHARACTERS = 1_000_000, 20_000_000
NESTING, NAMES, ELEMENTS, TOKEN_BYTES = 64, 10_000, 1_000_000, 1 << 20
BLOCK_BYTES = 1 << 16

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_DOCUMENT = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
_ROW, _CELL, _FORMULA, _VALUE, _INLINE = (f"{_MAIN} {name}" for name in ("row", "c", "f", "v", "is"))
_STRING, _TEXT, _RUN, _ALIGN, _PHONETIC = (f"{_MAIN} {name}" for name in ("si", "t", "r", "vertAlign", "rPh"))
_CORE, _MODIFIED = "docProps/core.xml", "http://purl.org/dc/terms/ modified"
_ENTRY = b"PK\x01\x02"
_RAISED = {
    "superscript": str.maketrans("0123456789+-()", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾"),
    "subscript": str.maketrans("0123456789+-()", "₀₁₂₃₄₅₆₇₈₉₊₋₍₎"),
}
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?", re.ASCII)
# A cell in its plainest form, with what is in it; where there is none, whatever is left. Its text holds nothing that XML would refuse:
# no mark, no reference, no `]]>`, no control character, and neither of the two that are none (U+FFFE, U+FFFF)
_PLAIN_CELL = re.compile(
    r'<c r="(?P<letters>[A-Z]{1,3})(?P<digits>[0-9]{1,7})"(?: s="(?P<style>[0-9]{1,5})")?(?: t="(?P<kind>n|s|inlineStr)")?(?:/>|>(?:'
    r"<v>(?P<value>[-+.0-9eE]{1,40})</v>"
    r'|<is><t(?: xml:space="preserve")?>(?P<inline>[^<>&\x00-\x1f\ufffe\uffff]+)</t></is>'
    r")?</c>)|(?P<rest>.+)",
    re.DOTALL,
)
_ROW_BEGINS, _ROW_ENDS, _SLASH = b"<row ", b"</row>", ord("/")
# A line that is longer is handed to expat as it comes
LONGEST_LINE = 4 * BLOCK_BYTES

Value = str | int | float | bool | datetime | date | time | timedelta
_Attributes = dict[str, str]


class Line(NamedTuple):
    """One line of a sheet: its number, and its filled cells by column, both from 1 and in order."""

    number: int
    cells: dict[int, Value]


class Workbook:
    """The sheets of a workbook by name, in its order."""

    def __init__(self, body: bytes, filled_cells: int = CELLS) -> None:
        """Reads the list of sheets. Raises `ContractError` for bytes that are no workbook, and for one that is larger than any known.

        `filled_cells` is how many of a sheet are taken.
        """
        if not body:
            raise ContractError("byte 0", "an XLSX workbook", "0 bytes")
        if body.count(_ENTRY) > PARTS:
            raise ContractError("the workbook", f"at most {PARTS} parts", f"{body.count(_ENTRY)}")
        with refused("byte 0", "an XLSX workbook"):
            self._zip = zipfile.ZipFile(io.BytesIO(body))
        self._filled_cells = filled_cells
        self._check_parts()
        [workbook, *_] = [*self._related("", "/officeDocument").values(), ""]
        if not workbook:
            raise ContractError("_rels/.rels", "an XLSX workbook", "a package without one")
        self._strings_parts = self._related(workbook, "/sharedStrings")
        self._styles_parts = self._related(workbook, "/styles")
        self._epoch = WINDOWS_EPOCH
        self._parts: dict[str, str] = {}
        sheets = self._related(workbook, "sheet")
        for _, name, attributes in self._elements(workbook):
            if name == f"{_MAIN} workbookPr" and attributes.get("date1904") in ("1", "true"):
                self._epoch = MAC_EPOCH
            elif name == f"{_MAIN} sheet":
                title, part = attributes.get("name", ""), sheets.get(attributes.get(f"{_DOCUMENT} id", ""), "")
                if title in self._parts or not part:
                    raise ContractError(f"{workbook}, sheet {title!r}", "each sheet once, with its part", "another" if part else "none")
                self._parts[title] = part

    @property
    def sheets(self) -> list[str]:
        """The names of the sheets."""
        return list(self._parts)

    @cached_property
    def modified(self) -> str:
        """The day on which the workbook says that it was last changed (ISO 8601); empty if it says nothing."""
        if _CORE not in self._zip.namelist():
            return ""
        found, inside, bounds = "", False, _Bounds(_CORE)

        def start(name: str, _: _Attributes) -> None:
            nonlocal inside
            bounds.start()
            inside = name == _MODIFIED

        def end(_: str) -> None:
            nonlocal inside
            bounds.depth -= 1
            inside = False

        def text(data: str) -> None:
            nonlocal found
            found += data if inside and len(found) < LONGEST_TEXT else ""

        for _ in self._read(_CORE, start, end, text):
            pass
        with refused(_CORE, "the instant of the last change"):
            return date.fromisoformat(found.strip()[:10]).isoformat() if found.strip() else ""

    def lines(self, sheet: str) -> Iterator[Line]:
        """The lines of a sheet that have a filled cell. Raises `ContractError` with cell or line, now or while they are read."""
        reader = _Sheet(sheet, self._filled_cells, self)
        for _ in self._read(self._parts[sheet], reader.start, reader.end, reader.text, f"sheet {sheet!r}", reader.feed):
            yield from reader.lines
            reader.lines.clear()

    @cached_property
    def strings(self) -> list[str]:
        """The shared strings."""
        reader = _Strings()
        for part in self._strings_parts.values():
            for _ in self._read(part, reader.start, reader.end, reader.text):
                pass
        return reader.strings

    @cached_property
    def dates(self) -> dict[int, bool]:
        """The numbers of the styles that show a date, or (true) a length of time."""
        custom: dict[int, str] = {}
        found: dict[int, bool] = {}
        number = 0
        for part in self._styles_parts.values():
            with refused(part, "styles with formats of numbers"):
                for parent, name, attributes in self._elements(part):
                    if name == f"{_MAIN} numFmt":
                        custom[int(attributes["numFmtId"])] = attributes["formatCode"]
                    elif name == f"{_MAIN} xf" and parent == f"{_MAIN} cellXfs":
                        wanted = int(attributes.get("numFmtId", 0))
                        code = custom.get(wanted) or BUILTIN_FORMATS.get(wanted, "General")
                        if is_date_format(code):
                            found[number] = bool(is_timedelta_format(code))
                        number += 1
        return found

    def as_date(self, value: float, style: int) -> Value:
        """A number as the date or the length of time that its style shows."""
        found: Value = from_excel(value, self._epoch, timedelta=self.dates[style])
        return found

    def _check_parts(self) -> None:
        """What the directory says of sizes can be believed: of a part not more is unpacked than it says."""
        parts = self._zip.infolist()
        if len({part.filename for part in parts}) < len(parts):
            raise ContractError("the workbook", "each part once", ", ".join(part.filename for part in parts))
        if (total := sum(part.file_size for part in parts)) > UNPACKED_BYTES:
            largest = max(parts, key=lambda part: part.file_size)
            raise ContractError(largest.filename, f"at most {UNPACKED_BYTES} bytes in all parts when unpacked", f"{total}")
        for part in parts:
            if part.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise ContractError(part.filename, "a part that is stored or deflated", f"compression {part.compress_type}")

    def _related(self, part: str, kind: str) -> dict[str, str]:
        """The parts that a part names with a kind of relation, by the relation's id."""
        folder, _, name = part.rpartition("/")
        relations = posixpath.join(folder, "_rels", f"{name}.rels")
        if relations not in self._zip.namelist():
            return {}
        return {
            attributes.get("Id", ""): posixpath.normpath(posixpath.join("/", folder, attributes.get("Target", ""))).lstrip("/")
            for _, element, attributes in self._elements(relations)
            if element == f"{_PACKAGE} Relationship" and attributes.get("Type", "").endswith(kind)
        }

    def _elements(self, part: str) -> Iterator[tuple[str, str, _Attributes]]:
        """The elements of a small part, each with the name of the one that it stands in."""
        found: deque[tuple[str, str, _Attributes]] = deque()
        bounds, names = _Bounds(part), [""]

        def start(name: str, attributes: _Attributes) -> None:
            bounds.start()
            found.append((names[-1], name, attributes))
            names.append(name)

        def end(_name: str) -> None:
            bounds.depth -= 1
            names.pop()

        for _ in self._read(part, start, end, None):
            yield from found
            found.clear()

    def _read(
        self,
        part: str,
        start: Callable[[str, _Attributes], None],
        end: Callable[[str], None],
        text: Callable[[str], None] | None,
        said: str = "",
        feed: Callable[[expat.XMLParserType, bytes], int] | None = None,
    ) -> Iterator[None]:
        """One pass over a part; what has been called for so far can be handed on after each block.

        `feed` hands a block to the parser and counts its bytes.
        """
        feed = feed or _whole
        said, fed = said or part, 0
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, text
        parser.StartDoctypeDeclHandler = _no_doctype(said)
        with refused(said, "a readable part of an XLSX workbook"), self._zip.open(part) as source:
            while True:
                block = source.read(BLOCK_BYTES)
                try:
                    fed += feed(parser, block)
                except expat.ExpatError as error:
                    where = f"{said}, line {error.lineno} column {error.offset + 1}"
                    raise ContractError(where, "well-formed XML", expat.ErrorString(error.code)) from error
                if fed - parser.CurrentByteIndex > TOKEN_BYTES:
                    raise ContractError(said, f"no mark longer than {TOKEN_BYTES} bytes", "a longer one")
                if len(parser.intern) > NAMES:
                    raise ContractError(said, f"at most {NAMES} names of elements and attributes", "more")
                yield
                if not block:
                    return


def _whole(parser: expat.XMLParserType, block: bytes) -> int:
    """Hands a block to the parser as it is; returns how many bytes it got."""
    parser.Parse(block, not block)
    return len(block)


def _no_doctype(said: str) -> Callable[..., None]:
    """Entities are declared there, which may unpack without an end; no workbook has one."""

    def refuse(*_: Any) -> None:
        raise ContractError(said, "no document type, as in every workbook", "a document type")

    return refuse


class _Bounds:
    """Counts nesting and elements that are not asked for."""

    def __init__(self, said: str) -> None:
        self.said, self.depth, self.elements = said, 0, 0

    def start(self) -> None:
        """One element more. Raises `ContractError` if it is one too many."""
        self.depth += 1
        self.elements += 1
        if self.depth > NESTING or self.elements > ELEMENTS:
            raise ContractError(self.said, f"at most {NESTING} levels and {ELEMENTS} other elements", "more")


class _Rich:
    """A text in runs, some of them raised: a shared string, or the text of a cell."""

    def __init__(self) -> None:
        self.runs: list[tuple[str, str]] = []
        self.collecting = False
        self._raised = self._spoken = ""

    def start(self, name: str, attributes: _Attributes) -> None:
        """An element inside the text; how kanji are spoken is none of it."""
        if name == _TEXT:
            self.collecting = not self._spoken
        elif name == _RUN:
            self._raised = ""
        elif name == _ALIGN:
            self._raised = attributes.get("val", "")
        elif name == _PHONETIC:
            self._spoken = name

    def end(self, name: str) -> None:
        """The end of such an element."""
        if name == _TEXT:
            self.collecting = False
        elif name == _RUN:
            self._raised = ""
        elif name == _PHONETIC:
            self._spoken = ""

    def add(self, text: str) -> None:
        """Characters of the text."""
        self.runs.append((text, self._raised))

    def joined(self) -> str:
        """The text. Where the rest may be a figure raised digits are written raised; a name keeps its footnote as its aliases have it."""
        is_name = any(char.isalpha() for text, raised in self.runs if raised not in _RAISED for char in text)
        return "".join(text if is_name else text.translate(_RAISED.get(raised, {})) for text, raised in self.runs)


class _Strings:
    """The shared strings as their part is read."""

    def __init__(self) -> None:
        self.strings: list[str] = []
        self._rich: _Rich | None = None
        self._bounds = _Bounds("the shared strings")
        self._length = self._total = 0

    def start(self, name: str, attributes: _Attributes) -> None:
        """An element begins."""
        if name == _STRING:
            self._rich, self._length = _Rich(), 0
            self._bounds.depth += 1
            if len(self.strings) >= STRINGS:
                raise ContractError(self._bounds.said, f"at most {STRINGS}", "more")
            return
        if name == _TEXT:
            self._bounds.elements -= 1  # one a string or a run
        self._bounds.start()
        if self._rich:
            self._rich.start(name, attributes)

    def end(self, name: str) -> None:
        """An element ends."""
        self._bounds.depth -= 1
        if self._rich and name == _STRING:
            # a doubly escaped underscore, as openpyxl reads it
            self.strings.append(self._rich.joined().replace("x005F_", ""))
            self._rich = None
        elif self._rich:
            self._rich.end(name)

    def text(self, data: str) -> None:
        """Characters."""
        if self._rich and self._rich.collecting:
            self._length += len(data)
            self._total += len(data)
            if self._length > LONGEST_STRING or self._total > STRING_CHARACTERS:
                where = f"shared string {len(self.strings)}"
                raise ContractError(where, f"at most {LONGEST_STRING} characters, {STRING_CHARACTERS} in all", "more")
            self._rich.add(data)


class _Sheet:
    """The lines of one sheet as its part is read."""

    def __init__(self, title: str, filled_cells: int, book: Workbook) -> None:
        self.lines: deque[Line] = deque()
        self._title, self._book, self._most = title, book, filled_cells
        self._bounds = _Bounds(f"sheet {title!r}")
        self._in_row = self._in_cell = self._collecting = self._has_formula = self._has_value = False
        self._number, self._digits, self._column = 0, "", 0
        self._kind, self._style = "n", ""
        self._cells: dict[int, Value] = {}
        self._found: list[str] = []
        self._rich: _Rich | None = None
        self._count = self._filled = 0
        self._parser: expat.XMLParserType | None = None
        self._held = b""
        self._given, self._row_at, self._is_utf8 = 0, -1, True

    def feed(self, parser: expat.XMLParserType, block: bytes) -> int:
        """Hands a block to the parser, with blanks in place of the cells that are read here; returns how many bytes it got."""
        if self._parser is None:
            self._parser, parser.XmlDeclHandler = parser, self._declared
        before = self._given
        data, self._held = self._held + block, b""
        given, at, ends = 0, 0, -1
        while block and (begins := data.find(_ROW_BEGINS, at)) >= 0:
            at = data.find(b">", begins) + 1
            if at and data[at - 2] == _SLASH:  # a line without cells
                continue
            if ends < at:
                ends = data.find(_ROW_ENDS, at)
            if not at or ends < at:  # the line goes on in the next block
                if len(data) - begins <= LONGEST_LINE:
                    data, self._held = data[:begins], data[begins:]
                break
            row_at = self._given + begins - given
            self._give(data[given:at])
            given = at
            # only expat knows whether this is a line, and not a text or a comment that looks like one
            if self._in_row and self._row_at == row_at and (length := self._plain(data[at:ends])):
                self._give(b" " * length)
                given = at = ends
        self._give(data[given:], is_final=not block)
        return self._given - before

    def _give(self, data: bytes, *, is_final: bool = False) -> None:
        self._given += len(data)
        if self._parser:
            self._parser.Parse(data, is_final)

    def _declared(self, _version: str, encoding: str | None, _standalone: int) -> None:
        self._is_utf8 = encoding is None or encoding.upper() == "UTF-8"

    def _plain(self, content: bytes) -> int:
        """Takes the cells of the line if all are written in the plainest way and nothing is wrong with them.

        Returns their length in characters, by which expat counts columns; 0 if they are left to expat.
        """
        try:
            text = content.decode() if self._is_utf8 else ""
        except UnicodeDecodeError:
            return 0
        found = _PLAIN_CELL.findall(text)
        if not found or found[-1][-1]:
            return 0
        cells: dict[int, Value] = {}
        columns, last = _columns(), 0
        inside = self._bounds.elements
        for letters, digits, style, kind, written, inline, _ in found:
            column = columns.get(letters, 0)
            if digits != self._digits or column <= last:
                return 0
            last = column
            if inline:
                inside += 2  # what is in a cell that holds its text, as `start` counts it
            value = self._plain_value(style, kind, written, inline) if written or inline else ""
            if value is None:
                return 0
            if value != "":
                cells[column] = value
        count, filled = self._count + len(found), self._filled + len(cells)
        if count > CELLS or filled > self._most or inside > ELEMENTS:
            return 0
        self._cells, self._count, self._filled, self._bounds.elements = cells, count, filled, inside
        return len(text)

    def _plain_value(self, style: str, kind: str, written: str, inline: str) -> Value | None:
        """The value of such a cell; None where it is left to the pass that says what is wrong, or that knows dates."""
        if inline:
            return inline if kind == "inlineStr" and len(inline) <= LONGEST_TEXT else None
        if kind == "s":
            strings = self._book.strings
            number = int(written) if written.isdecimal() and len(written) < 9 else len(strings)
            return strings[number] if number < len(strings) and 0 < len(strings[number]) <= LONGEST_TEXT else None
        if kind == "inlineStr" or (style and int(style) in self._book.dates):
            return None
        return int(written) if written.isdecimal() else _number(written)

    def start(self, name: str, attributes: _Attributes) -> None:
        """An element begins."""
        if name == _CELL and self._in_row:
            self._bounds.depth += 1
            self._begin_cell(attributes)
        elif name == _VALUE and self._in_cell:
            self._bounds.depth += 1
            if self._has_value:
                raise self._error("one value", "two")
            self._has_value = self._collecting = True
        elif name == _ROW:
            self._bounds.depth += 1
            self._begin_row(attributes)
        else:
            self._bounds.start()
            if self._in_cell:
                self._begin_inside(name, attributes)

    def end(self, name: str) -> None:
        """An element ends."""
        self._bounds.depth -= 1
        if name == _VALUE:
            self._collecting = False
        elif name == _CELL and self._in_cell:
            self._in_cell = False
            self._end_cell()
        elif name == _ROW:
            self._in_row = False
            if self._cells:
                self.lines.append(Line(self._number, self._cells))
                self._cells = {}
        elif self._rich:
            self._rich.end(name)

    def text(self, data: str) -> None:
        """Characters."""
        if self._collecting:
            self._found.append(data)
        elif self._rich and self._rich.collecting:
            self._found.append(data)
            self._rich.add(data)
        else:
            return
        if len(self._found) > 1 and sum(map(len, self._found)) > LONGEST_TEXT:
            raise self._too_long()

    def _begin_row(self, attributes: _Attributes) -> None:
        number = attributes.get("r", "")
        at = self._number + 1 if not number else int(number) if number.isdecimal() and len(number) < 9 else 0
        if self._in_row or not self._number < at <= LAST_ROW:
            raise ContractError(
                f"{self._title}!A{self._number}", f"lines in order up to {LAST_ROW}, none in another", f"line {number or at} after it"
            )
        self._in_row, self._number, self._digits, self._column = True, at, str(at), 0
        self._row_at = self._parser.CurrentByteIndex if self._parser else -1

    def _begin_cell(self, attributes: _Attributes) -> None:
        self._count += 1
        address = attributes.get("r")
        if address is None:
            column = self._column + 1
        else:
            letters = address.rstrip("0123456789")
            column = _columns().get(letters, 0) if address[len(letters) :] == self._digits else 0
        if self._count > CELLS:
            raise self._error(f"at most {CELLS} cells, empty ones included", "more")
        if self._in_cell or not self._column < column <= LAST_COLUMN:
            expected = f"the cells of line {self._number} in order up to {get_column_letter(LAST_COLUMN)}"
            raise self._error(expected, f"{address or f'column {column}'} after it")
        self._in_cell, self._column = True, column
        self._kind, self._style = attributes.get("t", "n"), attributes.get("s", "")
        self._has_formula = self._has_value = False
        self._rich = None
        self._found.clear()

    def _begin_inside(self, name: str, attributes: _Attributes) -> None:
        if name == _FORMULA:
            self._has_formula = True
            self._bounds.elements -= 1  # one a cell
        elif name == _INLINE and self._kind == "inlineStr":
            if self._has_value:
                raise self._error("one value", "two")
            self._rich, self._has_value = _Rich(), True
        elif self._rich:
            self._rich.start(name, attributes)

    def _end_cell(self) -> None:
        text = "".join(self._found)
        if self._has_formula and not (text or (self._has_value and self._kind == "str")):
            raise self._error("a formula with its stored result: save the workbook in a program that calculates", "a formula without one")
        if not text and self._kind != "inlineStr":
            return
        if len(text) > LONGEST_TEXT:
            raise self._too_long()
        value = self._value(text)
        if value is None:
            return
        self._filled += 1
        if self._filled > self._most:
            raise self._error(f"at most {self._most} filled cells", "more")
        self._cells[self._column] = value

    def _value(self, text: str) -> Value | None:
        kind = self._kind
        if kind == "n":
            return self._number_of(text)
        if kind == "s":
            strings = self._book.strings
            if not (text.isdecimal() and len(text) < 9 and int(text) < len(strings)):
                raise self._error(f"one of {len(strings)} shared strings", repr(text))
            if len(found := strings[int(text)]) > LONGEST_TEXT:
                raise self._too_long()
            return found
        if kind == "inlineStr":
            return self._rich.joined() if self._rich else None
        if kind in ("str", "e"):
            return text
        with refused(f"{self._title}!{get_column_letter(self._column)}{self._number}", "a truth value or a date"):
            found_date: Value = {"b": lambda text: bool(int(text)), "d": from_ISO8601}[kind](text)
            return found_date

    def _number_of(self, text: str) -> Value:
        text = text.strip()
        if (number := _number(text)) is None:
            raise self._error("a number", repr(text))
        if self._style and self._style.isdecimal() and int(self._style) in self._book.dates:
            with refused(f"{self._title}!{get_column_letter(self._column)}{self._number}", "a date"):
                return self._book.as_date(number, int(self._style))
        return number

    def _error(self, expected: str, found: str) -> ContractError:
        return ContractError(f"{self._title}!{get_column_letter(self._column or 1)}{self._number}", expected, found)

    def _too_long(self) -> ContractError:
        return self._error(f"at most {LONGEST_TEXT} characters", "more")


def _number(text: str) -> int | float | None:
    """The number that a text is, if it is one."""
    if text.isdecimal() and text.isascii():
        return int(text)
    if not _NUMBER.fullmatch(text):
        return None
    return float(text) if "." in text or "e" in text or "E" in text else int(text)


@cache
def _columns() -> dict[str, int]:
    """The numbers of the columns by their letters."""
    return {get_column_letter(number): number for number in range(1, LAST_COLUMN + 1)}
