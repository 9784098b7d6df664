"""Backup and restore: plain copies of archive and journal in a folder (or at any fsspec URL), and a note that says of what.

    archive/ …, journal/ …      as they lie in the state folder; of a sample the bundled archive and what was recorded over it
    backup.json                 profile, number and digest of the last entry; written last, so that a backup cut short is the one before

Both write only what is not there yet, never in place of something else, and end with a check of the copy.
Nothing of it needs the database: it is made of these two.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import fsspec

from extractors.archive import Archive, ArchiveError, Snapshot, archive_of
from extractors.verify import of_archive
from warehouse import durable
from warehouse.journal import Entry, Head, Journal, JournalError, digest_of_all, faults_of_head, now
from warehouse.profile import Profile

NOTE = "backup.json"


class BackupError(RuntimeError):
    """A backup that is none, is damaged, is of something else, or would go in place of something else; nothing was overwritten."""


@dataclass
class Copied:
    """How many answers and entries the copy has, how many of them are new, and a line on each that could not be copied."""

    answers: int = 0
    new_answers: int = 0
    entries: int = 0
    new_entries: int = 0
    findings: list[str] = field(default_factory=list)


def back_up(profile: Profile, folder: str) -> Copied:
    """Copies what the folder lacks of archive and journal, while others may go on, and checks what is there then.

    Raises `JournalError` if the journal is damaged, and `BackupError` if the folder holds a backup of something else or of a later day.
    """
    entries = _sound(Journal(profile.journal))
    note = _note(folder)
    if note and note["profile"] != profile.name:
        raise BackupError(f"{folder} is a backup of the profile {note['profile']}, this is {profile.name}: name another folder")
    if note and (note["entries"] > len(entries) or digest_of_all(entries[: note["entries"]]) != note["digest"]):
        raise BackupError(
            f"{folder} is a backup of another journal, or of a later day ({note['entries']} entries, {profile.journal} has "
            f"{len(entries)}): restore it, or name another folder"
        )
    copied, archive, journal = Copied(), Archive(f"{folder}/archive"), Journal(f"{folder}/journal")
    _copy_archive(archive_of(profile), archive, copied)
    _copy_entries(entries, journal, copied)
    if not copied.findings:
        _put(folder, {"profile": profile.name, "entries": len(entries), "digest": digest_of_all(entries), "made_at": now()})
        copied.findings += _findings(folder, entries)
    return copied


def restore(profile: Profile, folder: str) -> Copied:
    """Puts back what archive and journal of the profile lack of the backup; a replay then makes the warehouse of them.

    A file that is there and says something else is named, and nothing is written. The head record is written first: until all is there
    nobody takes the journal for whole. What a sample's bundled archive has is not written again.
    Raises `BackupError`.
    """
    note = _note(folder)
    if note is None:
        raise BackupError(f"{folder} holds no {NOTE}: no backup was finished there. Name the folder that `make backup` was given")
    if note["profile"] != profile.name:
        raise BackupError(f"{folder} is a backup of the profile {note['profile']}, this is {profile.name}: set KOSHI_PROFILE, or LIVE=1")
    entries = Journal(f"{folder}/journal").examine()[0][: note["entries"]]
    if findings := _findings(folder, entries, note):
        raise BackupError("\n".join(["the backup is damaged, and nothing was restored:", *findings]))
    source, archive, journal = Archive(f"{folder}/archive"), archive_of(profile), Journal(profile.journal)
    if others := [*_other_files(source, archive), *_other_entries(entries, journal)]:
        said = "what is there says something else than the backup, and nothing was restored; move it away, then restore again:"
        raise BackupError("\n".join([said, *others]))
    copied = Copied()
    head, last = _head_record(journal), entries[-1].head if entries else Head(0, None)
    if last.digest and (head is None or head.sequence < last.sequence):
        journal.write_head(last)
    _copy_archive(source, archive, copied)
    _copy_entries(entries, journal, copied)
    copied.findings += journal.examine()[1]
    return copied


def _sound(journal: Journal) -> list[Entry]:
    """The entries up to the head record, which is read first: others may be writing behind it."""
    head = journal.head_record()
    entries, faults = journal.examine()
    entries = entries[: head.sequence] if head else entries
    if faults := faults or faults_of_head(journal, entries, head):
        raise JournalError("\n".join(faults))
    return entries


def _copy_archive(source: Archive, target: Archive, copied: Copied) -> None:
    for manifest in source.manifests():
        try:
            snapshot = source.read_manifest(manifest)
            # the bytes first: a manifest never stands without them
            new = target.keep(snapshot.body_path, source.body(snapshot))
            new = target.keep(manifest, source.read(manifest)) or new
        except ArchiveError as error:
            copied.findings.append(str(error))
        else:
            copied.answers, copied.new_answers = copied.answers + 1, copied.new_answers + new


def _copy_entries(entries: Sequence[Entry], target: Journal, copied: Copied) -> None:
    there = {entry.sequence: entry for entry in target.examine()[0]}
    for entry in entries:
        if entry.sequence not in there:
            target.write(entry)
    copied.entries, copied.new_entries = len(entries), len([entry for entry in entries if entry.sequence not in there])
    if entries and entries[-1].head.digest and (_head_record(target) or Head(0, "")).sequence < len(entries):
        target.write_head(entries[-1].head)


def _other_files(source: Archive, target: Archive) -> list[str]:
    """The files of the target under a name of the source, but with other content."""
    others = []
    for manifest in source.manifests():
        snapshot: Snapshot = source.read_manifest(manifest)
        for path in (manifest, snapshot.body_path):
            try:
                if target.read(path) != source.read(path):
                    others.append(f"{target.where}: {path}")
            except FileNotFoundError:
                continue
    return others


def _other_entries(entries: Sequence[Entry], journal: Journal) -> list[str]:
    """The files of the journal that are not the entries of these numbers."""
    there = {entry.sequence: entry for entry in journal.examine()[0]}
    others = []
    for entry in entries:
        mine = there.get(entry.sequence)
        if (mine is None and journal.fs.exists(journal.path(entry.sequence))) or (mine and mine.digest != entry.digest):
            others.append(journal.path(entry.sequence))
    return others


def _head_record(journal: Journal) -> Head | None:
    """One that says nothing is none: what it says can be known from the entries."""
    try:
        return journal.head_record()
    except JournalError:
        return None


def _findings(folder: str, entries: Sequence[Entry], note: dict[str, Any] | None = None) -> list[str]:
    """What is wrong with the copy."""
    faults = Journal(f"{folder}/journal").examine()[1]
    if note and (len(entries), digest_of_all(entries)) != (note["entries"], note["digest"]):
        faults.append(f"{folder}/journal: the entries are not the {note['entries']} that {NOTE} names")
    return [*faults, *of_archive(Archive(f"{folder}/archive"), entries)]


def _note(folder: str) -> dict[str, Any] | None:
    fs, root = fsspec.core.url_to_fs(folder)
    try:
        content: dict[str, Any] = json.loads(fs.cat_file(f"{root}/{NOTE}"))
        return content | {"entries": int(content["entries"]), "digest": str(content["digest"]), "profile": str(content["profile"])}
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError) as error:
        raise BackupError(f"{folder}/{NOTE} is damaged ({error}): name another folder") from error


def _put(folder: str, note: dict[str, Any]) -> None:
    fs, root = fsspec.core.url_to_fs(folder)
    durable.put(fs, f"{root}/{NOTE}", json.dumps(note, indent=1).encode() + b"\n")
