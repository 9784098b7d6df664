"""How requests become snapshots: from the archive, in order of retrieval, or from the agency, politely."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from extractors.archive import Archive, ArchiveError, Request, Snapshot
from extractors.polite import Answer, FetchError, PoliteSession, now
from extractors.source import Capture, Source, SourceError


class UndeclaredError(ArchiveError):
    """An archived delivery holds answers to questions that nobody declares, or none to any that somebody does."""

    def __init__(self, message: str, snapshots: Sequence[Snapshot]) -> None:
        self.snapshots = snapshots
        super().__init__(message)


class Transport(Protocol):
    """One delivery of one dataset: a client says what is declared, and gets the answers that there are, in the archive."""

    @property
    def delivery(self) -> str:
        """The delivery that the answers belong to."""

    def answers(self, declared: Mapping[str, Request], asked: Collection[str] | None = None) -> list[Snapshot]:
        """The answers to the declared questions, which go by their names; at least one.

        An agency is asked those of `asked` (all if None) and must answer each. What is archived, or lies at hand as a file, is
        the answer to whichever of the declared questions it was given to.
        """

    def body(self, snapshot: Snapshot) -> bytes:
        """The bytes of an answer, where the next question depends on it."""


class ReplayTransport:
    """Answers from one delivery of the archive: those that it holds, in the order in which they came. It never goes out."""

    def __init__(self, archive: Archive, source: str, dataset: str, delivery: str) -> None:
        self.delivery = delivery
        self._archive = archive
        self._source, self._dataset = source, dataset
        self._held = archive.snapshots(source, dataset, delivery)
        self._given: list[Snapshot] = []

    def answers(self, declared: Mapping[str, Request], asked: Collection[str] | None = None) -> list[Snapshot]:
        """What the delivery holds of the declared questions, whichever a live delivery of today would ask.

        Raises `UndeclaredError` naming what it holds if it holds none.
        """
        found = [snapshot for snapshot in self._held if snapshot.request.is_among(declared.values())]
        if not found:
            wanted = "; ".join(f"{name} ({request.shown})" for name, request in declared.items())
            held = "; ".join(snapshot.request.shown for snapshot in self._held) or "nothing"
            raise UndeclaredError(
                f"{self._name}: the archive has no answer to any question that is declared: {wanted}; it holds: {held}. Take in a file "
                f"with `python pipeline.py record {self._source} {self._dataset} FILE`, or ask the agency: make run LIVE=1",
                self._rest,
            )
        self._given += found
        return found

    def check(self) -> None:
        """Raises `UndeclaredError` if the delivery holds an answer that no declared question asks for."""
        if rest := self._rest:
            held = "; ".join(snapshot.request.shown for snapshot in rest)
            raise UndeclaredError(
                f"{self._name}: nobody declares what the archive holds an answer to: {held}. Nothing of the delivery was taken: "
                f"declare it under datasets.{self._dataset}.request in extractors/{self._source}/source.yml",
                rest,
            )

    @property
    def _name(self) -> str:
        return f"{self._source}.{self._dataset}, delivery {self.delivery}"

    @property
    def _rest(self) -> list[Snapshot]:
        return [snapshot for snapshot in self._held if snapshot not in self._given]

    def body(self, snapshot: Snapshot) -> bytes:
        """The archived bytes of an answer."""
        return self._archive.body(snapshot)


class LiveTransport:
    """Asks the agency, politely, and keeps every answer in the archive before anybody reads it."""

    def __init__(self, archive: Archive, source: Source, dataset: str) -> None:
        self.delivery = begin(archive, source.code, dataset)
        self._archive, self._source, self._dataset = archive, source, dataset
        self._session = PoliteSession(source, dataset)
        self._number = 0

    def answers(self, declared: Mapping[str, Request], asked: Collection[str] | None = None) -> list[Snapshot]:
        """The agency's answer to each question of `asked`.

        Raises `FetchError` at the first that it does not answer, `SourceError` if there is nothing to ask.
        """
        wanted = {name: request for name, request in declared.items() if asked is None or name in asked}
        if not wanted:
            held = ", ".join(declared) or "nothing"
            raise SourceError(f"{self._source.code}.{self._dataset}: source.yml declares nothing that could be asked now: {held}")
        return [self.ask(request, name) for name, request in wanted.items()]

    def ask(self, request: Request, name: str = "") -> Snapshot:
        """The agency's answer to the request, archived. Raises `FetchError`; what is not an answer leaves nothing in the archive."""
        file = _dropped_in(self._source, self._dataset, request)
        answer = read_file(file) if file else self._session.fetch(request)
        self._number += 1
        capture: Capture = "recorded" if file else "live"
        note = f"the file {file.name} as a person put it in place of the answer" if file else ""
        snapshot = answered(self._source, self._dataset, self.delivery, name, request, answer, capture, note)
        return self._archive.write(snapshot, answer.body, self._number)

    def body(self, snapshot: Snapshot) -> bytes:
        """The archived bytes of an answer."""
        return self._archive.body(snapshot)


def answered(
    source: Source, dataset: str, delivery: str, name: str, request: Request, answer: Answer, capture: Capture, note: str
) -> Snapshot:
    """The snapshot of an answer that is yet to be archived. `{question}` in the attribution stands for the question's name."""
    return Snapshot(
        source=source.code,
        dataset=dataset,
        delivery=delivery,
        request=request,
        sha256=hashlib.sha256(answer.body).hexdigest(),
        size_bytes=len(answer.body),
        retrieved_at=answer.retrieved_at,
        status=200,
        content_type=answer.content_type,
        capture=capture,
        licence=f"{source.licence} ({source.terms_url})",
        attribution=f"{source.attribution.replace('{question}', name).rstrip('.')}, retrieved {answer.retrieved_at[:10]}",
        note=note,
    )


def begin(archive: Archive, source: str, dataset: str) -> str:
    """The instant (UTC, ISO 8601, whole seconds) that names a delivery; one that began in this very second has its name already."""
    while True:
        instant = datetime.now(UTC).isoformat(timespec="seconds")
        if instant.replace(":", "").replace("-", "") not in archive.deliveries(source, dataset):
            return instant
        time.sleep(0.1)


def dropin_folder(source: Source) -> Path | None:
    """The folder of `KOSHI_DROPIN_<SOURCE>`, if it is set; it may not be there."""
    folder = os.environ.get(f"KOSHI_DROPIN_{source.code.upper()}")
    return Path(folder) if folder else None


def file_asked_for(request: Request) -> str:
    """The name of the file that the question is for: the last part of its address; empty if it is not for a file as such."""
    path = Path(urlsplit(request.url).path)
    return "" if request.params or request.form or not path.suffix else path.name


def _dropped_in(source: Source, dataset: str, request: Request) -> Path | None:
    """The file that a person put into the drop-in folder in place of the agency's answer, if there is one.

    Raises `FetchError` if there is no such folder.
    """
    folder, name = dropin_folder(source), file_asked_for(request)
    if not folder or not name:
        return None
    if not folder.is_dir():
        variable = f"KOSHI_DROPIN_{source.code.upper()}"
        raise FetchError(source, dataset, request, f"{variable} is '{folder}', which is no folder", "Make the folder, or unset it")
    return folder / name if (folder / name).is_file() else None


def read_file(file: Path) -> Answer:
    """The file as an answer; it counts as retrieved when it was last changed."""
    changed = datetime.fromtimestamp(file.stat().st_mtime, UTC).isoformat(timespec="milliseconds")
    return Answer(file.read_bytes(), "application/octet-stream", min(changed, now()))
