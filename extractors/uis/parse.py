"""Bytes of the UIS data API → rows of text. Pure: knows neither network nor database, and judges no figure.

A delivery is one or more answers of `/data/indicators` and, last, the answer of `/versions/default` that they are pinned to.
An answer may hold a million records: its envelope is checked at once, the records are decoded block by block as they are read.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, islice
from operator import itemgetter
from types import NoneType
from typing import Any, NamedTuple

from extractors.decode import is_html, read_json
from extractors.digest import SPELT, one_spelling
from extractors.rows import WHOLE, Answered, Block, ContractError, Parsed, Row, csv_lines
from extractors.source import Dataset

COLUMNS = ("indicator_id", "geo_unit", "year", "value", "magnitude", "qualifier")
FIELDS = ("indicatorId", "geoUnit", "year", "value", "magnitude", "qualifier")
ENVELOPE = {"records", "hints", "indicatorMetadata"}
VERSION_FIELDS = {"version", "publicationDate", "description", "themeDataStatus"}
# Copies of releases older than the interface know the year of their release and no more
VERSION = re.compile(r"\d{8}-[0-9a-f]{8}|\d{4}")
# "No data for the given time range": a true answer, as is one without records. Every other hint says that part is missing.
HARMLESS_HINTS = {"UIS::HINT::004"}

# JSON cannot hold these outside the structure itself: inside a string the quotes would be escaped
RECORDS_START = re.compile(rb'"records"\s*:\s*\[\s*')
RECORDS_END = re.compile(rb'\]\s*(?:,\s*"(?:hints|indicatorMetadata)"\s*:|\}\s*\Z)')
BETWEEN_RECORDS = re.compile(rb"\}\s*,\s*\{")
# A record as the agency writes it, fields in order, nothing escaped or long, no comma: commas cut it into its fields, and what recurs is
# looked at once, nearly twice as fast as an expression for all of it. Anything else goes to the decoder, which says what is wrong with it.
_TEXT, _NUMBER = r'"([^"\\,\x00-\x1f]{0,400})"', r"-?(?:0|[1-9][0-9]{0,400}+)(?:\.[0-9]{1,400}+)?(?:[eE][-+]?[0-9]{1,400}+)?"
PLAIN_FIELDS = {
    "indicator_id": rf'\{{"indicatorId":{_TEXT}',
    "geo_unit": rf'"geoUnit":{_TEXT}',
    "year": rf'"year":({_NUMBER})',
    "magnitude": rf'"magnitude":(?:null|{_TEXT})',
    "qualifier": rf'"qualifier":(?:null|{_TEXT})\}}',
}
# figures hardly recur: those of a block are looked at as one text, a line each; in one spelling, as nearly all are, or in any
SPELT_FIGURES, PLAIN_FIGURES = (re.compile(rf'(?:"value":(?:null|{figure})\n)*+') for figure in (SPELT, _NUMBER))
# fields of one name that are kept for when they recur; the agency has 60 indicators, 240 units and 60 years
RECURRING = 5_000
# some hundred records: what is decoded stays in the processor's cache, and takes a third less time than blocks of 1 MiB
BLOCK_BYTES = 1 << 15
VALUE = COLUMNS.index("value")
CUTS = 64

_fields = itemgetter(*FIELDS)


def parse(dataset: Dataset, answers: Sequence[Answered]) -> Parsed:
    """The rows of one delivery, read lazily. Raises `ContractError`, for a damaged record only when it is reached.

    A row's address is the JSON pointer of its record in its own answer; where a delivery has several, what is wrong with one is said
    with the answer's position in front.
    """
    *data, version = answers
    edition = read_version(version.body)
    if not data:
        raise ContractError("the whole delivery", "an answer of /data/indicators beside the version", "none")
    prefixes = [str(number) if len(data) > 1 else "" for number in range(len(data))]
    residual = dataset.request.get("residual")
    observations = Observations([_Answer.open(answer, prefix, residual) for answer, prefix in zip(data, prefixes, strict=True)])
    return Parsed(COLUMNS, {WHOLE: observations}, edition=edition)


def read_version(body: bytes) -> str:
    """The version that an answer of `/versions/default` names. Raises `ContractError` if it is not such an answer.

    The date in it is not the day of publication, but it orders the releases as the agency does.
    """
    found = _json(body, 0, "")
    if not isinstance(found, dict) or not isinstance(found.get("version"), str):
        raise ContractError("/version", "an object that names the default version", body[:60].decode("utf-8", "replace"))
    if unknown := found.keys() - VERSION_FIELDS:
        raise ContractError(f"/{min(unknown)}", f"only {', '.join(sorted(VERSION_FIELDS))}", "an unknown field")
    version: str = found["version"]
    if not VERSION.fullmatch(version):
        raise ContractError("/version", "a version such as 20250416-f6707727", repr(version))
    return version


@dataclass(frozen=True)
class _Answer:
    """One answer whose envelope is in order: its records lie from `start` to `end`; its question says what it was asked for."""

    body: bytes
    prefix: str
    start: int
    end: int
    indicators: frozenset[str]
    units: frozenset[str]

    @classmethod
    def open(cls, answer: Answered, prefix: str, residual: str | None) -> _Answer:
        body = answer.body
        opening = RECORDS_START.search(body)
        closing = RECORDS_END.search(body, opening.end()) if opening else None
        start, end = (opening.end(), closing.start()) if opening and closing else (0, 0)
        envelope = _json(body[:start] + body[end:], end - start, prefix)
        if not isinstance(envelope, dict):
            raise ContractError(f"{prefix}/", "an object with records", type(envelope).__name__)
        if unknown := envelope.keys() - ENVELOPE:
            raise ContractError(f"{prefix}/{min(unknown)}", f"only {', '.join(sorted(ENVELOPE))}", "an unknown key")
        if missing := ENVELOPE - envelope.keys():
            raise ContractError(f"{prefix}/", "an object with records, hints and indicatorMetadata", f"no {', '.join(sorted(missing))}")
        _check_rest(envelope, prefix)
        indicators = {*answer.asked("indicator"), *([residual] if residual else [])}
        return cls(body, prefix, start, end, frozenset(indicators), frozenset(answer.asked("geoUnit")))

    def asked(self, indicators: set[str | None], units: set[str | None]) -> bool:
        """Whether a block holds only what was asked for: the interface ignores parameters that it does not know."""
        return self.indicators.issuperset(indicators) and (not self.units or self.units.issuperset(units))

    def check_asked(self, fields: list[str], position: str) -> None:
        if fields[0] not in self.indicators:
            raise ContractError(f"{position}/indicatorId", "an indicator that was asked for", repr(fields[0]))
        if self.units and fields[1] not in self.units:
            raise ContractError(f"{position}/geoUnit", f"one of {', '.join(sorted(self.units))}", repr(fields[1]))


def _check_rest(envelope: dict[str, Any], prefix: str) -> None:
    for key in sorted(ENVELOPE):
        if not isinstance(envelope[key], list):
            raise ContractError(f"{prefix}/{key}", "a list", repr(envelope[key])[:60])
    for number, hint in enumerate(envelope["hints"]):
        if not isinstance(hint, dict) or hint.get("code") not in HARMLESS_HINTS:
            raise ContractError(f"{prefix}/hints/{number}", "no hint that a part of the answer is missing", repr(hint)[:200])
    if envelope["indicatorMetadata"]:
        raise ContractError(f"{prefix}/indicatorMetadata", "an empty list, as it was not asked for", "entries")


class _Block(NamedTuple):
    """Records as the JSON decoder gives them, or, where all are written plainly, their lines and whom they are about."""

    records: list[Any]
    lines: list[str]
    indicators: set[str | None]
    units: set[str | None]
    is_in_one_spelling: bool = False


class _Plain(dict[str, str]):
    """Fields of one name as they are written, with the text that each holds."""

    def __init__(self, pattern: str) -> None:
        super().__init__()
        self._pattern = re.compile(pattern)

    def __missing__(self, written: str) -> str:
        """Raises `ValueError` for one that is not written plainly."""
        if (found := self._pattern.fullmatch(written)) is None:
            raise ValueError(written)
        if len(self) == RECURRING:
            self.clear()
        self[written] = text = found[1] or ""
        return text


# by their place in a record
_Fields = dict[int, _Plain]


class Observations:
    """The rows of a delivery, decoded anew each time they are iterated; about one block of them lies in memory at once."""

    def __init__(self, answers: list[_Answer]) -> None:
        self._answers = answers

    def __iter__(self) -> Iterator[Row]:
        for block in self.blocks():
            for address, fields in zip(block.addresses, csv.reader(block.lines), strict=True):
                yield (address, *(field or None for field in fields))

    def blocks(self) -> Iterator[Block]:
        """The rows some hundred at a time."""
        for position, answer in enumerate(self._answers):
            first = 0
            plain = {COLUMNS.index(column): _Plain(pattern) for column, pattern in PLAIN_FIELDS.items()}
            for block in _blocks(answer, plain):
                lines, indicators, units = block.lines, block.indicators, block.units
                if block.records:
                    values = self._fields_of(block.records, answer.prefix, first)
                    lines, indicators, units = csv_lines(values), {value[0] for value in values}, {value[1] for value in values}
                if not answer.asked(indicators, units):
                    for number, fields in enumerate(csv.reader(lines), first):
                        answer.check_asked(fields, f"{answer.prefix}/records/{number}")
                content = lines if block.is_in_one_spelling else _in_one_spelling(lines)
                yield Block([f"/records/{number}" for number in range(first, first + len(lines))], lines, content, position)
                first += len(lines)

    def _fields_of(self, records: list[Any], prefix: str, first: int) -> list[tuple[str | None, ...]]:
        """The fields of a block, which is checked as a whole, and record by record only to say which is wrong."""
        try:
            values: list[tuple[str | None, ...]] = list(map(_fields, records))
            complete = sum(map(len, records)) == len(FIELDS) * len(records)
        except (KeyError, TypeError):
            values, complete = [], False
        if not complete or not set(map(type, chain.from_iterable(values))) <= {str, NoneType}:
            for number, record in enumerate(records, first):
                self._check(record, f"{prefix}/records/{number}")
        return values

    def _check(self, record: object, position: str) -> None:
        if not isinstance(record, dict):
            raise ContractError(position, "an object", repr(record)[:60])
        rest = dict(record)
        for field in FIELDS:
            if field not in rest:
                raise ContractError(position, f"a record with {', '.join(FIELDS)}", f"no {field}")
            if not isinstance(value := rest.pop(field), str | None):
                raise ContractError(f"{position}/{field}", "a number, a text or null", repr(value)[:60])
        if rest:
            raise ContractError(f"{position}/{min(rest)}", f"only {', '.join(FIELDS)}", "an unknown field")


def _blocks(answer: _Answer, plain: _Fields) -> Iterator[_Block]:
    """The records in blocks of about `BLOCK_BYTES`.

    A cut between `}` and `{` may fall inside a string or a nested list; then what lies before it is no JSON, and the next is tried.
    If none of some tens will do, the rest is one block, which is either right or damaged.
    """
    start, end = answer.start, answer.end
    first = 0
    while start < end:
        for cut in islice(BETWEEN_RECORDS.finditer(answer.body, start + BLOCK_BYTES, end), CUTS):
            try:
                block = _decode(answer.body[start : cut.start() + 1], plain, answer.prefix, first)
            except (UnicodeDecodeError, json.JSONDecodeError):
                continue
            yield block
            start = cut.end() - 1
            first += len(block.records or block.lines)
            break
        else:
            yield _last_block(answer, plain, start, first)
            return


def _last_block(answer: _Answer, plain: _Fields, start: int, first: int) -> _Block:
    try:
        return _decode(answer.body[start : answer.end], plain, answer.prefix, first)
    except UnicodeDecodeError as error:
        raise _not_utf8(error, start, answer.prefix) from error
    except json.JSONDecodeError as error:
        byte = start + len(error.doc[1 : error.pos].encode())
        raise ContractError(_byte(byte, answer.prefix), "a JSON list of records", error.msg) from error


def _decode(text: bytes, plain: _Fields, prefix: str, first: int) -> _Block:
    decoded = text.decode()
    if len(text) < 4 * BLOCK_BYTES:  # as the agency writes them; one that is far longer may be commas alone
        with suppress(ValueError):
            return _plain_block(decoded.split(","), plain)
    return _Block(read_json(f"[{decoded}]", f"{prefix}/records", first), [], set(), set())


def _plain_block(written: list[str], plain: _Fields) -> _Block:
    """The block whose fields these are. Raises `ValueError` if one of them is not written plainly, is missing, or not in its place."""
    columns = [written[at :: len(FIELDS)] for at in range(len(FIELDS))]
    values = "\n".join([*columns[VALUE], ""])
    is_spelt = SPELT_FIGURES.fullmatch(values) is not None
    if not is_spelt and not PLAIN_FIGURES.fullmatch(values):
        raise ValueError(values)
    columns[VALUE] = values.replace('"value":', "").replace("null", "").split("\n")[:-1]
    for at, known in plain.items():
        columns[at] = [*map(known.__getitem__, columns[at])]
    lines = [*map(",".join, zip(*columns, strict=True))]
    return _Block([], lines, set(columns[0]), set(columns[1]), is_spelt)


def _in_one_spelling(lines: list[str]) -> list[str]:
    return csv_lines((*fields[:VALUE], one_spelling(fields[VALUE]), *fields[VALUE + 1 :]) for fields in csv.reader(lines))


def _json(text: bytes, left_out: int, prefix: str) -> Any:
    """The JSON of an answer, from which `left_out` bytes of records may have been taken. Raises `ContractError` for anything else."""
    if not text:
        raise ContractError(_byte(0, prefix), "a JSON document", "0 bytes")
    try:
        return read_json(text.decode("utf-8-sig"), prefix)
    except UnicodeDecodeError as error:
        raise _not_utf8(error, left_out, prefix) from error
    except json.JSONDecodeError as error:
        found = "an HTML page" if is_html(error.doc) else f"{error.msg} (the answer begins {error.doc[:40]!r})"
        raise ContractError(_byte(left_out + error.pos, prefix), "a JSON document", found) from error


def _not_utf8(error: UnicodeDecodeError, offset: int, prefix: str) -> ContractError:
    return ContractError(_byte(offset + error.start, prefix), "UTF-8 text", f"byte {error.object[error.start]:#04x}")


def _byte(number: int, prefix: str) -> str:
    return f"answer {prefix}, byte {number}" if prefix else f"byte {number}"
