"""Requests to the Missing Migrants Project: one answer a year, no key (iom.md 2.1)."""

from __future__ import annotations

from extractors.archive import Request, Snapshot
from extractors.http import Transport
from extractors.source import Dataset, Source


def fetch(source: Source, dataset: Dataset, transport: Transport) -> list[Snapshot]:
    """The snapshots of one delivery, one for each year that is answered."""
    return transport.answers(questions(source, dataset))


def requests(source: Source, dataset: Dataset) -> list[Request]:
    """What a live delivery asks: every declared year, in that order."""
    return list(questions(source, dataset).values())


def questions(source: Source, dataset: Dataset) -> dict[str, Request]:
    """The declared questions, by year."""
    base = source.base_urls["missing_migrants"]
    return {year: Request("GET", f"{base}/global-figures/{year}/json") for year in dataset.request["years"]}
