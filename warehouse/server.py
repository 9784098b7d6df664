"""The embedded PostgreSQL: the binaries of a wheel, started and stopped by us, on loopback, with scram passwords.

Whether it runs is asked of its data folder: a living postmaster is never started a second time, however it answers, but waited for.
The port is kept for as long as it can be had: people save it in their tools.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import secrets
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import psutil
import psycopg
from filelock import FileLock, Timeout

from warehouse.profile import state_root
from warehouse.server_home import ServerError, account, check, give, leave_running, make_home, password_file, programs, run_as, state_folder
from warehouse.steps import tell

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
    "max_connections": "120",
    # Koshi's own login: readers and those who try to become readers take the others
    "superuser_reserved_connections": "60",
    "timezone": "UTC",
}
# Seconds: recovery after a crash takes a few, and a hundred readers who all want in at once give way one after the other
PATIENCE = 120.0
PROBE = 5
# Seconds that the old port is tried for: a client may have it for a moment as the port that it calls from
PORT_PATIENCE = 5.0
# Below those that systems give to clients (from 32768 on): nobody calls from one of them while the server is down
PORTS = range(20000, 32000)
# What a server says that lives and will take a session later
_NOT_NOW = re.compile(
    r"starting up|shutting down|in recovery|not yet accepting|too many (clients|connections)|remaining connection slots"
    r"|timeout expired|closed the connection unexpectedly|reset by peer|canceling authentication"
)
_ANEW = "Stop it, remove the state file: data are made anew from archive and journal"
_NEVER = re.compile(r"authentication failed|no pg_hba\.conf entry|does not exist|another server answers")


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


def not_now(error: psycopg.Error) -> bool:
    """Whether a server answered that it lives and takes no session now: it is worth trying again."""
    return isinstance(error, psycopg.OperationalError) and _NOT_NOW.search(str(error)) is not None


@contextlib.contextmanager
def _starting() -> Iterator[None]:
    """One process at a time starts or stops the server."""
    lock = state_folder(_state_file().parent) / "start.lock"
    try:
        # held for one start or stop at most; the system releases it however the process ends
        with FileLock(lock, timeout=PATIENCE):
            yield
    except Timeout:
        raise ServerError(
            f"another process has been starting or stopping the server for {PATIENCE:.0f} s: "
            f"end the one that has {lock} open, then run again"
        ) from None


def _free_port() -> int:
    """A port that nobody on loopback has at this moment."""
    return next(port for port in random.sample(PORTS, len(PORTS)) if _can_bind(port))  # nosec B311 - a port is no secret


def _can_bind(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as PostgreSQL does
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _create(lost: Server | None) -> Server:
    """A new server; of one whose data are lost it keeps the port and the passwords, which people have saved."""
    lent = account()
    home = make_home(_state_file().parent, lent)
    binaries = programs(home, lent)
    data = home / "data"
    if data.exists():
        shutil.rmtree(data)  # no state file means that an earlier initdb was cut short: what lies there was never used
    data.mkdir(mode=0o700)
    give(data, lent)
    admin, reader = (lost.admin_password, lost.reader_password) if lost else (secrets.token_hex(16), secrets.token_hex(16))
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
    return Server(lost.port if lost else _free_port(), str(data), str(binaries), lent, admin, reader, identifier)


def _save(server: Server) -> None:
    """Replaces the state file by a new one of mode 600: whatever a link by its name points at stays as it is."""
    file = _state_file()
    descriptor, scratch = tempfile.mkstemp(prefix="server-", dir=file.parent)
    with os.fdopen(descriptor, "w") as new:
        json.dump(asdict(server), new, indent=2)
    Path(scratch).replace(file)


def remembered() -> Server | None:
    """The server that the state file names, whether it runs or not; None if there is none."""
    file = _state_file()
    if not file.exists():
        return None
    state_folder(file.parent)  # the file names programs and passwords: one that another user owns is not read
    with os.fdopen(os.open(file, os.O_RDONLY | os.O_NOFOLLOW)) as open_file:
        return Server(**json.load(open_file))


def _trouble(server: Server) -> str | None:
    """Why no session with the server of our data folder can be had on its port; None if it can."""
    try:
        with psycopg.connect(server.dsn(), connect_timeout=PROBE, application_name="koshi") as connection:
            row = connection.execute("select system_identifier::text from pg_control_system()").fetchone()
    except psycopg.OperationalError as error:
        return str(error).strip().splitlines()[0]
    return None if row is not None and row[0] == server.system_identifier else f"another server answers on port {server.port}"


def _postmaster(server: Server) -> tuple[int, int] | None:
    """Number and port of the living postmaster of the server's data folder; None if there is none.

    A number in postmaster.pid alone proves nothing: after a crash another process may have it.
    """
    try:
        lines = (Path(server.data) / "postmaster.pid").read_text().splitlines()
        number, port = int(lines[0]), int(lines[3])
        program, *words = psutil.Process(number).cmdline()
    except (OSError, ValueError, IndexError, psutil.Error):
        return None
    return (number, port) if Path(program).name == "postgres" and server.data in words else None


def running() -> Server | None:
    """The embedded server if its postmaster lives, with the port that it listens on, else None; starts nothing, waits for nothing.

    It may take no sessions at this moment. Raises `ServerError` if its folder is not ours.
    """
    saved = remembered()
    if saved is None or not os.path.lexists(saved.data):
        return None
    check(Path(saved.data), saved.account)
    found = _postmaster(saved)
    return replace(saved, port=found[1]) if found else None


def start() -> Server:
    """The embedded server, created and started where needed, once it takes sessions.

    One that lives and does not is waited for. Raises `ServerError` with the end of its log, or with what it answers.
    """
    saved = remembered()
    if saved and _trouble(saved) is None:
        return saved
    deadline, said = time.monotonic() + PATIENCE, ""
    while True:
        server = running() or _launched()
        if (trouble := _trouble(server)) is None:
            return _remember(server)
        if _NEVER.search(trouble):
            raise ServerError(f"{_state_file()} does not open the server in {server.data}: {trouble}. {_ANEW}")
        if time.monotonic() > deadline:
            raise ServerError(
                f"the server in {server.data} lives and has taken no session for {PATIENCE:.0f} s: {trouble}. "
                "Run again later; if it stays so, `make stop` ends it"
            )
        if trouble != said and deadline - time.monotonic() < PATIENCE - 1:  # shorter waits are not reported
            tell(f"waiting for the server: {trouble}")
            said = trouble
        time.sleep(0.2)


def _launched() -> Server:
    """Starts the server, created where needed; it may not take sessions yet. Raises `ServerError` with the end of its log."""
    with _starting():
        if server := running():  # another process was faster
            return server
        saved = remembered()
        # the data may have been deleted, e.g. by a cleaner of /var/tmp: the journal has what was in them
        server = _found(saved) if saved and os.path.lexists(saved.data) else _create(saved)
        _clear_away(server, saved)
        log = Path(server.data) / "server.log"
        deadline = time.monotonic() + PORT_PATIENCE
        while not _can_bind(server.port) and time.monotonic() < deadline:
            time.sleep(0.2)
        if not _can_bind(server.port):
            server = replace(server, port=_free_port())
        _remember(server)
        for attempt in range(6):
            time.sleep(0.1 * 2**attempt if attempt else 0)  # the remains of a killed server hold its memory for a moment
            settings = [word for key, value in SETTINGS.items() for word in ("-c", f"{key}={value}")]
            command = [f"{server.bin}/postgres", "-D", server.data, "-h", "127.0.0.1", "-p", str(server.port), "-k", "", *settings]
            number = leave_running(server.account, command, log)
            while psutil.pid_exists(number):
                if living := running():
                    return living
                time.sleep(0.05)
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-8:]) if log.exists() else "(no log)"
        raise ServerError(f"PostgreSQL does not start in {server.data}; the end of {log}:\n{tail}")


def _found(saved: Server) -> Server:
    """The server of the state file, once its folder is ours; the wheel moves with the environment: its programs are looked for anew."""
    data = Path(saved.data)
    check(data, saved.account)
    return replace(saved, bin=str(programs(data.parent, saved.account)))


def _clear_away(server: Server, saved: Server | None) -> None:
    """Ends what a killed postmaster left behind, and removes its mark: the number in it may be another's by now.

    PostgreSQL takes any process with that number for a postmaster, and does not start beside sessions that go on in the old memory.
    """
    folders = {server.data, saved.data if saved else server.data}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.name() == "postgres" and process.cwd() in folders:
                process.send_signal(signal.SIGQUIT)  # as the postmaster itself ends them after a crash
    if not _postmaster(server):
        (Path(server.data) / "postmaster.pid").unlink(missing_ok=True)


def _remember(server: Server) -> Server:
    """Writes the state file if it says something else."""
    if server != remembered():
        _save(server)
    return server


def stop() -> bool:
    """Stops the embedded server, whether it takes sessions or not; False if it was not running. Raises `ServerError` if it goes on."""
    with _starting():
        server = running()
        if server is None:
            return False
        for mode in ("fast", "immediate"):
            run_as(server.account, [f"{_found(server).bin}/pg_ctl", "stop", "-D", server.data, "-m", mode, "-w", "-t", "60"])
            if not running():
                return True
        raise ServerError(f"the server in {server.data} does not stop: the end of {server.data}/server.log may say why")
