"""Requests to the Missing Migrants Project: one answer a year, no key (dossier section 2.1)."""

from __future__ import annotations

from extractors.archive import Request, Snapshot
from extractors.http import Transport
from extractors.source import Dataset, Source


def fetch(source: Source, dataset: Dataset, transport: Transport) -> list[Snapshot]:
    """The snapshots of one delivery, one for each declared year, in that order."""
    return [transport.ask(request) for request in requests(source, dataset)]


def requests(source: Source, dataset: Dataset) -> list[Request]:
    """What must be asked for the dataset."""
    base = source.base_urls["missing_migrants"]
    return [Request("GET", f"{base}/global-figures/{year}/json") for year in dataset.request["years"]]
