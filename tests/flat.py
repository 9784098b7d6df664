"""A throw-away source of flat records: declared in a folder of its own, played by a few lines."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from extractors.rows import Answered
from extractors.source import Dataset, Source, load_source
from warehouse import contracts, fingerprint
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
    folder = grown(root) / "extractors" / CODE
    folder.mkdir(exist_ok=True)
    (folder / "source.yml").write_text(yaml.safe_dump(dict(content), allow_unicode=True, sort_keys=False), encoding="utf-8")
    with standing_in(monkeypatch, root):
        yield load_source(CODE)


def grown(root: Path) -> Path:
    """`root` with the tree in it: links to what no source of its own changes, and a copy of `dbt`."""
    if not (root / "extractors").exists():
        (root / "extractors").mkdir(parents=True)
        for path in (ROOT / "extractors").iterdir():
            (root / "extractors" / path.name).symlink_to(path)
        (root / "expectations").symlink_to(ROOT / "expectations")
        shutil.copytree(ROOT / "dbt", root / "dbt", ignore=shutil.ignore_patterns("target", "logs"))
    return root


@contextmanager
def standing_in(monkeypatch: pytest.MonkeyPatch, root: Path) -> Iterator[None]:
    """The code of this process works on the tree in `root`."""
    with monkeypatch.context() as patch:
        for name, module in list(sys.modules.items()):
            if name.partition(".")[0] in ("expectations", "extractors", "pipeline", "reporting", "warehouse") and hasattr(module, "ROOT"):
                patch.setattr(module, "ROOT", root)
        forget()
        try:
            yield
        finally:
            forget()


def forget() -> None:
    """What a process reads once it reads again."""
    for once in (
        load_source, records_of.declared_records, contracts._variables, fingerprint.parser_fingerprint, fingerprint.code_fingerprint,
        fingerprint.core_fingerprint, fingerprint.verdict_fingerprint,
    ):  # fmt: skip
        once.cache_clear()
