"""Requests to the Population Division: one workbook an edition, no interface besides (undesa.md 2.3)."""

from __future__ import annotations

from extractors.archive import Request, Snapshot
from extractors.http import Transport
from extractors.polite import now
from extractors.source import Dataset, Source, SourceError


def fetch(source: Source, dataset: Dataset, transport: Transport) -> list[Snapshot]:
    """The snapshots of one delivery: of the agency the edition that was the newest when it began, else whichever are at hand."""
    return transport.answers(questions(source, dataset), asked=_out(dataset, transport.delivery)[-1:])


def requests(source: Source, dataset: Dataset, at: str | None = None) -> list[Request]:
    """What a live delivery that began at the instant `at` (ISO 8601, dashes optional; None: now) asks.

    Raises `SourceError` if no declared edition was out by then.
    """
    out = _out(dataset, at or now())
    if not out:
        raise SourceError(f"{source.code}: no edition was out at {at}; source.yml declares {', '.join(dataset.request['editions'])}")
    return [questions(source, dataset)[out[-1]]]


def questions(source: Source, dataset: Dataset) -> dict[str, Request]:
    """The declared questions, by edition."""
    editions = dataset.request["editions"].items()
    return {edition: Request("GET", f"{source.base_urls['files']}/{wanted['file']}") for edition, wanted in editions}


def _out(dataset: Dataset, at: str) -> list[str]:
    """The editions that were out at an instant, the newest last."""
    # a declared day or month is a prefix of every later instant of it, so text compares as time does
    editions = sorted((wanted["published"].replace("-", ""), edition) for edition, wanted in dataset.request["editions"].items())
    return [edition for published, edition in editions if published <= at.replace("-", "")]
