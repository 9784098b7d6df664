"""One answer as it is declared: a list of objects, a header row with lists, or a CSV, and what it says beside its records."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from types import NoneType
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from extractors.declared import Asked, Paging, Records, Unpivot
from extractors.decode import decode_json, decode_table, escaped, member_of, value_at
from extractors.rows import Answered, ContractError, Row

# Labels of editions are compared as text, so that they must sort as time does: a year, month, day or instant, or a day with more behind it
EDITION = re.compile(
    r"(19|20)\d\d(-\d\d(-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?)?)?|(19|20)\d{6}(-[0-9A-Za-z]+)?", re.ASCII
)


class Page(NamedTuple):
    """One answer read: its rows, the number of its records, and what it says of the whole."""

    rows: list[Row]
    records: int = 0
    edition: str = ""
    reported: str | None = None
    pages: str | None = None
    next: str | None = None


def value_of(asked: Asked, answer: Answered, name: str) -> str:
    """What the question says of `name`: in its address, or behind it, where the path has it; else in a parameter of that name."""
    path, _, query = asked.path.partition("?")
    if f"{{{name}}}" in query:
        for value in asked.each[name]:
            if set(parse_qsl(query.replace(f"{{{name}}}", value), keep_blank_values=True)) <= set(answer.params):
                return value
        raise ContractError("the parameters of the question", f"those of one of {', '.join(asked.each[name])}", str(answer.params))
    before, inside, after = path.partition(f"{{{name}}}")
    if not inside:
        return answer.asked_once(name)
    return answer.named(f"{re.escape(before)}([^/]+){re.escape(after)}$")


def read(records: Records, asked: Asked, answer: Answered, where: str = "") -> Page:
    """One answer as it is declared. Raises `ContractError` with the JSON pointer or line; `where` stands before it."""
    constants: dict[str, str | None] = {
        column: value_of(asked, answer, name) if name in asked.each else answer.asked_once(name)
        for name, column in records.of_question.items()
    }
    if records.form == "csv":
        body, here = answer.body, where
        if records.member:
            body, here = member_of(body, records.member, where), f"{where}{records.member}, "
        header, lines = decode_table(body, records.delimiter, here)
        layout = _Layout.of_header(records, header, lambda at: f"{here}line 1, column {at + 1}", f"{here}line 1")
        in_line = f"{records.member}, line" if records.member else "line"
        return _page(Page([]), records, [layout.row(f"{in_line} {line}", cells, constants) for line, cells in lines], ", ", where)
    document = decode_json(answer.body, where, where)
    page, found = _envelope(records, asked.paging, document, where, constants)
    if records.form == "table":
        return _page(page, records, list(_table_rows(records, found, where, constants)), "/", where)
    return _page(page, records, list(_object_rows(records, found, where, constants)), "/", where)


def _page(page: Page, records: Records, found: list[Row], mark: str, where: str) -> Page:
    """The page with the records that were found, each a row, or one for each figure that is unpivoted: `mark` comes before its field."""
    rows = found if records.unpivot is None else list(_unpivoted(records, records.unpivot, found, mark))
    edition = page.edition if records.edition.startswith("/") else _edition_of_rows(records, rows, where)
    return page._replace(rows=rows, records=len(found), edition=edition)


def _unpivoted(records: Records, unpivot: Unpivot, found: list[Row], mark: str) -> Iterator[Row]:
    """A row for each figure of a record, at the address of the figure: a raw row is what one fact row rests on."""
    places = {column: at for at, column in enumerate(records.read, 1)}
    for row in found:
        for field in unpivot.fields:
            said = {unpivot.name: field, unpivot.value: row[places[f"={field}"]]}
            values = (said[column] if column in said else row[places[column]] for column in records.columns)
            yield (f"{row[0]}{mark}{escaped(field)}", *values)


def _envelope(
    records: Records, paging: Paging | None, document: Any, where: str, constants: dict[str, str | None]
) -> tuple[Page, list[Any]]:
    """What the answer says beside the list, and the list. Raises `ContractError` for a place that nobody declares."""
    pages, following = (paging.pages, paging.next) if paging else ("", "")
    edition = records.edition if records.edition.startswith("/") else ""
    known = {records.at, records.count, edition, pages, following, *records.of_answer, *records.beside} - {""}
    _check_places(document, known, where)
    found = value_at(document, records.at, where)
    if not isinstance(found, list):
        raise ContractError(f"{where}{records.at or '/'}", "a list of records", _kind(found))
    for place, column in records.of_answer.items():
        constants[column] = _text(f"{where}{place}", value_at(document, place, where))
    said = {place: _text(f"{where}{place}", value_at(document, place, where)) for place in {records.count, edition, pages} - {""}}
    for place in {records.count, pages} - {""}:
        number_of(f"{where}{place}", said[place])
    if edition:
        _check_edition(f"{where}{edition}", said[edition])
    link = _text(f"{where}{following}", _value_or_none(document, following)) if following else None
    return Page([], 0, said.get(edition) or "", said.get(records.count), said.get(pages), link or None), found


def _check_places(document: Any, known: set[str], where: str, here: str = "") -> None:
    """Raises `ContractError` for a key beside the list that is not declared: what the agency adds may say that a part is missing."""
    if here in known or not isinstance(document, dict):
        return
    for key, value in document.items():
        place = f"{here}/{escaped(key)}"
        if place not in known and not any(other.startswith(f"{place}/") for other in known):
            raise ContractError(
                f"{where}{place}", f"only {', '.join(sorted(known)) or 'a list of records'}", "a place that is not declared"
            )
        _check_places(value, known, where, place)


def _value_or_none(document: Any, place: str) -> Any:
    """What stands at a place that may be absent."""
    try:
        return value_at(document, place)
    except ContractError:
        return None


def _check_edition(place: str, label: str | None) -> None:
    if label is None or not EDITION.fullmatch(label):
        raise ContractError(place, "an edition that sorts as time does, such as 2026-09-17 or 20260917-1a2b", repr(label))


def _edition_of_rows(records: Records, rows: list[Row], where: str) -> str:
    """The one value of the field that is the edition; empty where none is declared, or there is no record."""
    if not records.edition or records.edition.startswith("/") or not rows:
        return ""
    at = 1 + records.columns.index(records.fields[records.edition])
    for row in rows:
        _check_edition(f"{where}{row[0]}, {records.edition}", row[at])
        if row[at] != rows[0][at]:
            raise ContractError(f"{where}{row[0]}, {records.edition}", f"{rows[0][at]!r}, as in the first record", repr(row[at]))
    return rows[0][at] or ""


class _Layout(NamedTuple):
    """Where the columns of the raw table lie in a row of cells: a position, or None for what no cell says."""

    width: int
    columns: tuple[str, ...]
    cells: tuple[int | None, ...]

    @classmethod
    def of_header(cls, records: Records, header: Sequence[Any], place: Any, whole: str) -> _Layout:
        """The layout that a header gives.

        Raises `ContractError` at the place of a name that is unknown or comes twice, or for one that is missing.
        """
        taken = records.taken
        seen: dict[str, int] = {}
        for at, name in enumerate(header):
            if not isinstance(name, str) or (name not in taken and name not in records.ignored):
                raise ContractError(place(at), f"only {', '.join([*taken, *records.ignored])}", f"an unknown field {name!r}")
            if seen.setdefault(name, at) != at:
                raise ContractError(place(at), "each field once", f"{name!r} again")
        if missing := [name for name in records.required if name not in seen]:
            raise ContractError(whole, f"the fields {', '.join(records.required)}", f"no {', '.join(missing)}")
        cells = {column: seen.get(name) for name, column in taken.items()}
        return cls(len(header), records.read, tuple(cells.get(column) for column in records.read))

    def row(self, address: str, values: Sequence[Any], constants: Mapping[str, str | None]) -> Row:
        """The row of these cells."""
        return (
            address,
            *(constants.get(column) if at is None else values[at] for column, at in zip(self.columns, self.cells, strict=True)),
        )


def _table_rows(records: Records, found: list[Any], where: str, constants: Mapping[str, str | None]) -> Iterator[Row]:
    first = f"{where}{records.at}/0"
    if not found or not isinstance(found[0], list):
        raise ContractError(first, "a header row", _kind(found[0]) if found else "nothing")
    layout = _Layout.of_header(records, found[0], lambda at: f"{first}/{at}", first)
    for number, values in enumerate(found[1:], 1):
        address = f"{records.at}/{number}"
        if not isinstance(values, list) or len(values) != layout.width:
            held = f"{len(values)}" if isinstance(values, list) else _kind(values)
            raise ContractError(f"{where}{address}", f"a list of {layout.width} values, as the header has", held)
        if not set(map(type, values)) <= {str, NoneType}:
            for at, value in enumerate(values):
                _text(f"{where}{address}/{at}", value)
        yield layout.row(address, values, constants)


def _object_rows(records: Records, found: list[Any], where: str, constants: Mapping[str, str | None]) -> Iterator[Row]:
    taken = records.taken
    names = {column: name for name, column in taken.items()}
    wanted = [(names.get(column), constants.get(column)) for column in records.read]
    usual: set[frozenset[str]] = set()
    for number, record in enumerate(found):
        address = f"{records.at}/{number}"
        if not isinstance(record, dict):
            raise ContractError(f"{where}{address}", "an object", _kind(record))
        if (keys := frozenset(record)) not in usual:
            if missing := [name for name in records.required if name not in record]:
                raise ContractError(f"{where}{address}", f"a record with {', '.join(records.required)}", f"no {', '.join(missing)}")
            if strange := keys - taken.keys() - set(records.ignored):
                raise ContractError(
                    f"{where}{address}/{escaped(min(strange))}", f"only {', '.join([*taken, *records.ignored])}", "an unknown field"
                )
            usual.add(keys)
        values = [constant if name is None else record.get(name) for name, constant in wanted]
        if not set(map(type, values)) <= {str, NoneType}:
            for name, _ in wanted:
                if name is not None:
                    _text(f"{where}{address}/{escaped(name)}", record.get(name))
        yield (address, *values)


def _text(place: str, value: Any) -> str | None:
    """The value. Raises `ContractError` at its place if it is no text, number (which is read as its text) or null."""
    if value is None or isinstance(value, str):
        return value
    raise ContractError(place, "a text, a number or null", _kind(value))


def _kind(value: object) -> str:
    return {dict: "an object", list: "a list", NoneType: "null", bool: "true or false"}.get(type(value)) or repr(value)[:60]


def number_of(place: str, text: str | None) -> int:
    """The whole number that a text is. Raises `ContractError` with the place for any other."""
    if text is None or not re.fullmatch(r"[0-9]{1,9}", text):
        raise ContractError(place, "a whole number", repr(text))
    return int(text)
