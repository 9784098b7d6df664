"""An agency on loopback, an archive, and a way to ask."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from extractors.archive import Archive, Request, Snapshot
from extractors.http import LiveTransport
from tests.agency import Agency
from tests.contract.http.asking import DATASET, Ask, source_at


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy, bundle or contact of the machine that runs the tests."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "KOSHI_CA_BUNDLE", "KOSHI_CONTACT"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name in os.environ:
        if name.startswith(("KOSHI_BASE_URL_", "KOSHI_DROPIN_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.setenv("no_proxy", "127.0.0.1,localhost")


@pytest.fixture
def agency() -> Iterator[Agency]:
    server = Agency()
    yield server
    server.stop()


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(str(tmp_path / "archive"))


@pytest.fixture
def ask(agency: Agency, archive: Archive) -> Ask:
    """One delivery of one question."""

    def one(path: str = "/data", *, base: str = "", method: str = "GET", params: Any = (), form: Any = (), **policy: Any) -> Snapshot:
        base = base or agency.url
        return LiveTransport(archive, source_at(base, **policy), DATASET).ask(Request(method, base + path, params, form))

    return one
