"""Requests to the UIS data API: the default version first, then every question pinned to it (dossier sections 2 and 5)."""

from __future__ import annotations

from extractors.archive import Request, Snapshot
from extractors.http import Transport
from extractors.rows import ContractError
from extractors.source import Dataset, Source
from extractors.uis.parse import read_version


def fetch(source: Source, dataset: Dataset, transport: Transport) -> list[Snapshot]:
    """The snapshots of one delivery: the answers in the order of `requests`, then the version that they are pinned to.

    A version that cannot be read is returned alone: the parser says what is wrong with it, and gate 1 rejects it by name.
    """
    version = transport.ask(version_request(source))
    try:
        pinned = read_version(transport.body(version))
    except ContractError:
        return [version]
    return [*map(transport.ask, requests(source, dataset, pinned)), version]


def version_request(source: Source) -> Request:
    """The question which version the agency publishes now."""
    return Request("GET", f"{source.base_urls['api']}/versions/default")


def requests(source: Source, dataset: Dataset, version: str) -> list[Request]:
    """What must be asked for the dataset in one version; several questions where the indicators do not fit into one address.

    Without `version` an answer would be of whatever release is the default in that second.
    """
    indicators = dataset.request["indicators"]
    size = dataset.request.get("batch", len(indicators))
    units = [("geoUnit", unit) for unit in dataset.request.get("geo_units", ())]
    kind = [("geoUnitType", dataset.request["geo_unit_type"])] if "geo_unit_type" in dataset.request else []
    return [
        Request(
            "GET",
            f"{source.base_urls['api']}/data/indicators",
            params=(*(("indicator", code) for code in indicators[first : first + size]), *units, *kind, ("version", version)),
        )
        for first in range(0, len(indicators), size)
    ]
