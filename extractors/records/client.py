"""Requests of datasets that are declared as flat records: a question for each value of `each`, page after page."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from urllib.parse import parse_qsl

from extractors.archive import Request, Snapshot
from extractors.http import Transport
from extractors.records.pages import Pages
from extractors.rows import Answered, ContractError
from extractors.source import Dataset, Source


def fetch(source: Source, dataset: Dataset, transport: Transport) -> list[Snapshot]:
    """The snapshots of one delivery, the pages of a question one after the other.

    Asking ends where a page says that it is the last, cannot be read, or is not the one after: the parser says what is wrong with it.
    """
    asked = questions(source, dataset)
    first = transport.answers(asked)
    if not dataset.asked.paging:
        return first
    names = {request.fingerprint: name for name, request in asked.items()}
    found = []
    for snapshot in first:
        found += [snapshot, *_further(dataset, transport, names.get(snapshot.request.fingerprint, "data"), snapshot)]
    return found


def _further(dataset: Dataset, transport: Transport, name: str, snapshot: Snapshot) -> Iterator[Snapshot]:
    """The pages after the first of a question."""
    pages, number = Pages(dataset), 1
    while True:
        request = snapshot.request
        try:
            params = pages.take(Answered(request.url, request.params, request.form, transport.body(snapshot)))
        except ContractError:
            return
        if params is None:
            return
        number += 1
        [snapshot] = transport.answers({f"{name} page {number}": Request("GET", request.url, params)})
        yield snapshot


def requests(source: Source, dataset: Dataset) -> list[Request]:
    """What a live delivery asks first: every declared question, in that order, its first page."""
    return list(questions(source, dataset).values())


def questions(source: Source, dataset: Dataset) -> dict[str, Request]:
    """The first page of the declared questions, by the value of `each`; `data` where there is one question."""
    asked = dataset.asked
    base, paging = source.base_urls[asked.base], asked.paging
    fixed = [(name, value) for name, values in asked.params.items() for value in ([values] if isinstance(values, str) else values)]
    if paging and paging.by != "link":
        fixed.append((paging.param, str(paging.first if paging.by == "page" else 0)))
    found = {}
    for name, value in product(asked.each, asked.each.get(asked.name, [])):
        in_path = f"{{{name}}}" in asked.path
        params = fixed if in_path else [(name, value), *fixed]
        found[value] = _question(base + asked.path.replace(f"{{{name}}}", value), params)
    return found or {"data": _question(base + asked.path, fixed)}


def _question(address: str, params: list[tuple[str, str]]) -> Request:
    """The question; parameters that the declared path brings come first, and a manifest has an address without any."""
    url, _, query = address.partition("?")
    return Request("GET", url, (*parse_qsl(query, keep_blank_values=True), *params))
