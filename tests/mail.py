"""A mail server on loopback that keeps what it is given."""

from __future__ import annotations

import socketserver
import threading


class Mail(socketserver.ThreadingTCPServer):
    """Takes any sign-in and any message; `given` are the messages as they came, `signed_in` says how often somebody did."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Session)
        self.given: list[str] = []
        self.signed_in = 0
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.server_address[1])


class _Session(socketserver.StreamRequestHandler):
    server: Mail

    def handle(self) -> None:
        self._say("220 ready")
        while line := self.rfile.readline():
            word = line.split()[0].upper().decode() if line.split() else ""
            if word == "EHLO":
                self._say("250-localhost\r\n250 AUTH PLAIN")
            elif word == "AUTH":
                self.server.signed_in += 1
                self._say("235 welcome")
            elif word == "DATA":
                self._say("354 go on")
                self.server.given.append(self._message())
                self._say("250 kept")
            elif word == "QUIT":
                self._say("221 goodbye")
                return
            else:
                self._say("250 so be it")

    def _message(self) -> str:
        lines = []
        while (line := self.rfile.readline()) != b".\r\n":
            lines.append(line)
        return b"".join(lines).decode()

    def _say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())
