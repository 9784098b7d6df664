"""Other addresses, and files put by hand."""

from __future__ import annotations

import datetime
import os
import time
from pathlib import Path

import pytest

from extractors.archive import Archive, Request
from extractors.http import LiveTransport
from extractors.polite import FetchError
from extractors.source import SourceError, at_configured_addresses, load_source
from tests.agency import Agency, Reply
from tests.contract.http.asking import source_at


def test_base_addresses_can_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KOSHI_BASE_URL_BNS_TALDAU", "http://127.0.0.1:8000/")
    monkeypatch.setenv("KOSHI_BASE_URL_UIS_API", "https://mirror.example.org/uis")
    assert at_configured_addresses(load_source("bns")).base_urls == {"taldau": "http://127.0.0.1:8000", "stat": "https://stat.gov.kz"}
    assert load_source("bns").base_urls["taldau"] == "https://taldau.stat.gov.kz"


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("TALDUA", "https://mirror.example.org"),
        ("TALDAU", "http://mirror.example.org"),
        ("TALDAU", "ftp://127.0.0.1"),
        ("TALDAU", "mirror.example.org"),
        ("TALDAU", "https://me:mine@mirror.example.org"),  # pragma: allowlist secret
        ("TALDAU", "https://mirror.example.org/?key=mine"),
    ],
)
def test_base_addresses_that_cannot_be_used_are_named(monkeypatch: pytest.MonkeyPatch, name: str, address: str) -> None:
    monkeypatch.setenv(f"KOSHI_BASE_URL_BNS_{name}", address)
    with pytest.raises(SourceError, match=f"KOSHI_BASE_URL_BNS_{name}") as raised:
        at_configured_addresses(load_source("bns"))
    assert "mine" not in str(raised.value)


def test_a_file_put_by_hand_answers_for_the_agency(
    agency: Agency, archive: Archive, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("KOSHI_DROPIN_UNDESA", str(tmp_path))
    (tmp_path / "stock.xlsx").write_bytes(b"PK")
    taken = time.time() - 86_400
    os.utime(tmp_path / "stock.xlsx", (taken, taken))
    transport = LiveTransport(archive, source_at(agency.url, "undesa"), "stock_by_destination")
    snapshot = transport.ask(Request("GET", f"{agency.url}/files/stock.xlsx"))
    assert (snapshot.capture, archive.body(snapshot), agency.seen) == ("recorded", b"PK", [])
    assert "stock.xlsx" in snapshot.note and "put" in snapshot.note
    assert datetime.datetime.fromisoformat(snapshot.retrieved_at).timestamp() == pytest.approx(taken, abs=0.01)
    # another file, and a question that is not for a file, go to the agency
    agency.plays(Reply(body=b"other"), Reply(body=b"data"))
    (tmp_path / "json").write_bytes(b"[]")
    others = [transport.ask(Request("GET", f"{agency.url}/{path}")) for path in ("files/other.xlsx", "2018/json")]
    assert [snapshot.capture for snapshot in others] == ["live", "live"]


def test_a_folder_that_is_not_there_is_named(archive: Archive, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KOSHI_DROPIN_UNDESA", str(tmp_path / "nowhere"))
    transport = LiveTransport(archive, source_at("http://127.0.0.1:9", "undesa"), "stock_by_destination")
    with pytest.raises(FetchError, match=r"KOSHI_DROPIN_UNDESA is .*nowhere"):
        transport.ask(Request("GET", "http://127.0.0.1:9/files/stock.xlsx"))
