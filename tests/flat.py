"""A throw-away source of flat records: declared in a folder of its own, played by a few lines."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

import extractors.source
from extractors.rows import Answered
from extractors.source import Dataset, Source, load_source
from warehouse import fingerprint
from warehouse import records as records_of
from warehouse.profile import ROOT

CODE, NAME, SHAPE = "flatland", "moves", "flatland_moves"
LABELS = {"kk": "Жазық ел", "ru": "Плоская страна", "en": "Flatland"}
REQUEST: dict[str, Any] = {"base": "api", "path": "/moves"}
RECORDS: dict[str, Any] = {"form": "json", "at": "/items", "fields": {"year": "period", "n": "value"}, "figures": ["value"]}


def declared(
    records: Mapping[str, Any] = RECORDS, request: Mapping[str, Any] = REQUEST, url: str = "https://flat.example"
) -> dict[str, Any]:
    """The content of its `source.yml`."""
    dataset: dict[str, Any] = {"title": LABELS, "shape": SHAPE, "slices": "whole", "redistribution": "open"}
    dataset |= {"request": dict(request), "records": dict(records)}
    return {
        "name": LABELS, "base_urls": {"api": url}, "licence": "none", "terms_url": "https://flat.example/terms",
        "attribution": "Flatland", "http": {"min_interval_seconds": 0, "backoff_seconds": 0.01, "tries": 1}, "datasets": {NAME: dataset},
    }  # fmt: skip


def source(records: Mapping[str, Any] = RECORDS, request: Mapping[str, Any] = REQUEST, url: str = "https://flat.example") -> Source:
    """The source as it is loaded from such a file."""
    return Source.model_validate({"code": CODE, **declared(records, request, url)})


def dataset(records: Mapping[str, Any] = RECORDS, request: Mapping[str, Any] = REQUEST) -> Dataset:
    """Its dataset."""
    return source(records, request).dataset(NAME)


def answer(body: bytes | object, path: str = "/moves", **params: str) -> Answered:
    """An answer to a question; anything but bytes is written as JSON."""
    text = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    return Answered(f"https://flat.example{path}", tuple(params.items()), (), text)


@contextmanager
def written(monkeypatch: pytest.MonkeyPatch, root: Path, content: Mapping[str, Any]) -> Iterator[Source]:
    """The source stands in `root`, beside links to all that is in the tree, and is what today's code declares."""
    folder = root / "extractors" / CODE
    if not folder.exists():
        (root / "extractors").mkdir(parents=True)
        for path in (ROOT / "extractors").iterdir():
            (root / "extractors" / path.name).symlink_to(path)
        folder.mkdir()
    (folder / "source.yml").write_text(yaml.safe_dump(dict(content), allow_unicode=True, sort_keys=False), encoding="utf-8")
    with monkeypatch.context() as patch:
        for module in (extractors.source, fingerprint, records_of):
            patch.setattr(module, "ROOT", root)
        _forget()
        try:
            yield load_source(CODE)
        finally:
            _forget()


def _forget() -> None:
    """What a process reads once it reads again."""
    load_source.cache_clear()
    records_of.declared_records.cache_clear()
    fingerprint.parser_fingerprint.cache_clear()
