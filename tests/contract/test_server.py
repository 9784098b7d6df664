"""The embedded server: ours, on loopback, with passwords."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

from tests.servers import remove_server
from warehouse import locks, migrate, server, steps
from warehouse.connection import connect, reader_url
from warehouse.locks import LockedError, locked
from warehouse.profile import Profile
from warehouse.readers import READERS
from warehouse.server import Server
from warehouse.server_home import ServerError


def test_the_server_asks_for_a_password_and_listens_on_loopback_only(profile: Profile) -> None:
    mine = server.start()
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(f"postgresql://koshi:wrong@127.0.0.1:{mine.port}/postgres")  # pragma: allowlist secret
    with psycopg.connect(mine.dsn()) as connection:
        assert connection.execute("show listen_addresses").fetchone() == ("127.0.0.1",)
        assert connection.execute("show unix_socket_directories").fetchone() == ("",)


def test_a_stranger_on_the_port_is_not_taken_for_ours() -> None:
    mine = server.start()
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", 0))
        stranger.listen()
        threading.Thread(target=lambda: stranger.accept()[0].close(), daemon=True).start()  # noqa: PLW0108 - asks for a caller in the thread
        assert server._trouble(dataclasses.replace(mine, port=stranger.getsockname()[1])) is not None
    assert server._trouble(dataclasses.replace(mine, system_identifier="1")) == f"another server answers on port {mine.port}"
    assert server._trouble(mine) is None


def test_starting_again_gives_the_same_server() -> None:
    assert server.start() == server.start()


def test_the_second_to_ask_for_a_lock_is_told_who_holds_it(profile: Profile, monkeypatch: pytest.MonkeyPatch) -> None:
    def ask(name: str, *, wait: bool = False) -> None:
        with locked(profile, name, wait=wait):
            pass

    with locked(profile, "run sample"), ThreadPoolExecutor(1) as another:
        with pytest.raises(LockedError, match=r"run sample is locked by: koshi run sample pid \d+"):
            another.submit(ask, "run sample").result()
        another.submit(ask, "another").result()
        monkeypatch.setattr(locks, "PATIENCE", 0)
        with pytest.raises(LockedError, match=r"run sample has been locked for 0 h by: koshi run sample pid \d+"):
            another.submit(ask, "run sample", wait=True).result()
    with locked(profile, "run sample"):
        pass


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server of the test's own, below a path with every sign that a shell would read."""
    state = tmp_path / 'it\'s $HOME "x" `id` ö'
    monkeypatch.setenv("KOSHI_STATE", str(state))
    yield server.start()
    server.stop()
    remove_server(state)


def _postmaster(own: Server) -> int:
    return int((Path(own.data) / "postmaster.pid").read_text().split()[0])


def _saved() -> tuple[bytes, int]:
    """The state file and its number: a file that is written anew has another."""
    return server._state_file().read_bytes(), server._state_file().stat().st_ino


def test_data_that_were_swept_away_are_made_anew_for_the_same_port_and_passwords(own: Server) -> None:
    assert server.stop()
    shutil.rmtree(own.data)
    second = server.start()
    assert second.system_identifier != own.system_identifier
    assert (second.port, second.reader_password) == (own.port, own.reader_password)


def test_a_server_that_lives_is_waited_for_and_never_started_again(own: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    before, number = _saved(), _postmaster(own)
    with psycopg.connect(own.dsn()) as victim:
        os.kill(victim.info.backend_pid, signal.SIGKILL)  # as one for which the machine has no memory: all sessions end, and it recovers
    assert server.start() == own

    monkeypatch.setattr(server, "PROBE", 2)  # seconds; libpq takes no fewer
    said: list[str] = []
    steps.listen(said.append)
    os.kill(number, signal.SIGSTOP)  # lives, and answers nothing
    waking = threading.Timer(5, os.kill, [number, signal.SIGCONT])
    waking.start()
    try:
        assert server.running() == own
        assert server.start() == own
        waking.join()
        assert any("waiting for the server: " in line and "timeout" in line for line in said), said
        os.kill(number, signal.SIGSTOP)
        monkeypatch.setattr(server, "PATIENCE", 0)
        with pytest.raises(ServerError, match="lives and has taken no session for 0 s"):
            server.start()
    finally:
        steps._listeners.remove(said.append)
        os.kill(number, signal.SIGCONT)
    assert (_saved(), _postmaster(own)) == (before, number)


def test_a_killed_server_starts_again_on_its_port_whatever_it_left(own: Server) -> None:
    before = _saved()
    with psycopg.connect(own.dsn()) as busy, ThreadPoolExecutor(1) as pool:
        # a session that computes does not notice that its server is gone
        endless = pool.submit(busy.execute, "select count(*) from generate_series(1, 1000000) a, generate_series(1, 1000000) b")
        while busy.info.transaction_status != psycopg.pq.TransactionStatus.ACTIVE:
            time.sleep(0.01)
        mark = Path(own.data) / "postmaster.pid"
        number, rest = mark.read_text().split("\n", 1)
        os.kill(int(number), signal.SIGKILL)
        # its number goes to another process of the same account, which PostgreSQL takes for a server
        with subprocess.Popen(["/bin/sleep", "60"], user=own.account) as another:
            mark.write_text(f"{another.pid}\n{rest}")
            try:
                assert server.running() is None
                assert server.start() == own
                assert another.poll() is None
            finally:
                another.kill()
        with pytest.raises(psycopg.OperationalError):
            endless.result()
    assert _saved() == before


def test_the_port_changes_only_where_a_stranger_has_it(own: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    file = server._state_file()
    file.write_text(json.dumps(json.loads(file.read_text()) | {"port": 1}))  # an earlier version wrote down ports on which nobody listened
    assert server.start() == own
    assert json.loads(file.read_text())["port"] == own.port

    monkeypatch.setattr(server, "PORT_PATIENCE", 0.2)
    assert server.stop()
    with socket.create_server(("127.0.0.1", own.port)):
        moved = server.start()
    assert moved == dataclasses.replace(own, port=moved.port) != own
    assert json.loads(file.read_text())["port"] == moved.port


def test_readers_who_take_every_session_keep_nobody_of_ours_out(own: Server, tmp_path: Path) -> None:
    profile = Profile("sample", str(tmp_path), str(tmp_path / "journal"), tmp_path, "koshi_sample")
    migrate.to_head(profile)
    url, held, refused = reader_url(profile), [], []

    def read_on() -> None:
        try:
            held.append(psycopg.connect(url, autocommit=True))
        except psycopg.OperationalError as error:
            refused.append(str(error))

    with ThreadPoolExecutor(20) as pool:
        for _ in range(100):
            pool.submit(read_on)
    assert len(held) == READERS
    assert all("too many connections for role" in reason for reason in refused), refused
    with ExitStack() as stack:
        for _ in range(30):
            stack.enter_context(connect(profile))
        assert server.start() == server.running() == own
    assert server.stop()
    assert server.running() is None
    assert not server.stop()
