"""A server on loopback that plays an agency: it answers known questions with archived bytes, or misbehaves as it is told."""

from __future__ import annotations

import dataclasses
import socket
import ssl
import struct
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from extractors.archive import Request


@dataclass(frozen=True)
class Reply:
    """One answer. `delay` seconds pass before it; `announced` is a Content-Length that is not true, -1 for none.

    With `raw` nothing is written but `raw` and the body, status line and headers included; with `reset` the connection is reset instead.
    The body comes in blocks of `block` bytes with `pause` seconds between them, and with `endless` again and again.
    """

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    announced: int | None = None
    raw: bytes = b""
    reset: bool = False
    block: int = 0
    pause: float = 0.0
    endless: bool = False


@dataclass(frozen=True)
class Seen:
    """A question as it arrived."""

    at: float
    request: Request
    headers: dict[str, str]


class Agency(ThreadingHTTPServer):
    """Gives what `script` says, in that order, then the bytes of `answers` by the question's fingerprint, else 404."""

    daemon_threads = True

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_side=True)
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.server_port}"
        self.script: list[Reply] = []
        self.answers: dict[str, bytes] = {}
        self.seen: list[Seen] = []
        self.stopping = threading.Event()
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self) -> None:
        """Closes the server; whoever still waits for a delay gets nothing."""
        self.stopping.set()
        self.shutdown()
        self.server_close()

    def plays(self, *replies: Reply) -> None:
        """The replies that come next."""
        self.script += replies

    def knows(self, answers: Iterable[tuple[Request, bytes]]) -> None:
        """What is answered to the questions, from now on and instead of what was known before."""
        self.answers = {request.fingerprint: body for request, body in answers}

    def reply_to(self, request: Request) -> Reply:
        """What is answered to a question that no script speaks of."""
        body = self.answers.get(request.fingerprint)
        return Reply(404, b"<html>no such page</html>") if body is None else Reply(body=body)

    def gaps(self) -> list[float]:
        """Seconds between one question and the next."""
        return [later.at - earlier.at for earlier, later in zip(self.seen, self.seen[1:], strict=False)]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up, or does not trust the certificate, is no error of the server."""


class _Handler(BaseHTTPRequestHandler):
    server: Agency

    def do_GET(self) -> None:
        self._answer("GET", ())

    def do_POST(self) -> None:
        form = self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode()
        self._answer("POST", tuple(parse_qsl(form, keep_blank_values=True)))

    def _answer(self, method: str, form: tuple[tuple[str, str], ...]) -> None:
        parts = urlsplit(self.path)
        url = self.path.partition("?")[0] if parts.scheme else f"{self.server.url}{parts.path}"
        request = Request(method, url, tuple(parse_qsl(parts.query, keep_blank_values=True)), form)
        self.server.seen.append(Seen(time.monotonic(), request, {name.lower(): value for name, value in self.headers.items()}))
        reply = self.server.script.pop(0) if self.server.script else self.server.reply_to(request)
        if self.server.stopping.wait(reply.delay):
            return
        if reply.reset:
            # with nothing lingering, the system resets the connection instead of ending it
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            return
        if reply.raw:
            self.close_connection = True
            self._write(dataclasses.replace(reply, body=reply.raw + reply.body))
            return
        self.send_response(reply.status)
        announced = len(reply.body) if reply.announced is None else reply.announced
        if announced >= 0:
            self.send_header("Content-Length", str(announced))
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self._write(reply)

    def _write(self, reply: Reply) -> None:
        size = reply.block or len(reply.body) or 1
        while True:
            for start in range(0, len(reply.body), size):
                self.wfile.write(reply.body[start : start + size])
                if reply.pause:
                    self.wfile.flush()
                    if self.server.stopping.wait(reply.pause):
                        return
            if not reply.endless or self.server.stopping.is_set():
                return

    def log_message(self, *args: object) -> None:
        """Says nothing."""
