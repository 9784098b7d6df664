"""How long an agency may take to answer. A socket's timeout begins anew with each byte, so a byte a second could go on for days."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from requests.adapters import HTTPAdapter


class Deadline:
    """Counts the seconds in which an agency is asked, and ends the connections of a session when they are over.

    Counted is from the beginning of each try to its last byte; the wait for a turn and between tries is not the agency's.
    """

    def __init__(self) -> None:
        self.passed = False
        self._left = 0.0
        self._begun: float | None = None
        self._timer: threading.Timer | None = None
        self._lines: list[tuple[Any, socket.socket]] = []

    @contextmanager
    def of_question(self, seconds: float) -> Iterator[None]:
        """The time of one question, with all of its tries."""
        self.passed, self._left = False, seconds
        try:
            yield
        finally:
            self.pause()
            # a connection that is kept for the next question can still be ended; of any other the last hold is let go
            for connection, line in self._lines:
                if connection.sock is None:
                    line.close()
            self._lines = [(connection, line) for connection, line in self._lines if connection.sock is not None]

    def run(self) -> None:
        """The agency is being asked from now on."""
        if self._begun is None:
            self._begun = time.monotonic()
            self._timer = threading.Timer(max(0.0, self._left), self._end)
            self._timer.daemon = True
            self._timer.start()

    def pause(self) -> None:
        """The agency is not being asked any more."""
        if self._begun is not None and self._timer is not None:
            self._timer.cancel()
            self._left -= time.monotonic() - self._begun
            self._begun = None

    def watch(self, connection: Any, opened: socket.socket) -> None:
        """A connection that was opened; a second handle ends it also while TLS begins, or after requests has let go of its own."""
        self._lines.append((connection, opened.dup()))
        if self.passed:
            self._end()

    def _end(self) -> None:
        self.passed = True
        for _, line in self._lines:
            with suppress(OSError):  # it has ended already
                line.shutdown(socket.SHUT_RDWR)


class WatchedAdapter(HTTPAdapter):
    """Tells the deadline of every connection that it opens, whether through a proxy or not."""

    def __init__(self, deadline: Deadline) -> None:
        super().__init__()
        self._deadline = deadline

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        """The pool that a question's connection comes from."""
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        if "ConnectionCls" not in vars(pool):
            pool.ConnectionCls = _watched(pool.ConnectionCls, self._deadline.watch)
        return pool

    def send(self, *args: Any, **kwargs: Any) -> Any:
        """The answer as soon as it begins; from here on the agency's time is counted."""
        self._deadline.run()
        return super().send(*args, **kwargs)


def _watched(kind: Any, watch: Callable[[Any, socket.socket], None]) -> Any:
    class Watched(kind):  # type: ignore[misc]
        def _new_conn(self) -> socket.socket:
            opened: socket.socket = super()._new_conn()
            watch(self, opened)
            return opened

    return Watched
