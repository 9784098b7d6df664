"""The journal is numbered, write-once and complete, or it says what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from warehouse.journal import Entry, Journal, JournalError


def _entry(number: int) -> Entry:
    return Entry(number, "landed", "2026-01-01T00:00:00.000+00:00", {"kind": "a body may have its own kind"})


def test_entries_are_read_back_in_order(tmp_path: Path) -> None:
    journal = Journal(str(tmp_path / "journal"))
    assert journal.head() == 0
    for number in (1, 2, 3):
        journal.append(_entry(number))
    assert journal.head() == 3
    assert journal.entries(after=1) == [_entry(2), _entry(3)]


def test_a_number_that_is_taken_is_refused(tmp_path: Path) -> None:
    journal = Journal(str(tmp_path))
    journal.append(_entry(1))
    with pytest.raises(JournalError, match="two writers"):
        journal.append(_entry(1))


def test_a_missing_or_damaged_entry_is_named(tmp_path: Path) -> None:
    journal = Journal(str(tmp_path))
    for number in (1, 2, 3):
        journal.append(_entry(number))
    (tmp_path / "00000003.json").write_text("{")
    with pytest.raises(JournalError, match=r"00000003\.json is damaged"):
        journal.entries()
    (tmp_path / "00000002.json").unlink()
    with pytest.raises(JournalError, match="missing"):
        journal.entries()
