"""Requests to the UIS data API: the default version first, then every question pinned to it (uis.md 2 and 5)."""

from __future__ import annotations

from extractors.archive import Request, Snapshot
from extractors.http import Transport
from extractors.rows import ContractError
from extractors.source import Dataset, Source
from extractors.uis.parse import read_version


def fetch(source: Source, dataset: Dataset, transport: Transport) -> list[Snapshot]:
    """The snapshots of one delivery: the answers, then the version that they are pinned to.

    A version that cannot be read is returned alone: the parser says what is wrong with it, and gate 1 rejects it by name.
    """
    [version] = transport.answers({"version": version_request(source)})
    try:
        pinned = read_version(transport.body(version))
    except ContractError:
        return [version]
    return [*transport.answers(questions(source, dataset, pinned)), version]


def version_request(source: Source) -> Request:
    """The question which version the agency publishes now."""
    return Request("GET", f"{source.base_urls['api']}/versions/default")


def requests(source: Source, dataset: Dataset, version: str | None = None) -> list[Request]:
    """What a live delivery asks first, and what it asks once it knows the version."""
    return [version_request(source)] if version is None else list(questions(source, dataset, version).values())


def questions(source: Source, dataset: Dataset, version: str) -> dict[str, Request]:
    """The declared questions of one version, numbered from 1; several where the indicators do not fit into one address.

    Without `version` an answer would be of whatever release is the default in that second.
    """
    indicators = dataset.request["indicators"]
    size = dataset.request.get("batch", len(indicators))
    units = [("geoUnit", unit) for unit in dataset.request.get("geo_units", ())]
    kind = [("geoUnitType", dataset.request["geo_unit_type"])] if "geo_unit_type" in dataset.request else []
    batches = [indicators[first : first + size] for first in range(0, len(indicators), size)]
    return {
        str(number): Request(
            "GET",
            f"{source.base_urls['api']}/data/indicators",
            params=(*(("indicator", code) for code in batch), *units, *kind, ("version", version)),
        )
        for number, batch in enumerate(batches, 1)
    }
