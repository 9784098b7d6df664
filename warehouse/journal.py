"""The journal: a numbered, write-once record of every change of a release's state and of every publication.

    00000001.json …     one file an entry: its number, what it says, the digest of the entry before, and the digest of all of that
    HEAD                number and digest of the last entry, replaced after each

Together with the archive it is all that the warehouse is made from: an entry is on disk, then the head record, then the database commits,
and `meta.journal_entry` mirrors which entries a database has applied (`warehouse/mirror.py`). An entry that the mirror lacks (the process
was killed in between, or the database is new) is applied by `extractors.replay`.
Entries of earlier versions carry no digest. The chain begins with the first entry that does, and that one names all entries before it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, NamedTuple

import fsspec

from warehouse import durable
from warehouse.steps import reached

HEAD = "HEAD"
RESTORE = "Nothing was applied: restore the journal from a backup (make restore, docs/operations.md)"
_NAME = re.compile(r"(\d{8})\.json")
_UNFINISHED = re.compile(rf"(\d{{8}}\.json|{HEAD})(\.\d+)?{re.escape(durable.UNFINISHED)}")
# a figure with a point and zeros, or with a power; inside a text it costs time and changes nothing
_MAY_BE_SPELT_OTHERWISE = re.compile(r"\d\.0|\de[-+]?\d")
_FIELDS = {"sequence": int, "kind": str, "at": str, "body": dict}
_LINKS = {"previous": str, "digest": str}


class JournalError(RuntimeError):
    """The journal is damaged, or it and the database say different things; the message names the entry and what to do."""


class OvertakenError(JournalError):
    """What this deed went by was changed by another process or a person meanwhile; nothing of it was kept, and it is done again."""


class Head(NamedTuple):
    """The last entry: its number and its digest; no digest for an entry of an earlier version."""

    sequence: int
    digest: str | None


@dataclass(frozen=True)
class Entry:
    """One numbered record. `at` is the instant (UTC, ISO 8601) that the ledger shows as recorded.

    `body` is JSON as it is read back: texts for keys, lists, no tuples.
    `previous` is the digest of the entry before, empty for the first, None for an entry of an earlier version.
    """

    sequence: int
    kind: str
    at: str
    body: dict[str, Any]
    previous: str | None = field(default=None, compare=False)

    @cached_property
    def digest(self) -> str:
        """The sha256 of all that the entry says, `previous` included; order of keys and spelling of figures do not count."""
        content = {"sequence": self.sequence, "kind": self.kind, "at": self.at, "body": self.body, "previous": self.previous}
        text = _canonical(content)
        if _MAY_BE_SPELT_OTHERWISE.search(text):
            text = _canonical(json.loads(text, parse_float=_figure))
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def head(self) -> Head:
        """What a head record says while this entry is the last."""
        return Head(self.sequence, None if self.previous is None else self.digest)


def _canonical(content: object) -> str:
    return json.dumps(content, sort_keys=True, separators=(",", ":"))


def _figure(text: str) -> float:
    """A figure as it comes out of `jsonb`, which writes 1e16 as 10000000000000000."""
    number = float(text)
    return int(number) if number.is_integer() else number


def digest_of_all(entries: Sequence[Entry]) -> str:
    """The digest of the last of all entries from the first on, as the next one names it; empty for none."""
    digest = ""
    for entry in entries:
        digest = (replace(entry, previous=digest) if entry.previous is None else entry).digest
    return digest


def now() -> str:
    """The current instant in UTC, ISO 8601, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


class Journal:
    """A folder or any fsspec URL with one file an entry, `00000001.json` and on, and the head record."""

    def __init__(self, url: str) -> None:
        self.fs, self.root = fsspec.core.url_to_fs(url)
        self.root = self.root.rstrip("/")

    def head(self) -> int:
        """The number of the last entry, 0 for an empty journal."""
        return max(self._numbers([]), default=0)

    def head_record(self) -> Head | None:
        """What the head record says; None if there is none. Raises `JournalError` if it says nothing."""
        try:
            content = json.loads(self.fs.cat_file(f"{self.root}/{HEAD}"))
            return Head(int(content["sequence"]), str(content["digest"]))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, KeyError) as error:
            raise JournalError(f"{self.root}/{HEAD} is damaged: expected number and digest of the last entry. {RESTORE}") from error

    def append(self, entry: Entry) -> None:
        """Writes the entry, then the head record, durably; an entry that names none before it is linked to the last.

        Raises `JournalError` if its number is taken.
        """
        if self.fs.exists(self.path(entry.sequence)):
            raise JournalError(f"{self.path(entry.sequence)} exists: two writers without the journal lock")
        if entry.previous is None:
            entry = replace(entry, previous=digest_of_all(self.entries()))
        self.write(entry)
        reached("head")
        self.write_head(entry.head)

    def write(self, entry: Entry) -> None:
        """Writes the file of an entry, durably where the store is a local folder; the head record stays."""
        content = {name: getattr(entry, name) for name in (*_FIELDS, "previous")}
        content |= {"digest": entry.digest} if content["previous"] is not None else {}
        text = json.dumps({key: value for key, value in content.items() if value is not None}, ensure_ascii=False, indent=1)
        durable.put(self.fs, self.path(entry.sequence), text.encode() + b"\n")

    def write_head(self, head: Head) -> None:
        """Replaces the head record."""
        durable.put(self.fs, f"{self.root}/{HEAD}", json.dumps(head._asdict()).encode() + b"\n")

    def entries(self, after: int = 0) -> list[Entry]:
        """The entries numbered above `after`, in order.

        Raises `JournalError` naming what is foreign, missing, exchanged, edited or unreadable anywhere in the journal.
        """
        entries, faults = self.examine()
        if faults or (faults := faults_of_head(self, entries, self.head_record())):
            raise JournalError("\n".join(faults))
        return entries[after:]

    def examine(self) -> tuple[list[Entry], list[str]]:
        """The entries that can be read, and a line on each fault of the chain; the head record is not looked at."""
        faults: list[str] = []
        entries: list[Entry] = []
        numbers = self._numbers(faults)
        if missing := sorted(set(range(1, len(numbers) + 1)) - set(numbers)):
            faults.append(f"{self.root}: entries are missing, the first is {missing[0]} (the last is {numbers[-1]}). {RESTORE}")
        digest: str | None = ""  # of the entry before; None if that is not known
        for last, number in zip([0, *numbers], numbers, strict=False):
            digest = digest if number == last + 1 else None
            found = self._read(number)
            if isinstance(found, str):
                faults.append(f"{found}. {RESTORE}")
                digest = None
                continue
            entry, stated = found
            if fault := self._fault(entry, stated, digest, entries):
                faults.append(f"{self.path(number)} {fault}. {RESTORE}")
            entries.append(entry)
            if digest is not None or stated is not None:
                digest = stated or replace(entry, previous=digest).digest
        return entries, faults

    def path(self, number: int) -> str:
        """Where the entry of that number lies."""
        return f"{self.root}/{number:08d}.json"

    @staticmethod
    def _fault(entry: Entry, stated: str | None, digest: str | None, before: Sequence[Entry]) -> str:
        """What is wrong with an entry that can be read: with the digest it states, and with its place behind the one before."""
        if stated is None:
            return "carries no digest, though an entry before it does" if before and before[-1].previous is not None else ""
        if entry.digest != stated:
            return "was edited: its content does not match its digest"
        if digest is None or entry.previous == digest:
            return ""
        if before and before[-1].previous is None:
            return f"seals other entries than 1 to {entry.sequence - 1} as they are: one of these was edited"
        return f"does not follow entry {entry.sequence - 1}: one of the two was edited or exchanged"

    def _read(self, number: int) -> tuple[Entry, str | None] | str:
        """An entry with the digest that it states, or what is wrong with its file."""
        path = self.path(number)
        try:
            content = json.loads(self.fs.cat_file(path))
        except (ValueError, RecursionError) as error:
            return f"{path} is damaged: {error}"
        expected = _FIELDS | (_LINKS if isinstance(content, dict) and _LINKS.keys() & content.keys() else {})
        if not isinstance(content, dict) or content.keys() != expected.keys():
            found = f"one with {', '.join(sorted(content)) or 'nothing'}" if isinstance(content, dict) else type(content).__name__
            return f"{path} is no entry: expected an object with {', '.join(expected)}, found {found}"
        if wrong := [name for name, kind in expected.items() if not isinstance(content[name], kind)]:
            return f"{path} is no entry: {', '.join(wrong)} should be {', '.join(expected[name].__name__ for name in wrong)}"
        if content["sequence"] != number:
            return f"{path} carries the number {content['sequence']}: entries were exchanged or renamed"
        stated = content.pop("digest", None)
        return Entry(**content), stated

    def _numbers(self, faults: list[str]) -> list[int]:
        """The numbers of the entries, in order; `faults` gets a line on each file that is none of ours. Hidden files are not looked at."""
        try:
            found = self.fs.ls(self.root, detail=True, refresh=True)
        except FileNotFoundError:
            return []
        names = sorted(file["name"].rstrip("/").rpartition("/")[2] for file in found if file["type"] == "file")
        numbers = []
        for name in names:
            if match := _NAME.fullmatch(name):
                numbers.append(int(match[1]))
            elif name != HEAD and not name.startswith(".") and not _UNFINISHED.fullmatch(name):
                faults.append(f"{self.root}/{name} is no file of a journal. Nothing was applied: move it away")
        return numbers


def faults_of_head(journal: Journal, entries: Sequence[Entry], head: Head | None) -> list[str]:
    """What the head record says against the entries; it is behind by the last one where a process was killed between the two."""
    if head is None:
        return []
    where = f"{journal.root}/{HEAD}"
    if head.sequence > len(entries):
        return [f"{where} names entry {head.sequence}, and the last that is there is {len(entries)}: entries were lost. {RESTORE}"]
    if head.sequence < 1 or entries[head.sequence - 1].head != head:
        return [f"{where} names another entry {head.sequence} than the one that is there, which was edited or exchanged. {RESTORE}"]
    if head.sequence < len(entries) - 1:
        lost = f"{head.sequence + 1} to {len(entries)}"
        return [f"{where} ends at entry {head.sequence}, and nothing vouches for {lost}: one of an earlier day was put back. {RESTORE}"]
    return []
