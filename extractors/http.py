"""How requests become snapshots: from the archive, in order of retrieval, or from the agency, politely."""

from __future__ import annotations

from typing import Protocol

from extractors.archive import Archive, ArchiveError, Request, Snapshot


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
