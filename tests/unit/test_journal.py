"""The journal is numbered, write-once, linked and complete, or it says what is wrong."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from warehouse.journal import HEAD, Entry, Journal, JournalError


def _entry(number: int) -> Entry:
    return Entry(number, "judged", "2026-01-01T00:00:00.000+00:00", {"kind": "a body may have its own kind", "state": "accepted"})


@pytest.fixture(scope="module")
def four(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with four entries and their head record."""
    journal = Journal(str(tmp_path_factory.mktemp("journal")))
    for number in (1, 2, 3, 4):
        journal.append(_entry(number))
    return Path(journal.root)


@pytest.fixture
def journal(four: Path, tmp_path: Path) -> Journal:
    """Four entries and their head record, to be damaged."""
    return Journal(str(shutil.copytree(four, tmp_path / "journal")))


def _file(journal: Journal, number: int) -> Path:
    return Path(journal.path(number))


def _edit(file: Path, **changes: Any) -> None:
    file.write_text(json.dumps(json.loads(file.read_text("utf-8")) | changes), "utf-8")


def test_entries_are_read_back_in_order(tmp_path: Path) -> None:
    journal = Journal(str(tmp_path / "journal"))
    assert journal.head() == 0
    for number in (1, 2, 3):
        journal.append(_entry(number))
    assert journal.head() == 3
    assert journal.entries(after=1) == [_entry(2), _entry(3)]


def test_each_entry_names_the_one_before_and_the_head_record_names_the_last(journal: Journal) -> None:
    entries = journal.entries()
    assert [entry.previous for entry in entries] == ["", *(entry.digest for entry in entries[:-1])]
    assert journal.head_record() == entries[-1].head
    assert len({entry.digest for entry in entries}) == 4


def test_a_store_of_objects_holds_a_journal_too() -> None:
    journal = Journal("memory://a-journal")
    for number in (1, 2):
        journal.append(_entry(number))
    assert journal.entries() == [_entry(1), _entry(2)]
    assert journal.head_record() == journal.entries()[-1].head


def test_a_number_that_is_taken_is_refused(journal: Journal) -> None:
    with pytest.raises(JournalError, match="two writers"):
        journal.append(_entry(1))


def _exchange(journal: Journal) -> None:
    three, two = _file(journal, 3).read_bytes(), _file(journal, 2).read_bytes()
    _file(journal, 2).write_bytes(three)
    _file(journal, 3).write_bytes(two)


def _write(name: str, text: str) -> Callable[[Journal], object]:
    return lambda journal: Path(journal.root, name).write_text(text, "utf-8")


def _edit_and_sign(journal: Journal, number: int) -> None:
    """An edit by somebody who knows how a digest is made."""
    entry = journal.entries()[number - 1]
    journal.write(Entry(number, entry.kind, entry.at, entry.body | {"state": "rejected"}, entry.previous))


def _strip(file: Path) -> None:
    """An entry as an earlier version would write it."""
    content = json.loads(file.read_text("utf-8"))
    file.write_text(json.dumps({key: content[key] for key in ("sequence", "kind", "at", "body")}), "utf-8")


def _lose_all(journal: Journal) -> None:
    for number in (1, 2, 3, 4):
        _file(journal, number).unlink()


FAULTS: dict[str, tuple[Callable[[Journal], object], str]] = {
    "exchanged": (_exchange, r"00000002\.json carries the number 3: entries were exchanged"),
    "a copy": (lambda j: _file(j, 4).write_bytes(_file(j, 3).read_bytes()), r"00000004\.json carries the number 3"),
    "edited": (lambda j: _edit(_file(j, 2), body={"state": "rejected"}), r"00000002\.json was edited"),
    "another instant": (lambda j: _edit(_file(j, 2), at="2026-01-02T00:00:00.000+00:00"), r"00000002\.json was edited"),
    "the last edited": (lambda j: _edit(_file(j, 4), body={"state": "rejected"}), r"00000004\.json was edited"),
    "edited and signed": (lambda j: _edit_and_sign(j, 2), r"00000003\.json does not follow entry 2"),
    "the last edited and signed": (lambda j: _edit_and_sign(j, 4), "HEAD names another entry 4"),
    "without a digest": (lambda j: _strip(_file(j, 3)), r"00000003\.json carries no digest"),
    "lost in the middle": (lambda j: _file(j, 2).unlink(), "entries are missing, the first is 2"),
    "the first lost": (lambda j: _file(j, 1).unlink(), "entries are missing, the first is 1"),
    "the end lost": (lambda j: _file(j, 4).unlink(), "HEAD names entry 4, and the last that is there is 3"),
    "all lost but the head": (_lose_all, "HEAD names entry 4, .* is 0"),
    "a note": (_write("notes.json", "{}"), r"notes\.json is no file of a journal.*move it away"),
    "a note that is no json": (_write("READ ME", ""), "READ ME is no file of a journal"),
    "a number of its own": (_write("5.json", "{}"), r"5\.json is no file of a journal"),
    "a list": (_write("00000003.json", "[]"), r"00000003\.json is no entry: expected an object with sequence.*found list"),
    "a figure": (_write("00000003.json", "3"), r"00000003\.json is no entry.*found int"),
    "empty": (_write("00000003.json", ""), r"00000003\.json is damaged"),
    "cut": (lambda j: os.truncate(_file(j, 3), 40), r"00000003\.json is damaged"),
    "no text": (lambda j: _file(j, 3).write_bytes(b"\xff\xfe\x00"), r"00000003\.json is damaged"),
    "nested": (_write("00000003.json", "[" * 200_000), r"00000003\.json is damaged"),
    "a field too many": (lambda j: _edit(_file(j, 3), more=1), r"00000003\.json is no entry: expected an object.*found one with at, body"),
    "a body that is none": (lambda j: _edit(_file(j, 3), body=[]), r"00000003\.json is no entry: body should be dict"),
    "a head that says nothing": (_write(HEAD, ""), "HEAD is damaged"),
    "a head of an earlier day": (lambda j: j.write_head(j.entries()[1].head), "HEAD ends at entry 2, and nothing vouches for 3 to 4"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_wrong_is_named_with_what_to_do(journal: Journal, fault: str) -> None:
    make, message = FAULTS[fault]
    make(journal)
    with pytest.raises(JournalError, match=message) as raised:
        journal.entries(after=4)
    assert "Nothing was applied" in str(raised.value)


def test_each_fault_has_a_line_of_its_own(journal: Journal) -> None:
    _edit(_file(journal, 2), body={"state": "rejected"})
    _file(journal, 4).write_text("[]", "utf-8")
    with pytest.raises(JournalError) as raised:
        journal.entries()
    lines = str(raised.value).splitlines()
    assert [line.partition(" ")[0].rpartition("/")[2] for line in lines] == ["00000002.json", "00000004.json"]


def test_what_a_kill_leaves_is_no_fault(journal: Journal) -> None:
    entry = Entry(5, "judged", "2026-01-01T00:00:00.000+00:00", {}, journal.entries()[-1].digest)
    journal.write(entry)
    for name in ("00000006.json.123.part", "00000006.json.part", f"{HEAD}.123.part"):
        Path(journal.root, name).write_bytes(b"{")
    assert journal.entries(after=4) == [entry], "the entry is there, its head record is not yet"


def test_other_spelling_and_order_are_not_content(journal: Journal) -> None:
    body = {"b": 1e16, "a": [1.0, 0.1, 1e-7, -2.5]}
    last = journal.entries()[-1]
    journal.append(Entry(5, "judged", last.at, body))
    text = _file(journal, 5).read_text("utf-8").replace("1e-07", "0.0000001").replace("1e+16", "10000000000000000")
    content = json.loads(text)
    _file(journal, 5).write_text(json.dumps(dict(reversed(content.items()))), "utf-8")
    assert journal.entries(after=4)[0].body["a"] == [1.0, 0.1, 1e-7, -2.5]


def test_entry_and_names_are_on_disk_before_the_head_record_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forced: list[str] = []
    real, moved = os.fsync, Path.replace

    def fsync(descriptor: int) -> None:
        forced.append(str(Path(f"/proc/self/fd/{descriptor}").readlink().relative_to(tmp_path)))
        real(descriptor)

    def replace(self: Path, target: Path) -> Path:
        forced.append(f"-> {target.name}")
        return moved(self, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "replace", replace)
    Journal(str(tmp_path / "new" / "journal")).append(_entry(1))
    pid = os.getpid()
    assert forced == [
        ".", "new",
        f"new/journal/00000001.json.{pid}.part", "-> 00000001.json", "new/journal",
        f"new/journal/{HEAD}.{pid}.part", f"-> {HEAD}", "new/journal",
    ]  # fmt: skip
