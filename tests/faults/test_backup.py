"""Archive and journal to a folder and back: plain copies, only what is lacking, never in place of something else.

That a warehouse made of a restored backup is the one that was backed up, with all that readers see, is in test_replay.py.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from extractors.archive import archive_of
from extractors.backup import NOTE, BackupError, Copied, back_up, restore
from extractors.delivery import deliver
from extractors.replay import catch_up
from tests.conftest import new_profile
from tests.faults.test_archive_rot import empty
from tests.small import arrivals, put, tree
from tests.state import state
from warehouse.journal import HEAD, Journal, JournalError
from warehouse.profile import ROOT, Profile

Made = tuple[Profile, Path]


@pytest.fixture(scope="module", params=["sample", "live"])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, migrated: str) -> Made:
    """A warehouse with two deliveries, and a backup of it; the sample has the second in its overlay."""
    folder = tmp_path_factory.mktemp("made")
    profile = dataclasses.replace(new_profile(folder, "koshi_backup", like=migrated), name=request.param)
    put(profile, "external_arrivals", tree(arrivals()), "2026-02-01")
    if request.param == "sample":
        profile = dataclasses.replace(profile, overlay=str(folder / "overlay"))
    over = dataclasses.replace(profile, archive=profile.overlay or profile.archive)
    put(over, "external_arrivals", tree(arrivals() | {2020: 1021}), "2026-03-01")
    # the deliveries are there already, so that the live one asks nobody
    list(deliver(dataclasses.replace(profile, name="sample"), "bns", "external_arrivals"))
    copied = back_up(profile, str(folder / "backup"))
    assert copied == Copied(answers=2, new_answers=2, entries=2, new_entries=2)
    return profile, folder / "backup"


@pytest.fixture
def backed_up(made: Made, tmp_path: Path) -> Made:
    """The profile on an empty machine, and a copy of its backup to be damaged."""
    profile, folder = made
    shutil.copytree(folder, tmp_path / "backup")
    new = tmp_path / "new"
    overlay = str(new / "overlay") if profile.overlay else ""
    return dataclasses.replace(profile, archive=str(new / "archive"), journal=str(new / "journal"), overlay=overlay), tmp_path / "backup"


def _files(folder: str | Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(Path(folder).rglob("*")) if file.is_file()}


def test_what_is_restored_on_an_empty_machine_makes_the_same_warehouse(made: Made, backed_up: Made) -> None:
    (old, _), (new, folder) = made, backed_up
    before = state(old)
    assert restore(new, str(folder)) == Copied(answers=2, new_answers=2, entries=2, new_entries=2)
    assert _files(new.overlay or new.archive) == _files(folder / "archive")
    assert _files(new.journal) == _files(old.journal)
    empty(new)
    assert catch_up(new).entries == 2
    assert state(new) == before
    assert restore(new, str(folder)) == Copied(answers=2, entries=2), "again writes nothing"


def test_what_lies_below_an_overlay_is_not_restored_twice(made: Made, backed_up: Made) -> None:
    (old, _), (new, folder) = made, backed_up
    there = dataclasses.replace(new, archive=old.archive)
    assert restore(there, str(folder)) == Copied(answers=2, new_answers=1 if old.overlay else 0, entries=2, new_entries=2)
    if old.overlay:
        assert _files(there.overlay) == _files(old.overlay)


def test_a_second_backup_writes_only_what_is_new(backed_up: Made) -> None:
    new, folder = backed_up
    restore(new, str(folder))
    assert back_up(new, str(folder)) == Copied(answers=2, entries=2)
    times = {file: file.stat().st_mtime_ns for file in folder.rglob("*/*") if file.is_file() and file.name != HEAD}
    put(dataclasses.replace(new, archive=new.overlay or new.archive), "external_arrivals", tree(arrivals() | {2020: 1022}), "2026-04-01")
    empty(new)
    catch_up(new)
    list(deliver(dataclasses.replace(new, name="sample"), "bns", "external_arrivals"))
    assert back_up(new, str(folder)) == Copied(answers=3, new_answers=1, entries=3, new_entries=1)
    assert times == {file: file.stat().st_mtime_ns for file in times}
    assert Journal(str(folder / "journal")).entries() == Journal(new.journal).entries()


def test_a_backup_cut_short_is_the_one_before(backed_up: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    new, folder = backed_up
    restore(new, str(folder))
    shutil.rmtree(new.journal)
    shutil.copytree(folder / "journal", new.journal)
    for number in (3, 4, 5):
        Journal(new.journal).append(dataclasses.replace(Journal(new.journal).entries()[-1], sequence=number, previous=None))

    def killed(self: Journal, head: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Journal, "write_head", killed)
        with pytest.raises(KeyboardInterrupt):
            back_up(new, str(folder))
    shutil.rmtree(new.journal)
    assert restore(new, str(folder)).entries == 2
    assert Journal(new.journal).head() == 2


def test_a_restore_cut_short_is_no_journal(backed_up: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    new, folder = backed_up
    write = Journal.write

    def killed(self: Journal, entry: object) -> None:
        if getattr(entry, "sequence", 0) == 2:
            raise KeyboardInterrupt
        write(self, entry)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(Journal, "write", killed)
        with pytest.raises(KeyboardInterrupt):
            restore(new, str(folder))
    empty(new)
    with pytest.raises(JournalError, match="HEAD names entry 2, and the last that is there is 1"):
        catch_up(new)
    restore(new, str(folder))
    assert catch_up(new).entries == 2


def _append(file: Path) -> None:
    file.write_bytes(file.read_bytes() + b"x")


def _one(folder: Path, pattern: str) -> Path:
    return next(file for file in sorted(folder.glob(pattern)) if file.is_file())


@pytest.mark.parametrize("pattern", ["snapshots/*/*", "manifests/*/*/*/*.json", "00000002.json"])
def test_nothing_is_restored_over_something_else(backed_up: Made, pattern: str) -> None:
    new, folder = backed_up
    restore(new, str(folder))
    file = _one(Path(new.journal if pattern.startswith("0") else new.overlay or new.archive), pattern)
    _append(file)
    gone = _one(Path(new.overlay or new.archive), "manifests/*/*/20260301*/*.json")
    content = gone.read_bytes() if gone != file else b""
    if gone != file:
        gone.unlink()
    before = _files(file.parent)
    with pytest.raises(BackupError, match="move it away, then restore again") as raised:
        restore(new, str(folder))
    assert file.name in str(raised.value)
    assert _files(file.parent) == before
    assert gone == file or not gone.exists(), "nor is anything else"
    file.unlink()
    restore(new, str(folder))
    assert gone == file or gone.read_bytes() == content
    assert _files(new.overlay or new.archive) == _files(folder / "archive")
    assert _files(new.journal) == _files(folder / "journal")


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "a body": (lambda folder: _append(_one(folder, "archive/snapshots/*/*")), "the bytes of .* are damaged"),
    "a manifest": (lambda folder: _append(_one(folder, "archive/manifests/*/*/*/*.json")), "is damaged"),
    "a manifest gone": (lambda folder: _one(folder, "archive/manifests/*/*/*/*.json").unlink(), "is missing"),
    "an entry": (lambda folder: _append(folder / "journal" / "00000001.json"), "00000001.json is damaged"),
    "an entry gone": (lambda folder: (folder / "journal" / "00000002.json").unlink(), f"are not the 2 that {NOTE} names"),
    "no note": (lambda folder: (folder / NOTE).unlink(), "no backup was finished there"),
    "an empty note": (lambda folder: (folder / NOTE).write_bytes(b""), f"{NOTE} is damaged"),
    "another profile": (lambda folder: _other_profile(folder / NOTE), "is a backup of the profile other, this is"),
}  # fmt: skip


def _other_profile(note: Path) -> None:
    note.write_text(json.dumps(json.loads(note.read_text("utf-8")) | {"profile": "other"}), "utf-8")


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_backup_is_not_restored(backed_up: Made, damage: str) -> None:
    new, folder = backed_up
    damaged, message = DAMAGES[damage]
    damaged(folder)
    with pytest.raises(BackupError, match=message):
        restore(new, str(folder))
    assert not Path(new.journal).parent.exists()


def test_a_backup_is_never_made_worse(backed_up: Made) -> None:
    new, folder = backed_up
    restore(new, str(folder))
    before = _files(folder)
    _append(_one(Path(new.overlay or new.archive), "snapshots/*/*"))
    copied = back_up(new, str(folder))
    assert "are damaged" in " ".join(copied.findings)
    assert _files(folder) == before
    (Path(new.journal) / "00000002.json").unlink()
    with pytest.raises(JournalError, match="HEAD names entry 2"):
        back_up(new, str(folder))
    (Path(new.journal) / HEAD).unlink()
    with pytest.raises(BackupError, match="of another journal, or of a later day"):
        back_up(new, str(folder))
    assert _files(folder) == before


def test_the_commands_work_without_a_database(tmp_path: Path) -> None:
    """On the sample as it is bundled, with a journal that has nothing yet; a server would have to be started for anything else."""
    environment = dict(os.environ) | {"KOSHI_STATE": str(tmp_path / "state"), "FOLDER": str(tmp_path / "a 'backup'")}

    def said(command: str) -> str:
        done = subprocess.run(
            [sys.executable, "pipeline.py", command], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    answers = len(archive_of(Profile("sample", str(ROOT / "extractors/bundled/archive"), "", tmp_path, "")).manifests())
    assert said("backup").startswith(f"sample: {answers} answers ({answers} new), 0 journal entries (0 new): backed up in")
    assert said("restore").startswith(f"sample: {answers} answers (0 new), 0 journal entries")
    assert not (tmp_path / "state" / "server.json").exists()
