"""The archive is write-once, and says so when it is damaged."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from extractors.archive import Archive, ArchiveError, Request, Snapshot
from extractors.http import ReplayTransport, UndeclaredError

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


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"request": {}}', '{"request": {"params": [], "form": [], "method": "GET", "url": ""}}']
)
def test_a_damaged_or_missing_manifest_is_named(tmp_path: Path, text: str) -> None:
    archive = Archive(str(tmp_path))
    stored = archive.write(_snapshot(b"x"), b"x", 1)
    (tmp_path / stored.manifest).write_text(text, "utf-8")
    with pytest.raises(ArchiveError, match=rf"the manifest {re.escape(stored.manifest)} is damaged: .*: restore the archive"):
        archive.snapshots("bns", "d", "20260101T000000+0000")
    (tmp_path / stored.manifest).unlink()
    with pytest.raises(ArchiveError, match=rf"the manifest {re.escape(stored.manifest)} is missing: restore the archive"):
        archive.read_manifest(stored.manifest)


@pytest.mark.parametrize(
    "field", ["licence", "capture", "attribution", "retrieved_at", "sha256", "status", "request", "edition", "note", "delivery"]
)
def test_a_manifest_that_was_edited_since_it_was_recorded_is_named(field: str) -> None:
    stored = replace(_snapshot(b"x"), manifest="manifests/bns/d/20260101T000000+0000/001.json")
    recorded = json.loads(json.dumps(stored.recorded))
    stored.refuse_other([])
    stored.refuse_other([recorded])
    stored.refuse_other([recorded | {"retrieved_at": "2026-01-01T03:00:00.000+03:00", "edition": None}])
    other = {
        "status": 500, "capture": "live", "request": Request("GET", REQUEST.url, params=(("a", "2"),)), "retrieved_at": "2026-01-02",
        "delivery": "2026-01-02T00:00:00+00:00",
    }.get(field, "another")  # fmt: skip
    changes: dict[str, Any] = {field: other}
    with pytest.raises(
        ArchiveError, match=rf"bns\.d: the manifest {re.escape(stored.manifest)} was edited: .*recorded was .*: restore the archive"
    ) as raised:
        replace(stored, **changes).refuse_other([recorded])
    assert ("snapshot_key" if field == "delivery" else field) in str(raised.value)


def test_bytes_manifests_and_folders_are_on_disk_when_they_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forced: list[str] = []
    real, root = os.fsync, tmp_path / "archive"

    def fsync(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        forced.append("archive" if path == root else str(path.relative_to(root if path.is_relative_to(root) else tmp_path)))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    snapshot, pid = _snapshot(b"x"), os.getpid()
    folder, sha = "manifests/bns/d/20260101T000000+0000", snapshot.sha256
    [stored] = Archive(str(root)).write_delivery([(snapshot, b"x")])
    name = stored.manifest.rpartition("/")[2]
    body = f"snapshots/{sha[:2]}/{sha}"
    assert forced == [
        ".", "archive", "snapshots", f"{body}.{pid}.part", f"snapshots/{sha[:2]}",
        "archive", "manifests", "manifests/bns", "manifests/bns/d", f"{folder}.part/{name}.{pid}.part", f"{folder}.part", "manifests/bns/d",
    ]  # fmt: skip
    forced.clear()
    Archive(str(root)).write(snapshot, b"x", 1)
    assert forced == [body, f"snapshots/{sha[:2]}", stored.manifest, folder], "who wrote them may have been killed before they were there"


def test_a_full_disk_leaves_nothing_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    archive = Archive(str(tmp_path))
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            archive.write(_snapshot(b"x"), b"x", 1)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert archive.body(archive.write(_snapshot(b"x"), b"x", 1)) == b"x"


def test_a_store_of_objects_holds_an_archive_too() -> None:
    archive = Archive("memory://an-archive")
    [stored] = archive.write_delivery([(_snapshot(b"x"), b"x")])
    assert archive.deliveries("bns", "d") == ["20260101T000000+0000"]
    assert archive.body(archive.read_manifest(stored.manifest)) == b"x"


def test_deliveries_come_in_order_of_retrieval(tmp_path: Path) -> None:
    archive = Archive(str(tmp_path))
    for day in ("2026-09-30", "2023-07-19"):
        archive.write(_snapshot(day.encode(), f"{day}T00:00:00+00:00"), day.encode(), 1)
    assert [delivery[:8] for delivery in archive.deliveries("bns", "d")] == ["20230719", "20260930"]


def test_an_unknown_request_is_an_error_that_names_what_there_is(tmp_path: Path) -> None:
    archive = Archive(str(tmp_path))
    archive.write(_snapshot(b"x"), b"x", 1)
    transport = ReplayTransport(archive, "bns", "d", archive.deliveries("bns", "d")[0])
    unknown = {"other": Request("GET", "https://agency.example/other")}
    with pytest.raises(
        UndeclaredError, match=r"no answer to .*declared: other \(GET .*/other\); it holds: GET .*/data a=1.*record bns d FILE"
    ):
        transport.answers(unknown)
    with pytest.raises(UndeclaredError, match=r"nobody declares .*GET https://agency.example/data a=1.*extractors/bns/source\.yml"):
        transport.check()
    [found] = transport.answers({**unknown, "data": REQUEST})
    assert found.sha256 == hashlib.sha256(b"x").hexdigest()
    transport.check()


def test_a_question_is_declared_if_all_that_it_asks_for_is() -> None:
    def asks(*pairs: str) -> Request:
        return Request("GET", REQUEST.url, params=tuple((pair[0], pair[1:]) for pair in pairs))

    batches = [asks("i1", "i2", "v7"), asks("i3", "v7")]
    assert asks("i2", "i3", "v7").is_among(batches), "cut into questions in another way"
    assert not asks("i2", "i4", "v7").is_among(batches), "an indicator that is not declared"
    assert not asks("i2", "v8").is_among(batches), "another version"
    assert not asks("i2").is_among(batches), "no version at all"
    assert not asks("i2", "g1", "v7").is_among(batches), "one country, where all are declared"
    assert not Request("POST", REQUEST.url, params=batches[0].params).is_among(batches)


def test_an_overlay_is_written_and_what_lies_below_is_only_read(tmp_path: Path) -> None:
    below = Archive(str(tmp_path / "below"))
    old = below.write(_snapshot(b"x"), b"x", 1)
    archive = Archive(str(tmp_path / "over"), str(tmp_path / "below"))
    assert archive.deliveries("bns", "d") == below.deliveries("bns", "d")
    assert (archive.read_manifest(old.manifest), archive.body(old)) == (old, b"x")
    before = sorted(tmp_path.rglob("*"))
    archive.write(_snapshot(b"x"), b"x", 1)
    assert sorted(tmp_path.rglob("*")) == before, "what lies below is not stored twice"
    with pytest.raises(ArchiveError, match="write-once"):
        archive.write(_snapshot(b"y"), b"y", 1)
    files = {file: file.read_bytes() for file in (tmp_path / "below").rglob("*") if file.is_file()}
    later = "2026-02-01T00:00:00+00:00"
    [new] = archive.write_delivery([(_snapshot(b"y", later), b"y")])
    assert [archive.body(found) for day in archive.deliveries("bns", "d") for found in archive.snapshots("bns", "d", day)] == [b"x", b"y"]
    assert archive.read_manifest(new.manifest) == new
    assert {file: file.read_bytes() for file in (tmp_path / "below").rglob("*") if file.is_file()} == files


def test_a_delivery_that_was_not_written_to_its_end_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive, answers = Archive(str(tmp_path)), [(_snapshot(b"x"), b"x")]

    def killed(self: Path, target: str) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", killed)
        with pytest.raises(KeyboardInterrupt):
            archive.write_delivery(answers)
    assert archive.deliveries("bns", "d") == []
    archive.write_delivery(answers)
    assert len(archive.deliveries("bns", "d")) == 1


def test_a_mirror_asks_the_same_question(tmp_path: Path) -> None:
    mirror = Request("GET", "http://127.0.0.1:8080/data", params=(("a", "1"),))
    assert mirror.fingerprint == REQUEST.fingerprint
    assert Request("GET", REQUEST.url, params=(("a", "2"),)).fingerprint != REQUEST.fingerprint
