"""How requests become snapshots: from the archive, in order of retrieval, or from the agency, politely."""

from __future__ import annotations

import hashlib
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from extractors.archive import Archive, ArchiveError, Request, Snapshot
from extractors.polite import Answer, FetchError, PoliteSession, now
from extractors.source import Source


class Transport(Protocol):
    """One delivery of one dataset: a client asks, and gets a snapshot in the archive."""

    @property
    def delivery(self) -> str:
        """The delivery that the answers belong to."""

    def ask(self, request: Request) -> Snapshot:
        """The archived answer to the request."""

    def body(self, snapshot: Snapshot) -> bytes:
        """The bytes of an answer, where the next question depends on it."""


class ReplayTransport:
    """Answers from one delivery of the archive; an unknown request is an error, never a reason to go out."""

    def __init__(self, archive: Archive, source: str, dataset: str, delivery: str) -> None:
        self.delivery = delivery
        self._archive = archive
        self._name = f"{source}.{dataset}"
        self._known = {snapshot.request.fingerprint: snapshot for snapshot in archive.snapshots(source, dataset, delivery)}

    def ask(self, request: Request) -> Snapshot:
        """The snapshot of this request. Raises `ArchiveError` naming what the delivery holds."""
        if found := self._known.get(request.fingerprint):
            return found
        held = "; ".join(f"{s.request.method} {s.request.url}" for s in self._known.values()) or "nothing"
        raise ArchiveError(
            f"{self._name}, delivery {self.delivery}: the archive has no answer to {request.method} {request.url} "
            f"{dict(request.params) or dict(request.form) or ''}; it holds: {held}. Take the answer into the archive, or run with LIVE=1"
        )

    def body(self, snapshot: Snapshot) -> bytes:
        """The archived bytes of an answer."""
        return self._archive.body(snapshot)


class LiveTransport:
    """Asks the agency, politely, and keeps every answer in the archive before anybody reads it."""

    def __init__(self, archive: Archive, source: Source, dataset: str) -> None:
        self.delivery = _begin(archive, source.code, dataset)
        self._archive, self._source, self._dataset = archive, source, dataset
        self._session = PoliteSession(source, dataset)
        self._number = 0

    def ask(self, request: Request) -> Snapshot:
        """The agency's answer to the request, archived. Raises `FetchError`; what is not an answer leaves nothing in the archive."""
        file = _dropped_in(self._source, self._dataset, request)
        answer = _read(file) if file else self._session.fetch(request)
        self._number += 1
        snapshot = Snapshot(
            source=self._source.code,
            dataset=self._dataset,
            delivery=self.delivery,
            request=request,
            sha256=hashlib.sha256(answer.body).hexdigest(),
            size_bytes=len(answer.body),
            retrieved_at=answer.retrieved_at,
            status=200,
            content_type=answer.content_type,
            capture="recorded" if file else "live",
            licence=f"{self._source.licence} ({self._source.terms_url})",
            attribution=f"{self._source.attribution.rstrip('.')}, retrieved {answer.retrieved_at[:10]}",
            note=f"the file {file.name} as a person put it in place of the answer" if file else "",
        )
        return self._archive.write(snapshot, answer.body, self._number)

    def body(self, snapshot: Snapshot) -> bytes:
        """The archived bytes of an answer."""
        return self._archive.body(snapshot)


def _begin(archive: Archive, source: str, dataset: str) -> str:
    """The instant (UTC, ISO 8601, whole seconds) that names a delivery; one that began in this very second has its name already."""
    while True:
        instant = datetime.now(UTC).isoformat(timespec="seconds")
        if instant.replace(":", "").replace("-", "") not in archive.deliveries(source, dataset):
            return instant
        time.sleep(0.1)


def _dropped_in(source: Source, dataset: str, request: Request) -> Path | None:
    """The file that a person put into the folder of `KOSHI_DROPIN_<SOURCE>` in place of the agency's answer, if there is one.

    It is found by the last part of the address, so only a question for a file as such can be answered so.
    Raises `FetchError` if there is no such folder.
    """
    variable = f"KOSHI_DROPIN_{source.code.upper()}"
    folder, wanted = os.environ.get(variable), Path(urlsplit(request.url).path)
    if not folder or request.params or request.form or not wanted.suffix:
        return None
    if not Path(folder).is_dir():
        raise FetchError(source, dataset, request, f"{variable} is {folder!r}, which is no folder", "Make the folder, or unset it")
    file = Path(folder) / wanted.name
    return file if file.is_file() else None


def _read(file: Path) -> Answer:
    """The file as an answer; it counts as retrieved when it was last changed."""
    changed = datetime.fromtimestamp(file.stat().st_mtime, UTC).isoformat(timespec="milliseconds")
    return Answer(file.read_bytes(), "application/octet-stream", min(changed, now()))
