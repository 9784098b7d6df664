"""Journal, head record and mirror: what a kill leaves heals by itself, a lost end comes back, and anything else is refused by name."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from extractors.caught_up import caught_up
from extractors.replay import catch_up
from tests.conftest import new_profile
from tests.state import read
from warehouse import ledger, steps
from warehouse.connection import connect
from warehouse.journal import HEAD, Entry, Head, Journal, JournalError, OvertakenError, now
from warehouse.profile import Profile


def _record(profile: Profile, number: int, kind: str = "refused") -> Entry:
    """An entry that changes nothing but the journal."""
    body = {"publication_key": number, "reason": f"a test, {number}", "results": [], "code_fingerprint": "0"}
    with connect(profile, "koshi_loader") as connection:
        return ledger.record(connection, Journal(profile.journal), kind, body)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, migrated: str) -> tuple[Profile, list[tuple[object, ...]]]:
    """A warehouse whose journal has four entries, all of them applied, and the rows of its mirror."""
    profile = new_profile(tmp_path_factory.mktemp("made"), "koshi_chain", like=migrated)
    for number in range(1, 5):
        _record(profile, number)
    return profile, read(profile, "select * from meta.journal_entry order by sequence")


@pytest.fixture
def four(made: tuple[Profile, list[tuple[object, ...]]], tmp_path: Path) -> Profile:
    """That warehouse as it was made, with a journal of its own to be damaged."""
    profile, rows = made
    with connect(profile) as connection, connection.cursor() as cursor:
        cursor.execute("truncate meta.journal_entry")
        cursor.executemany(
            "insert into meta.journal_entry (sequence, kind, entry, recorded_at, digest) values (%s, %s, %s, %s, %s)",
            [(number, kind, Jsonb(entry), at, digest) for number, kind, entry, at, digest in rows],
        )
    return dataclasses.replace(profile, journal=str(shutil.copytree(profile.journal, tmp_path / "journal")))


def _heads(profile: Profile) -> tuple[Head | None, Head | None, Head]:
    """Where the files, the head record and the mirror end."""
    entries, mirrored = Journal(profile.journal).entries(), read(profile, "select sequence, digest from meta.journal_entry order by 1")
    return entries[-1].head, Journal(profile.journal).head_record(), Head(*mirrored[-1])  # type: ignore[arg-type]


def _entry(profile: Profile, number: int) -> Path:
    return Path(Journal(profile.journal).path(number))


def _empty(profile: Profile) -> Profile:
    """The same journal and a database that has applied nothing: the entries of these tests change nothing but the mirror."""
    with connect(profile) as connection:
        connection.execute("truncate meta.journal_entry")
    return profile


def _die(profile: Profile, place: str, number: int) -> None:
    child = os.fork()
    if child == 0:
        os.environ["KOSHI_KILL_AT"] = place
        try:
            with connect(profile, "koshi_loader") as connection:
                ledger.record(
                    connection, Journal(profile.journal), "refused", {"results": [], "publication_key": number, "reason": "killed"}
                )
                os.kill(os.getpid(), signal.SIGKILL)  # after the head record, before the commit
        finally:
            os._exit(7)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status)


@pytest.mark.parametrize("place", ["head", "the commit"])
def test_a_kill_between_entry_head_record_and_commit_heals_by_itself(four: Profile, place: str) -> None:
    _die(four, place, 5)
    assert (Journal(four.journal).head(), len(read(four, "select 1 from meta.journal_entry"))) == (5, 4)
    with pytest.raises(OvertakenError, match="run again"):
        _record(four, 6)
    assert caught_up(four, lambda: _record(four, 6)).sequence == 6
    files, head, mirrored = _heads(four)
    assert files == head == mirrored
    assert files
    assert files.sequence == 6


def test_a_kill_while_an_entry_is_written_leaves_nothing(four: Profile) -> None:
    Path(four.journal, "00000005.json.1.part").write_bytes(b'{"sequence"')
    Path(four.journal, f"{HEAD}.1.part").write_bytes(b"")
    assert catch_up(four).entries == 0
    assert caught_up(four, lambda: _record(four, 5)).sequence == 5


@pytest.mark.parametrize("lost", [{4}, {3, 4}, {1, 2, 3, 4}], ids=str)
@pytest.mark.parametrize("head", ["kept", "lost"])
def test_a_lost_end_comes_back_from_the_database(four: Profile, lost: set[int], head: str) -> None:
    entries = Journal(four.journal).entries()
    for number in lost:
        _entry(four, number).unlink()
    if head == "lost":
        Path(four.journal, HEAD).unlink()
    assert catch_up(four).entries == 0
    again = Journal(four.journal).entries()
    assert [(entry, entry.digest) for entry in again] == [(entry, entry.digest) for entry in entries]
    assert Journal(four.journal).head_record() == entries[-1].head
    assert f"had lost entr{'y 4' if lost == {4} else f'ies {min(lost)} to 4'}: written anew" in " ".join(steps.notes())
    assert catch_up(_empty(four)).entries == 4, "and a new database is made of it"


def test_a_lost_end_is_not_made_of_an_edited_mirror(four: Profile) -> None:
    _entry(four, 4).unlink()
    with connect(four) as connection:
        connection.execute('update meta.journal_entry set entry = entry || \'{"reason": "another"}\' where sequence = 4')
    with pytest.raises(JournalError, match=r"meta\.journal_entry 4 is missing or does not follow"):
        catch_up(four)
    assert not _entry(four, 4).exists()


def test_a_lost_end_without_its_mirror_is_refused(four: Profile) -> None:
    _entry(four, 4).unlink()
    fresh = _empty(four)
    with pytest.raises(JournalError, match="names entry 4, and the last that is there is 3"):
        catch_up(fresh)
    assert read(fresh, "select 1 from meta.journal_entry") == [], "nothing was applied"


def test_a_lost_head_record_is_written_anew(four: Profile) -> None:
    Path(four.journal, HEAD).unlink()
    fresh = _empty(four)
    assert catch_up(fresh).entries == 4
    assert "cannot be known" in " ".join(steps.notes())
    files, head, mirrored = _heads(fresh)
    assert files == head == mirrored


def test_a_head_record_of_an_earlier_day_is_vouched_for_by_the_database_alone(four: Profile) -> None:
    journal = Journal(four.journal)
    first, last = journal.entries()[0].head, journal.entries()[-1].head
    journal.write_head(first)
    assert catch_up(four).entries == 0
    assert journal.head_record() == last
    journal.write_head(first)
    with pytest.raises(JournalError, match="nothing vouches for 2 to 4"):
        catch_up(_empty(four))


def _edit(profile: Profile, number: int, **changes: Any) -> None:
    content = json.loads(_entry(profile, number).read_text("utf-8"))
    _entry(profile, number).write_text(json.dumps(content | changes), "utf-8")


def _exchange(profile: Profile) -> None:
    two, three = _entry(profile, 2).read_bytes(), _entry(profile, 3).read_bytes()
    _entry(profile, 2).write_bytes(three)
    _entry(profile, 3).write_bytes(two)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_exchange, r"00000002\.json carries the number 3"),
        (lambda profile: _edit(profile, 3, body={"results": []}), r"00000003\.json was edited"),
        (lambda profile: _entry(profile, 2).unlink(), "the first is 2"),
        (lambda profile: Path(profile.journal, "notes.json").write_text("{}"), r"notes\.json is no file of a journal"),
        (lambda profile: _entry(profile, 4).write_text("[]"), r"00000004\.json is no entry"),
        (lambda profile: _entry(profile, 1).write_bytes(b""), r"00000001\.json is damaged"),
        (lambda profile: Journal(profile.journal).append(Entry(5, "other", now(), {})), "entry 5 is of kind 'other'.*use newer code"),
    ],
    ids=["exchanged", "edited", "lost", "foreign", "a list", "empty", "unknown kind"],
)  # fmt: skip
def test_a_damaged_journal_is_refused_before_anything_is_applied(four: Profile, damage: Any, message: str) -> None:
    damage(four)
    with pytest.raises(JournalError, match=message):
        catch_up(four)  # this database has applied them all, and says so none the less
    fresh = _empty(four)
    with pytest.raises(JournalError, match=message):
        catch_up(fresh)
    assert read(fresh, "select 1 from meta.journal_entry") == []


def test_an_entry_that_is_edited_and_signed_is_not_what_the_database_applied(four: Profile) -> None:
    journal = Journal(four.journal)
    last = journal.entries()[-1]
    edited = Entry(4, last.kind, last.at, last.body | {"reason": "another"}, last.previous)
    journal.write(edited)
    journal.write_head(edited.head)
    with pytest.raises(JournalError, match=r"00000004\.json is not the entry 4 that this database has applied"):
        catch_up(four)


def test_the_journal_of_another_warehouse_is_refused(four: Profile) -> None:
    last = Journal(four.journal).entries()[-1]
    for file in Path(four.journal).iterdir():
        file.unlink()
    for number in range(1, 5):
        Journal(four.journal).append(Entry(number, last.kind, now(), last.body))
    with pytest.raises(JournalError, match="of two warehouses"):
        catch_up(four)


def _as_of_an_earlier_version(profile: Profile) -> None:
    """The same history as older code left it: entries without a digest, in the journal and in the mirror, and no head record."""
    for number in range(1, 5):
        content = json.loads(_entry(profile, number).read_text("utf-8"))
        _entry(profile, number).write_text(json.dumps({name: content[name] for name in ("sequence", "kind", "at", "body")}), "utf-8")
    Path(profile.journal, HEAD).unlink()
    with connect(profile) as connection:
        connection.execute("update meta.journal_entry set digest = null")


def test_an_earlier_journal_is_sealed_by_one_entry(four: Profile) -> None:
    _as_of_an_earlier_version(four)
    assert catch_up(four).entries == 0
    assert not Path(four.journal, HEAD).exists(), "who only looks writes nothing"
    assert _record(four, 6).sequence == 6
    entries = Journal(four.journal).entries()
    assert [entry.kind for entry in entries] == ["refused"] * 4 + ["sealed", "refused"]
    assert entries[4].body == {"entries": 4, "digest": entries[4].previous}
    assert catch_up(_empty(four)).entries == 6
    assert _record(four, 7).sequence == 7, "it is sealed once"

    _edit(four, 2, body={"results": []})
    with pytest.raises(JournalError, match=r"00000005\.json seals other entries than 1 to 4 as they are: one of these was edited"):
        catch_up(four)


def test_what_was_edited_before_it_was_sealed_is_not_sealed(four: Profile) -> None:
    _as_of_an_earlier_version(four)
    _edit(four, 2, body={"results": []})
    with pytest.raises(JournalError, match=r"00000002\.json is not the entry 2 that this database has applied"):
        _record(four, 6)
    assert Journal(four.journal).head() == 4


def test_a_lost_end_of_an_earlier_journal_comes_back_as_it_was(four: Profile) -> None:
    _as_of_an_earlier_version(four)
    before = json.loads(_entry(four, 4).read_text("utf-8"))
    _entry(four, 4).unlink()
    catch_up(four)
    assert json.loads(_entry(four, 4).read_text("utf-8")) == before


def test_a_kill_at_the_seal_heals_by_itself(four: Profile) -> None:
    _as_of_an_earlier_version(four)
    _die(four, "head", 6)
    assert Journal(four.journal).head() == 5
    assert caught_up(four, lambda: _record(four, 6)).sequence == 6
    assert [entry.kind for entry in Journal(four.journal).entries(after=4)] == ["sealed", "refused"]


@pytest.mark.parametrize("name", ["surprise", "release_key) values (1); drop table meta.run; --", 'a"b'])
def test_a_field_that_nobody_knows_is_refused_by_name(four: Profile, name: str) -> None:
    said = {"kind": "unpin", "release_key": None, "person": "a test", "reason": "to see"}
    with connect(four) as connection, pytest.raises(JournalError, match="entry 5, kind decided: column") as raised:
        ledger.apply(connection, Entry(5, "decided", now(), said | {name: 1}))
    assert name in str(raised.value)
    assert read(four, "select to_regclass('meta.run') is not null") == [(True,)]


def test_a_field_that_is_missing_is_named(four: Profile) -> None:
    with connect(four) as connection, pytest.raises(JournalError, match="the field 'snapshots' is missing"):
        ledger.apply(connection, Entry(5, "landed", now(), {"source": "s", "dataset": "d"}))
    with connect(four) as connection, pytest.raises(JournalError, match='"reason" of relation "decision" violates not-null'):
        ledger.apply(connection, Entry(5, "decided", now(), {"kind": "unpin", "person": "a test"}))


def test_a_copy_of_the_journal_is_the_journal(four: Profile, tmp_path: Path) -> None:
    shutil.copytree(four.journal, tmp_path / "copy")
    moved = dataclasses.replace(_empty(four), journal=str(tmp_path / "copy"))
    assert catch_up(moved).entries == 4
