"""The journal: a numbered, write-once record of every change of a release's state and of every publication.

Together with the archive it is all that the warehouse is made from: an entry is written before the database commits,
and `meta.journal_entry` mirrors which entries a database has applied. An entry that the mirror lacks (the process was
killed in between, or the database is new) is applied by `extractors.replay`.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import fsspec


class JournalError(RuntimeError):
    """The journal is damaged, or ahead of or behind the database in a way that must not happen."""


class OvertakenError(JournalError):
    """What this deed went by was changed by another process or a person meanwhile; nothing of it was kept, and it is done again."""


@dataclass(frozen=True)
class Entry:
    """One numbered record. `body` is JSON; `at` is the instant (UTC, ISO 8601) that the ledger shows as recorded."""

    sequence: int
    kind: str
    at: str
    body: dict[str, Any]


def now() -> str:
    """The current instant in UTC, ISO 8601, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


class Journal:
    """A folder or any fsspec URL with one file an entry, `00000001.json` and on."""

    def __init__(self, url: str) -> None:
        self.fs, self.root = fsspec.core.url_to_fs(url)
        self.root = self.root.rstrip("/")

    def head(self) -> int:
        """The number of the last entry, 0 for an empty journal."""
        return max(self._numbers(), default=0)

    def append(self, entry: Entry) -> None:
        """Writes the entry, durably where the store is a local folder. Raises `JournalError` if its number is taken."""
        target = f"{self.root}/{entry.sequence:08d}.json"
        if self.fs.exists(target):
            raise JournalError(f"{target} exists: two writers without the journal lock")
        self.fs.makedirs(self.root, exist_ok=True)
        content = asdict(entry)
        self.fs.pipe_file(f"{target}.part", json.dumps(content, ensure_ascii=False, indent=1).encode() + b"\n")
        if isinstance(self.fs, fsspec.implementations.local.LocalFileSystem):
            with Path(f"{target}.part").open("rb") as file:
                os.fsync(file.fileno())
        self.fs.mv(f"{target}.part", target)

    def entries(self, after: int = 0) -> list[Entry]:
        """The entries numbered above `after`, in order. Raises `JournalError` if one is missing or unreadable."""
        numbers = self._numbers()
        if numbers != list(range(1, len(numbers) + 1)):
            raise JournalError(f"{self.root}: entries are missing ({len(numbers)} files, last {numbers[-1]}): restore the journal")
        return [self._read(number) for number in numbers if number > after]

    def _read(self, number: int) -> Entry:
        path = f"{self.root}/{number:08d}.json"
        try:
            content = json.loads(self.fs.cat_file(path))
        except json.JSONDecodeError as error:
            raise JournalError(f"{path} is damaged: {error}; restore the journal") from error
        return Entry(**content)

    def _numbers(self) -> list[int]:
        try:
            paths = self.fs.ls(self.root, detail=False, refresh=True)
        except FileNotFoundError:
            return []
        return sorted(int(path.rsplit("/", 1)[-1].removesuffix(".json")) for path in paths if path.endswith(".json"))
