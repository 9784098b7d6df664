"""Requests to the Population Division: one workbook an edition, no interface besides (dossier section 2.3)."""

from __future__ import annotations

from extractors.archive import Request, Snapshot
from extractors.http import Transport
from extractors.source import Dataset, Source, SourceError

NEWEST = "9999"


def fetch(source: Source, dataset: Dataset, transport: Transport) -> list[Snapshot]:
    """The one snapshot of a delivery: the workbook of the edition that was the newest when the delivery began."""
    return [transport.ask(request) for request in requests(source, dataset, transport.delivery)]


def requests(source: Source, dataset: Dataset, at: str = NEWEST) -> list[Request]:
    """What a delivery that began at the instant `at` (ISO 8601, dashes optional) asks for.

    Raises `SourceError` if no declared edition was out by then.
    """
    # a declared day or month is a prefix of every later instant of it, so text compares as time does
    editions = sorted((wanted["published"].replace("-", ""), wanted["file"]) for wanted in dataset.request["editions"].values())
    out = [file for published, file in editions if published <= at.replace("-", "")]
    if not out:
        raise SourceError(f"{source.code}: no edition was out at {at}; source.yml declares {', '.join(dataset.request['editions'])}")
    return [Request("GET", f"{source.base_urls['files']}/{out[-1]}")]
