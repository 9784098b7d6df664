"""The archive is write-once, and says so when it is damaged."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from extractors.archive import Archive, ArchiveError, Request, Snapshot
from extractors.http import ReplayTransport

REQUEST = Request("GET", "https://agency.example/data", params=(("a", "1"),))


def _snapshot(body: bytes, delivery: str = "2026-01-01T00:00:00+00:00") -> Snapshot:
    return Snapshot(
        source="bns", dataset="d", delivery=delivery, request=REQUEST, sha256=hashlib.sha256(body).hexdigest(), size_bytes=len(body),
        retrieved_at=delivery, status=200, content_type="text/plain", capture="reconstructed", licence="L", attribution="A",
    )  # fmt: skip


def test_what_is_written_is_read_back_and_writing_again_changes_nothing(tmp_path: Path) -> None:
    archive = Archive(str(tmp_path))
    stored = archive.write(_snapshot(b"x"), b"x", 1)
    archive.write(_snapshot(b"x"), b"x", 1)
    assert archive.body(stored) == b"x"
    assert archive.read_manifest(stored.manifest) == stored
    assert archive.snapshots("bns", "d", archive.deliveries("bns", "d")[0]) == [stored]


def test_other_content_under_a_name_that_is_taken_is_refused(tmp_path: Path) -> None:
    archive = Archive(str(tmp_path))
    archive.write(_snapshot(b"x"), b"x", 1)
    with pytest.raises(ArchiveError, match="write-once"):
        archive.write(_snapshot(b"y"), b"y", 1)


def test_bytes_that_are_not_those_of_the_sha256_are_never_stored(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="not those"):
        Archive(str(tmp_path)).write(_snapshot(b"x"), b"y", 1)


def test_damaged_or_missing_bytes_are_found_when_they_are_read(tmp_path: Path) -> None:
    archive = Archive(str(tmp_path))
    stored = archive.write(_snapshot(b"x"), b"x", 1)
    file = next(path for path in (tmp_path / "snapshots").rglob("*") if path.is_file())
    file.write_bytes(b"z")
    with pytest.raises(ArchiveError, match="damaged"):
        archive.body(stored)
    file.unlink()
    with pytest.raises(ArchiveError, match="missing"):
        archive.body(stored)


def test_deliveries_come_in_order_of_retrieval(tmp_path: Path) -> None:
    archive = Archive(str(tmp_path))
    for day in ("2026-09-30", "2023-07-19"):
        archive.write(_snapshot(day.encode(), f"{day}T00:00:00+00:00"), day.encode(), 1)
    assert [delivery[:8] for delivery in archive.deliveries("bns", "d")] == ["20230719", "20260930"]


def test_an_unknown_request_is_an_error_that_names_what_there_is(tmp_path: Path) -> None:
    archive = Archive(str(tmp_path))
    archive.write(_snapshot(b"x"), b"x", 1)
    transport = ReplayTransport(archive, "bns", "d", archive.deliveries("bns", "d")[0])
    assert transport.ask(REQUEST).sha256 == hashlib.sha256(b"x").hexdigest()
    with pytest.raises(ArchiveError, match=r"no answer to GET .*agency\.example/other.*it holds: GET https://agency\.example/data"):
        transport.ask(Request("GET", "https://agency.example/other"))


def test_a_mirror_asks_the_same_question(tmp_path: Path) -> None:
    mirror = Request("GET", "http://127.0.0.1:8080/data", params=(("a", "1"),))
    assert mirror.fingerprint == REQUEST.fingerprint
    assert Request("GET", REQUEST.url, params=(("a", "2"),)).fingerprint != REQUEST.fingerprint
