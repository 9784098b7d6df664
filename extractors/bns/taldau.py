"""Taldau's JSON: the tree of an index, and the flat cube that stat.gov.kz gives for an element (bns.md 3.1 and 3.4)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from extractors.bns.scope import in_scope
from extractors.bns.table import ELEMENT
from extractors.decode import decode_json, text_or_none
from extractors.rows import WHOLE, Answered, ContractError, Parsed, Row
from extractors.source import Dataset

TALDAU = ("index_id", "period_type", "dictionaries", "terms", "term_id", "term_name", "measure_name", "period", "value")
NAME = 1 + TALDAU.index("term_name")
NODE_KEYS = {"id", "text", "leaf", "expanded", "measureName"}
# MMYYYY, a star for preliminary; the twin files of stat.gov.kz write YYYYMM, which must not be taken for it
TREE_PERIOD = re.compile(r"y(0[1-9]|1[0-2])(19|20)\d\d\*?")
YEAR_DATE = re.compile(r"31\.12\.((?:19|20)\d\d)")


def parse_tree(_dataset: Dataset, answers: Sequence[Answered]) -> Parsed:
    """One row a period of a node. Raises `ContractError` with the JSON pointer."""
    nodes = _objects(answers[0].body, "tree nodes")
    same = tuple(answers[0].asked_once(name) for name in ("p_index_id", "p_period_id", "p_dicIds", "p_terms"))
    rows: list[Row] = []
    for number, raw_node in enumerate(nodes):
        node = {key.strip(): value for key, value in raw_node.items()}
        if len(node) < len(raw_node):
            twice = next(key for key in raw_node if key != key.strip() and key.strip() in raw_node)
            values = f"{raw_node[twice.strip()]!r} and, under {twice!r}, {raw_node[twice]!r}"
            raise ContractError(f"/{number}/{twice.strip()}", "each key once in a node", values)
        if missing := {"id", "text", "measureName"} - node.keys():
            raise ContractError(f"/{number}", "a node with id, text and measureName", f"no {', '.join(sorted(missing))}")
        about = (*same, text_or_none(node.pop("id")), text_or_none(node.pop("text")), text_or_none(node.pop("measureName")))
        for key, value in node.items():
            if key in NODE_KEYS:
                continue
            if not TREE_PERIOD.fullmatch(key):
                raise ContractError(f"/{number}/{key}", "a period key such as y122023 (MMYYYY)", repr(key))
            rows.append((f"/{number}/{key}", *about, key[1:], text_or_none(value)))
    return _whole(rows)


def parse_element_json(dataset: Dataset, answers: Sequence[Answered]) -> Parsed:
    """One row a period of a cell of the cube; those of districts are counted as out of scope.

    Raises `ContractError` with the JSON pointer.
    """
    rows: list[Row] = []
    out_of_scope = 0
    element = answers[0].named(ELEMENT)
    for number, cell in enumerate(_objects(answers[0].body, "cells of a cube")):
        found = list(_cell(dataset, element, f"/{number}", cell))
        if in_scope(dataset, found[0][NAME] if found else None):
            rows += found
        else:
            out_of_scope += len(found)
    parsed = _whole(rows)
    parsed.out_of_scope = out_of_scope
    return parsed


def _cell(dataset: Dataset, element: str, position: str, cell: dict[str, Any]) -> Iterator[Row]:
    wanted = dataset.request
    terms, names = _list(position, cell, "terms"), _list(position, cell, "termNames")
    if not len(terms) == len(names) == len(wanted["dictionaries"]):
        expected = f"a term and its name for each of the dictionaries {', '.join(wanted['dictionaries'])}"
        raise ContractError(position, expected, f"{len(terms)} terms and {len(names)} names")
    _check_members(wanted.get("members", {}), position, terms, names)
    same = (element, wanted["period_type"], ",".join(wanted["dictionaries"]), ",".join(map(str, terms)))
    # which members the other terms are, their ids say; the name of the territory is landed, and gate 1 compares it
    about = (*same, text_or_none(terms[0]), text_or_none(names[0]), None)
    periods = _list(position, cell, "periods")
    _nothing_left(position, cell)
    for number, period in enumerate(periods):
        here = f"{position}/periods/{number}"
        if not isinstance(period, dict) or not {"name", "date", "value"} <= period.keys():
            raise ContractError(here, "a period with name, date and value", repr(period))
        date = _date(here, period.pop("name"), period.pop("date"))
        row = (f"{here}/value", *about, date, text_or_none(period.pop("value")))
        _nothing_left(here, period)
        yield row


def _check_members(known: dict[str, str], position: str, terms: list[Any], names: list[Any]) -> None:
    for number, (term, name) in enumerate(zip(terms, names, strict=True)):
        expected = known.get(str(term))
        if expected and name not in (None, "") and str(name).strip().casefold() != expected.casefold():
            raise ContractError(f"{position}/termNames/{number}", f"{expected!r}, the name of term {term}", repr(name))


def _date(position: str, name: object, date: object) -> str:
    """The date as printed. The star of a preliminary figure stands after the period's name: it goes with the date."""
    year = YEAR_DATE.fullmatch(str(date))
    bare = str(name).rstrip("* ")
    if not year or bare != f"{year.group(1)} год":
        raise ContractError(position, "a year such as '2023 год' with the date 31.12.2023", f"{name!r} with {date!r}")
    return f"{date}*" if str(name).rstrip().endswith("*") else str(date)


def _objects(body: bytes, what: str) -> list[dict[str, Any]]:
    found = decode_json(body)
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise ContractError("/", f"a list of {what}", type(found).__name__)
    return found


def _list(position: str, cell: dict[str, Any], key: str) -> list[Any]:
    found = cell.pop(key, None)
    if not isinstance(found, list):
        raise ContractError(f"{position}/{key}", "a list", repr(found))
    return found


def _nothing_left(position: str, item: dict[str, Any]) -> None:
    if item:
        raise ContractError(f"{position}/{next(iter(item))}", "no field that is not known", ", ".join(map(repr, item)))


def _whole(rows: list[Row]) -> Parsed:
    if not rows:
        raise ContractError("/", "at least one observation", "none")
    return Parsed(TALDAU, {WHOLE: rows})
