"""Answers for a parser's tests: bytes with the declared questions that they answer."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from types import ModuleType

from extractors.archive import Archive, Request
from extractors.delivery import client_of
from extractors.landing import package_of
from extractors.rows import Answered, Parsed
from extractors.source import Dataset, Source, load_source
from warehouse.profile import BUNDLED_ARCHIVE

VERSION = "20250416-f6707727"


def as_bundled(source_code: str) -> Source:
    """The source with those years and indicators declared that the bundled archive has: what is declared besides is of no test."""
    source, archive = load_source(source_code), Archive(str(BUNDLED_ARCHIVE))
    datasets = {}
    for name, dataset in source.datasets.items():
        held = [s.request for folder in archive.deliveries(source_code, name) for s in archive.snapshots(source_code, name, folder)]
        words = {word for request in held for word in (*request.path.split("/"), *(value for _, value in request.params))}
        lists = {key: [word for word in dataset.request[key] if word in words] for key in ("years", "indicators") if key in dataset.request}
        datasets[name] = dataset.model_copy(update={"request": {**dataset.request, **lists}})
    return source.model_copy(update={"datasets": datasets})


def questions(source_code: str, dataset: Dataset) -> list[Request]:
    """What the source's client asks for the dataset, in the order of a delivery; of UIS everything at once, and the version."""
    source, client = load_source(source_code), client_of(source_code, dataset)
    if source_code == "uis":
        whole = dataset.model_copy(update={"request": {name: value for name, value in dataset.request.items() if name != "batch"}})
        return [*client.requests(source, whole, VERSION), client.version_request(source)]
    return list(client.requests(source, dataset))


def answered(source_code: str, dataset: Dataset, bodies: Sequence[bytes]) -> list[Answered]:
    """The bytes as answers to the questions of the dataset; the version of UIS comes last, all before it answer the one question."""
    asked = questions(source_code, dataset)
    if source_code == "uis":
        asked = [*asked[:1] * (len(bodies) - 1), asked[-1]]
    return [Answered(request.url, request.params, request.form, body) for request, body in zip(asked, bodies, strict=False)]


def parser(source_code: str, dataset: Dataset) -> ModuleType:
    """The parser of the dataset: its source's, or that of flat records."""
    return importlib.import_module(f"extractors.{package_of(source_code, dataset)}.parse")


def parse(source_code: str, dataset: Dataset, bodies: Sequence[bytes]) -> Parsed:
    """What the source's parser makes of the bytes."""
    parsed: Parsed = parser(source_code, dataset).parse(dataset, answered(source_code, dataset, bodies))
    return parsed
