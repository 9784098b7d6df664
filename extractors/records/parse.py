"""Answers that are flat records → rows of text, as `source.yml` declares them. Pure: knows neither network nor database.

The declaration is a contract: a field that it does not name, one that it names and a record lacks, and a value that is no text, number
or null refuse the answer with the place. Numbers keep the agency's spelling. A page that repeats another, is missing, or does not end
refuses its question; other questions of the delivery stand.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from types import NoneType
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from pydantic import ValidationError

from extractors.declared import Asked, Paging, Records
from extractors.decode import decode_json, decode_table, escaped, member_of, value_at
from extractors.rows import WHOLE, Answered, Block, ContractError, Parsed, Row, csv_lines, parsing
from extractors.source import Dataset

# Labels of editions are compared as text, so that they must sort as time does: a year, month, day or instant, or a day with more behind it
EDITION = re.compile(
    r"(19|20)\d\d(-\d\d(-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?)?)?|(19|20)\d{6}(-[0-9A-Za-z]+)?", re.ASCII
)
Params = tuple[tuple[str, str], ...]


def parse(dataset: Dataset, answers: Sequence[Answered]) -> Parsed:
    """The rows of one delivery, a slice for each value of `each`, else whole. A row's address is its JSON pointer or line in its answer.

    Raises `ContractError` where there is one question and its answer cannot be read; of several, each is refused by itself.
    """
    records = _records(dataset)
    try:
        asked = dataset.asked
    except ValidationError as error:
        raise ContractError("the question", "a request as flat records are asked for", str(error)) from error
    parsed = Parsed(records.columns, figures=records.figures, decimal_marks=records.decimal_marks)
    for name, numbers in _by_question(asked, answers).items():
        parsed.answers[name] = tuple(numbers)
        try:
            with parsing():
                pages = Pages(dataset)
                for number in numbers:
                    pages.take(answers[number])
                parsed.slices[name], parsed.editions[name] = pages.ended(), pages.edition
        except ContractError as error:
            if not asked.each:
                raise
            parsed.unreadable[name] = error
    return parsed


def _records(dataset: Dataset) -> Records:
    if dataset.records is None:
        raise ValueError("the dataset declares no records")
    return dataset.records


def _by_question(asked: Asked, answers: Sequence[Answered]) -> dict[str, list[int]]:
    """The numbers of the answers by the value of `each` that their question has."""
    found: dict[str, list[int]] = {}
    for number, answer in enumerate(answers):
        found.setdefault(_value(asked, answer, asked.name) if asked.each else WHOLE, []).append(number)
    return found


def _value(asked: Asked, answer: Answered, name: str) -> str:
    """What the question says of `name`: in its address where the path has it, else in its parameters."""
    before, inside, after = asked.path.partition(f"{{{name}}}")
    if not inside:
        return answer.asked_once(name)
    return answer.named(f"{re.escape(before)}([^/]+){re.escape(after)}$")


class Page(NamedTuple):
    """One answer read: its rows, and what it says of the whole."""

    rows: list[Row]
    edition: str = ""
    reported: str | None = None
    pages: str | None = None
    next: str | None = None


class PagedRows:
    """The rows of the answers of one slice, each of which is an answer of its own."""

    def __init__(self, records: Records, pages: list[list[Row]]) -> None:
        self._records, self._pages = records, pages

    def __iter__(self) -> Iterator[Row]:
        return chain.from_iterable(self._pages)

    def blocks(self) -> Iterator[Block]:
        """The rows many at once. The names of the columns are a part of what they say: values in another column are another reading."""
        names = csv_lines([self._records.columns])
        for position, rows in enumerate(self._pages):
            page = Parsed(self._records.columns, {WHOLE: rows}, figures=self._records.figures, decimal_marks=self._records.decimal_marks)
            for block in page.blocks(WHOLE):
                yield block._replace(answer=position, content=[*names, *block.content])
                names = []


class Pages:
    """The answers to one question, page after page: each must be the one that the page before it names."""

    def __init__(self, dataset: Dataset) -> None:
        self._records, self._asked = _records(dataset), dataset.asked
        self._paging = self._asked.paging
        self._pages: list[Page] = []
        self._contents: dict[str, int] = {}
        self._questions: set[Params] = set()
        self._expected: Params | None = None
        self._is_short = False

    def take(self, answer: Answered) -> Params | None:
        """Reads a page; returns the parameters of the page after it, None if it is the last.

        Raises `ContractError` for a page that cannot be read, is not the one that was to come, or repeats one that came.
        """
        number, where = len(self._pages) + 1, f"page {len(self._pages) + 1}, " if self._paging else ""
        if self._pages and self._expected is None:
            raise ContractError(f"the answer {number}", "one answer a question", "another after the last")
        if self._pages and sorted(answer.params) != sorted(self._expected or ()):
            raise ContractError(f"page {number}", f"the answer to {_shown(self._expected)}", f"the answer to {_shown(answer.params)}")
        page = read(self._records, self._asked, answer, where)
        if self._is_short and page.rows:
            raise self._short(f"page {number - 1}, ", self._pages[-1])
        if self._paging:
            self._check_repeats(page, number)
        self._check_whole(page, where)
        self._pages.append(page)
        self._questions.add(tuple(sorted(answer.params)))
        self._expected = self._after(self._paging, page, answer, where) if self._paging else None
        return self._expected

    def ended(self) -> PagedRows:
        """The rows of all pages. Raises `ContractError` if the last page is not there, or the source reports another count."""
        if self._expected is not None:
            raise ContractError(f"page {len(self._pages) + 1}", f"the answer to {_shown(self._expected)}", "none")
        taken, reported = sum(len(page.rows) for page in self._pages), self._pages[0].reported
        if reported is not None and int(reported) != taken:
            raise ContractError(self._records.count, f"the {reported} records that the source reports", f"{taken}")
        return PagedRows(self._records, [page.rows for page in self._pages])

    @property
    def edition(self) -> str:
        """The edition that all pages are of; empty where none is declared."""
        return next((page.edition for page in self._pages if page.edition), "")

    def _check_repeats(self, page: Page, number: int) -> None:
        """A page of the same records as another is none: the agency ignores what it is asked."""
        content = hashlib.sha256(repr([row[1:] for row in page.rows]).encode("utf-8", "backslashreplace")).hexdigest()
        if page.rows and (other := self._contents.setdefault(content, number)) != number:
            raise ContractError(f"page {number}", "other records than on the pages before", f"those of page {other}")

    def _check_whole(self, page: Page, where: str) -> None:
        """What is said of the whole is said alike by every page: else it changed while it was asked for."""
        before = self._pages[0] if self._pages else page
        said = (
            (self._records.edition, before.edition, page.edition if page.rows else before.edition),
            (self._records.count, before.reported, page.reported),
            (self._paging.pages if self._paging else "", before.pages, page.pages),
        )
        for place, was, now in said:
            if was != now:
                raise ContractError(f"{where}{place}", f"{was!r}, as on page 1", f"{now!r}: it changed while it was asked for; ask again")

    def _after(self, paging: Paging, page: Page, answer: Answered, where: str) -> Params | None:
        """The parameters of the page after this one; None after the last."""
        number = len(self._pages)
        size = _number(f"the parameter {paging.size}", answer.asked_once(paging.size)) if paging.size else None
        if size is not None and len(page.rows) > size:
            raise ContractError(f"{where}{self._records.at}", f"at most {size} records, as was asked for", f"{len(page.rows)}")
        if paging.by == "link":
            after = None if page.next is None else _linked(paging, page.next, answer, where)
        else:
            asked = _number(f"the parameter {paging.param}", answer.asked_once(paging.param))
            first, step = (paging.first, 1) if paging.by == "page" else (0, size or 1)
            if asked != first + step * (number - 1):
                raise ContractError(f"page {number}", f"{paging.param}={first + step * (number - 1)}", f"{paging.param}={asked}")
            after = None if self._is_last(page) else _replaced(answer.params, paging.param, str(asked + step))
        if after is None:
            return None
        if tuple(sorted(after)) in self._questions:
            raise ContractError(f"{where}{paging.next}", "a page that was not asked for before", _shown(after))
        if number >= paging.most:
            raise ContractError(f"page {number}", f"at most {paging.most} pages", f"one more: {_shown(after)}")
        self._is_short = not page.rows or (size is not None and len(page.rows) < size)
        if self._is_short and (page.pages or page.reported or paging.next):
            raise self._short(where, page)
        return after

    def _is_last(self, page: Page) -> bool:
        """Whether a page is the last by the number of pages, by the number of records, else by being empty.

        A page with fewer records than were asked for need not be: agencies give fewer than that where they like.
        """
        if page.pages is not None:
            return len(self._pages) >= int(page.pages)
        if page.reported is not None:
            return sum(len(other.rows) for other in self._pages) >= int(page.reported)
        return not page.rows

    def _short(self, where: str, page: Page) -> ContractError:
        wanted = "as many records as were asked for on a page that is not the last"
        return ContractError(f"{where}{self._records.at}", wanted, f"{len(page.rows)}")


def _shown(params: Params | None) -> str:
    return " ".join(f"{name}={value}" for name, value in params or ()) or "the question without parameters"


def _replaced(params: Params, name: str, value: str) -> Params:
    """The parameters with another value of one, which is added where there is none."""
    found = tuple((key, value if key == name else kept) for key, kept in params)
    return found if any(key == name for key, _ in params) else (*found, (name, value))


def _linked(paging: Paging, link: str, answer: Answered, where: str) -> Params:
    """The parameters that a link names. It may lead to no other path: hosts are ours to choose, and no answer's."""
    if paging.param:
        return _replaced(answer.params, paging.param, link)
    address = urlsplit(link)
    if address.path and not urlsplit(answer.url).path.endswith(address.path):
        raise ContractError(f"{where}{paging.next}", f"a page of {urlsplit(answer.url).path}", repr(link))
    return tuple(parse_qsl(address.query, keep_blank_values=True))


def _number(place: str, text: str | None) -> int:
    if text is None or not re.fullmatch(r"[0-9]{1,9}", text):
        raise ContractError(place, "a whole number", repr(text))
    return int(text)


def read(records: Records, asked: Asked, answer: Answered, where: str = "") -> Page:
    """One answer as it is declared. Raises `ContractError` with the JSON pointer or line; `where` stands before it."""
    constants: dict[str, str | None] = {
        column: _value(asked, answer, name) if name in asked.each else answer.asked_once(name)
        for name, column in records.of_question.items()
    }
    if records.form == "csv":
        body, here = answer.body, where
        if records.member:
            body, here = member_of(body, records.member, where), f"{where}{records.member}, "
        header, lines = decode_table(body, records.delimiter, here)
        layout = _Layout.of_header(records, header, lambda at: f"{here}line 1, column {at + 1}", f"{here}line 1")
        in_line = f"{records.member}, line" if records.member else "line"
        rows = [layout.row(f"{in_line} {line}", cells, constants) for line, cells in lines]
        return Page(rows, _edition_of_rows(records, rows, where))
    document = decode_json(answer.body, where, where)
    page, found = _envelope(records, asked.paging, document, where, constants)
    if records.form == "table":
        rows = list(_table_rows(records, found, where, constants))
    else:
        rows = list(_object_rows(records, found, where, constants))
    edition = page.edition if records.edition.startswith("/") else _edition_of_rows(records, rows, where)
    return page._replace(rows=rows, edition=edition)


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
        _number(f"{where}{place}", said[place])
    if edition:
        _check_edition(f"{where}{edition}", said[edition])
    link = _text(f"{where}{following}", _value_or_none(document, following)) if following else None
    return Page([], said.get(edition) or "", said.get(records.count), said.get(pages), link or None), found


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
        taken = {**records.fields, **records.optional}
        seen: dict[str, int] = {}
        for at, name in enumerate(header):
            if not isinstance(name, str) or (name not in taken and name not in records.ignored):
                raise ContractError(place(at), f"only {', '.join([*taken, *records.ignored])}", f"an unknown field {name!r}")
            if seen.setdefault(name, at) != at:
                raise ContractError(place(at), "each field once", f"{name!r} again")
        if missing := [name for name in records.fields if name not in seen]:
            raise ContractError(whole, f"the fields {', '.join(records.fields)}", f"no {', '.join(missing)}")
        cells = {column: seen.get(name) for name, column in taken.items()}
        return cls(len(header), records.columns, tuple(cells.get(column) for column in records.columns))

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
    taken = {**records.fields, **records.optional}
    names = {column: name for name, column in taken.items()}
    wanted = [(names.get(column), constants.get(column)) for column in records.columns]
    usual: set[frozenset[str]] = set()
    for number, record in enumerate(found):
        address = f"{records.at}/{number}"
        if not isinstance(record, dict):
            raise ContractError(f"{where}{address}", "an object", _kind(record))
        if (keys := frozenset(record)) not in usual:
            if missing := [name for name in records.fields if name not in record]:
                raise ContractError(f"{where}{address}", f"a record with {', '.join(records.fields)}", f"no {', '.join(missing)}")
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
