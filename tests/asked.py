"""Answers for a parser's tests: bytes with the declared questions that they answer."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from types import ModuleType

from extractors.archive import Request
from extractors.rows import Answered, Parsed
from extractors.source import Dataset, load_source

VERSION = "20250416-f6707727"


def questions(source_code: str, dataset: Dataset) -> list[Request]:
    """What the source's client asks for the dataset, in the order of a delivery; of UIS everything at once, and the version."""
    source, client = load_source(source_code), importlib.import_module(f"extractors.{source_code}.client")
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


def parser(source_code: str) -> ModuleType:
    """The source's own parser."""
    return importlib.import_module(f"extractors.{source_code}.parse")


def parse(source_code: str, dataset: Dataset, bodies: Sequence[bytes]) -> Parsed:
    """What the source's parser makes of the bytes."""
    parsed: Parsed = parser(source_code).parse(dataset, answered(source_code, dataset, bodies))
    return parsed
