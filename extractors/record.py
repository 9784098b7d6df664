"""A file by hand: an operator's file becomes the archived answer to a declared question, and is taken in like any other answer."""

from __future__ import annotations

import mimetypes
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from extractors.archive import Request, Snapshot, archive_of
from extractors.delivery import client_of, land_each, refuse
from extractors.http import answered, begin, read_file
from extractors.landing import Landed
from extractors.source import ByHand, Dataset, Source, load_source
from warehouse.journal import now
from warehouse.profile import Profile

Declared = Mapping[str, Request]


class RecordError(ValueError):
    """Files that cannot be the answers that they are declared as; nothing was archived."""


def record(
    profile: Profile,
    source_code: str,
    dataset: str,
    files: Sequence[Path],
    questions: Sequence[str],
    capture: ByHand,
    retrieved: str = "",
    note: str = "",
) -> tuple[list[Snapshot], Iterator[Landed]]:
    """Archives the files as one delivery of the dataset; what is returned with its snapshots lands it, and the caller judges.

    `questions` says for each file which declared question it answers: its name (year, edition, number) or its address; it may be
    left out if the dataset has but one. `retrieved` is when the files were taken from the agency (ISO 8601), else when each was
    last changed. `note` says what they are and where they come from, for a transcription the documents.
    Raises `RecordError`, and `LandingError` for what a live warehouse does not take, before anything is archived.
    """
    source, archive = load_source(source_code), archive_of(profile)
    declared = source.dataset(dataset)
    if capture != "recorded" and not note:
        raise RecordError(
            f"{source_code}.{dataset}: {capture} files need a note (--note): what they were written from, and by whom printed"
        )
    if len(questions) not in ((0, 1) if len(files) == 1 else (len(files),)):
        raise RecordError(f"{source_code}.{dataset}: {len(files)} files need a --request each, in the same order; found {len(questions)}")
    transport = FileTransport(
        _cited(source, declared, capture, note),
        dataset,
        begin(archive, source_code, dataset),
        list(zip(files, questions or [""], strict=True)),
        capture,
        _instant(retrieved),
        note,
    )
    asked: list[Snapshot] = client_of(source_code, declared).fetch(source, declared, transport)
    transport.check()
    for snapshot in asked:
        refuse(profile, source, dataset, snapshot)
    kept = {snapshot.key: snapshot for snapshot in archive.write_delivery(transport.given)}
    snapshots = [kept[snapshot.key] for snapshot in asked]
    return snapshots, land_each(profile, source, dataset, iter([snapshots]))


class FileTransport:
    """Answers declared questions with files at hand. Nothing of it is archived before every file was asked for."""

    def __init__(
        self, source: Source, dataset: str, delivery: str, files: Sequence[tuple[Path, str]], capture: ByHand, retrieved: str, note: str
    ) -> None:
        self.delivery = delivery
        self.given: list[tuple[Snapshot, bytes]] = []
        self._source, self._dataset = source, dataset
        self._capture: ByHand = capture
        self._retrieved, self._note = retrieved, note
        self._files = files
        self._is_named = all(question for _, question in files)
        self._offered: dict[str, Request] = {}

    def answers(self, declared: Declared, asked: Collection[str] | None = None) -> list[Snapshot]:
        """The files that answer declared questions. Raises `RecordError` if there is none, or two for one question."""
        self._offered |= declared
        found, rest = [], []
        for file, wanted in self._files:
            if (match := self._match(wanted, declared)) is None:
                rest.append((file, wanted))
                continue
            snapshot = self._snapshot(file, *match)
            if any(snapshot.request.fingerprint == other.request.fingerprint for other, _ in self.given):
                raise self._error(f"{file} answers {snapshot.request.shown}, as another file does")
            self.given.append((snapshot, file.read_bytes()))
            found.append(snapshot)
        self._files = rest
        if not found:
            raise self._error(f"no file is said to answer {' or '.join(declared)}")
        return found

    def body(self, snapshot: Snapshot) -> bytes:
        """The bytes of a file. Raises `RecordError` if it was taken for the only answer: the next question depends on it."""
        if not self._is_named:
            raise self._error(f"there are more questions, which depend on the answer to {' and '.join(self._offered)}")
        return next(body for kept, body in self.given if kept is snapshot)

    def check(self) -> None:
        """Raises `RecordError` if a file answers nothing that is declared."""
        if self._files:
            raise self._error(
                "nothing declared is answered by " + ", ".join(f"{file} ({name or 'no --request'})" for file, name in self._files)
            )

    def _match(self, wanted: str, declared: Declared) -> tuple[str, Request] | None:
        """Name and request of the question that goes by the name or address `wanted`."""
        if not wanted and len(declared) == 1:
            return next(iter(declared.items()))
        if wanted in declared:
            return wanted, declared[wanted]
        address = urlsplit(wanted)
        if not address.scheme:
            return None
        request = Request("GET", wanted.partition("?")[0], tuple(parse_qsl(address.query, keep_blank_values=True)))
        for name, other in declared.items():
            if request.fingerprint == other.fingerprint or (other.form and request.path == other.path):
                return name, other
        return ("", request) if request.is_among(declared.values()) else None

    def _snapshot(self, file: Path, name: str, request: Request) -> Snapshot:
        if not file.is_file():
            raise self._error(f"{file} is no file")
        answer = read_file(file)
        content_type = mimetypes.guess_type(file.name)[0] or answer.content_type
        answer = replace(answer, content_type=content_type, retrieved_at=self._retrieved or answer.retrieved_at)
        if answer.retrieved_at > now():
            raise self._error(f"{file} was last changed {answer.retrieved_at}, which is yet to come: say by --retrieved when it was taken")
        note = "; ".join(filter(None, (self._note, f"the file {file.name} as a person recorded it")))
        return answered(self._source, self._dataset, self.delivery, name, request, answer, self._capture, note)

    def _error(self, found: str) -> RecordError:
        possible = "; ".join(f"{name} ({request.shown})" for name, request in self._offered.items())
        return RecordError(
            f"{self._source.code}.{self._dataset}: {found}. Say for each FILE by --request, in the same order, what it answers: the name "
            f"or the address of one of: {possible}. Nothing was archived"
        )


def _cited(source: Source, dataset: Dataset, capture: ByHand, note: str) -> Source:
    """The source as the answers cite it: a transcription by the documents, which the dataset may have terms of its own for."""
    if capture != "transcribed":
        return source
    citation = dataset.request.get("citation") or {"attribution": f"{source.attribution}, as printed in:"}
    return source.model_copy(update={**citation, "attribution": f"{citation['attribution']} {note}"})


def _instant(text: str) -> str:
    """An instant in UTC, ISO 8601 to the millisecond; empty for nothing. Raises `RecordError` for what is none, or is yet to come."""
    if not text:
        return ""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise RecordError(f"--retrieved is {text!r}: expected a date or an instant such as 2026-10-01 or 2026-10-01T09:30+05:00") from None
    instant = found.replace(tzinfo=found.tzinfo or UTC).astimezone(UTC)
    if instant > datetime.now(UTC):
        raise RecordError(f"--retrieved is {text}, which is yet to come")
    return instant.isoformat(timespec="milliseconds")
