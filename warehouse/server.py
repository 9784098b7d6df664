"""The embedded PostgreSQL: the binaries of a wheel, started and stopped by us, on loopback, with scram passwords."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import psycopg
from filelock import FileLock

from warehouse.profile import state_root
from warehouse.server_home import ServerError, account, check, give, make_home, password_file, programs, run_as, state_folder

ADMIN = "koshi"
# Loads are batches that the archive can repeat; what must not be lost sets synchronous_commit = on itself.
SETTINGS = {
    "synchronous_commit": "off",
    "shared_buffers": "512MB",
    "max_wal_size": "4GB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "checkpoint_timeout": "30min",
    "work_mem": "32MB",
    "max_connections": "60",
    "timezone": "UTC",
}


@dataclass(frozen=True)
class Server:
    """What the state file keeps of the embedded server (mode 600: it holds the passwords)."""

    port: int
    data: str
    bin: str
    account: str | None
    admin_password: str
    reader_password: str
    system_identifier: str

    def dsn(self, database: str = "postgres", user: str = ADMIN, password: str | None = None) -> str:
        """A libpq URL of this server."""
        return f"postgresql://{user}:{password or self.admin_password}@127.0.0.1:{self.port}/{database}"


def _state_file() -> Path:
    return state_root() / "server" / "server.json"


@contextlib.contextmanager
def _starting() -> Iterator[None]:
    """One process at a time starts or stops the server."""
    folder = state_folder(_state_file().parent)
    with FileLock(folder / "start.lock", timeout=120):
        yield


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _create() -> Server:
    lent = account()
    home = make_home(_state_file().parent, lent)
    binaries = programs(home, lent)
    data = home / "data"
    if data.exists():
        shutil.rmtree(data)  # no state file means that an earlier initdb was cut short: what lies there was never used
    data.mkdir(mode=0o700)
    give(data, lent)
    admin, reader = secrets.token_hex(16), secrets.token_hex(16)
    with password_file(home, admin, lent) as file:
        made = run_as(
            lent,
            [str(binaries / "initdb"), "-D", str(data), "-U", ADMIN, "-A", "scram-sha-256",
             f"--pwfile={file}", "--locale=C.UTF-8", "--encoding=UTF8", "--no-instructions"],
        )  # fmt: skip
    if made.returncode:
        raise ServerError(f"initdb failed in {data}: {made.stderr.strip()}")
    control = run_as(lent, [str(binaries / "pg_controldata"), "-D", str(data)], LC_ALL="C").stdout
    identifier = next(line.split(":")[1].strip() for line in control.splitlines() if "system identifier" in line)
    return Server(_free_port(), str(data), str(binaries), lent, admin, reader, identifier)


def _save(server: Server) -> None:
    """Replaces the state file by a new one of mode 600: whatever a link by its name points at stays as it is."""
    file = _state_file()
    descriptor, scratch = tempfile.mkstemp(prefix="server-", dir=file.parent)
    with os.fdopen(descriptor, "w") as new:
        json.dump(asdict(server), new, indent=2)
    Path(scratch).replace(file)


def _load() -> Server | None:
    file = _state_file()
    if not file.exists():
        return None
    state_folder(file.parent)  # the file names programs and passwords: a stranger's is not read
    with os.fdopen(os.open(file, os.O_RDONLY | os.O_NOFOLLOW)) as open_file:
        return Server(**json.load(open_file))


def _is_ours(server: Server) -> bool:
    """Whether the server that answers on the port is the one of our data folder; a stranger on the port is not."""
    try:
        with psycopg.connect(server.dsn(), connect_timeout=5) as connection:
            row = connection.execute("select system_identifier::text from pg_control_system()").fetchone()
    except psycopg.OperationalError:
        return False
    return row is not None and row[0] == server.system_identifier


def running() -> Server | None:
    """The embedded server if it is up and ours, else None; starts nothing."""
    server = _load()
    return server if server and _is_ours(server) else None


def _found(saved: Server) -> Server:
    """The server of the state file, once its folder is ours; the wheel moves with the environment: its programs are looked for anew."""
    data = Path(saved.data)
    check(data, saved.account)
    return replace(saved, bin=str(programs(data.parent, saved.account)))


def start() -> Server:
    """The embedded server, created and started where needed. Raises `ServerError` with the end of its log."""
    if server := running():
        return server
    with _starting():
        if server := running():  # another process was faster
            return server
        saved = _load()
        if saved and not os.path.lexists(saved.data):
            saved = None  # swept away, as systems do with /var/tmp: the journal knows what was in it
        server = _create() if saved is None else _found(saved)
        log = Path(server.data) / "server.log"
        for attempt in range(7):
            if attempt:
                time.sleep(0.1 * 2**attempt)  # the remains of a killed server hold its lock for a moment
            _save(server)
            options = f"-h 127.0.0.1 -p {server.port} -k '' " + " ".join(f"-c {key}={value}" for key, value in SETTINGS.items())
            run_as(server.account, [f"{server.bin}/pg_ctl", "start", "-D", server.data, "-l", str(log), "-w", "-t", "60", "-o", options])
            if _is_ours(server):
                return server
            server = replace(server, port=_free_port())  # the port was taken meanwhile
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-8:]) if log.exists() else "(no log)"
        raise ServerError(f"PostgreSQL does not start in {server.data}; the end of {log}:\n{tail}")


def stop() -> bool:
    """Stops the embedded server; False if it was not running."""
    with _starting():
        server = running()
        if server is None:
            return False
        run_as(server.account, [f"{server.bin}/pg_ctl", "stop", "-D", server.data, "-m", "fast", "-w"])
        return True
