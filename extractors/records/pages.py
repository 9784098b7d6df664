"""The answers to one question, page after page: each must be the one that the page before it names."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from itertools import chain
from urllib.parse import parse_qsl, urlsplit

from extractors.declared import Paging, Records
from extractors.records.answer import Page, number_of, read
from extractors.rows import WHOLE, Answered, Block, ContractError, Parsed, Row, csv_lines
from extractors.source import Dataset

Params = tuple[tuple[str, str], ...]


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
        self._records, self._asked = dataset.declared_records, dataset.asked
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
        taken, reported = sum(page.records for page in self._pages), self._pages[0].reported
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
        size = number_of(f"the parameter {paging.size}", answer.asked_once(paging.size)) if paging.size else None
        if size is not None and page.records > size:
            raise ContractError(f"{where}{self._records.at}", f"at most {size} records, as was asked for", f"{page.records}")
        if paging.by == "link":
            after = None if page.next is None else _linked(paging, page.next, answer, where)
        else:
            asked = number_of(f"the parameter {paging.param}", answer.asked_once(paging.param))
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
        self._is_short = not page.rows or (size is not None and page.records < size)
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
            return sum(other.records for other in self._pages) >= int(page.reported)
        return not page.rows

    def _short(self, where: str, page: Page) -> ContractError:
        wanted = "as many records as were asked for on a page that is not the last"
        return ContractError(f"{where}{self._records.at}", wanted, f"{page.records}")


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
