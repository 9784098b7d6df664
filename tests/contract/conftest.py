"""A live warehouse, and a server on loopback in place of all agencies."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from extractors import delivery
from extractors.source import Source, load_source, source_codes
from tests.agency import Agency
from tests.asked import as_bundled
from tests.conftest import new_profile
from warehouse.profile import Profile


@pytest.fixture
def live(tmp_path: Path, template: str) -> Profile:
    """An empty live warehouse."""
    return dataclasses.replace(new_profile(tmp_path), name="live")


@pytest.fixture
def agency(monkeypatch: pytest.MonkeyPatch) -> Iterator[Agency]:
    """One server in place of all agencies, asked without waiting."""
    server = Agency()
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "127.0.0.1")
    for code in source_codes():
        monkeypatch.delenv(f"KOSHI_DROPIN_{code.upper()}", raising=False)
        for name, url in load_source(code).base_urls.items():
            # a mirror keeps the agency's paths
            monkeypatch.setenv(f"KOSHI_BASE_URL_{code.upper()}_{name.upper()}", server.url + urlsplit(url).path)
    monkeypatch.setattr(delivery, "load_source", in_a_hurry)
    yield server
    server.stop()


def in_a_hurry(code: str) -> Source:
    """The source, asked for what is bundled and without waiting."""
    source = as_bundled(code)
    return source.model_copy(update={"http": source.http.model_copy(update={"min_interval_seconds": 0, "backoff_seconds": 0})})
