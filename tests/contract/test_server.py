"""The embedded server: ours, on loopback, with passwords."""

from __future__ import annotations

import dataclasses
import os
import shutil
import signal
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from tests.servers import remove_server
from warehouse import server
from warehouse.locks import LockedError, hold
from warehouse.profile import Profile


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
        threading.Thread(target=lambda: stranger.accept()[0].close(), daemon=True).start()
        assert not server._is_ours(dataclasses.replace(mine, port=stranger.getsockname()[1]))
    assert not server._is_ours(dataclasses.replace(mine, system_identifier="1"))
    assert server._is_ours(mine)


def test_starting_again_gives_the_same_server() -> None:
    assert server.start() == server.start()


def test_the_second_to_ask_for_a_lock_is_told_who_holds_it(profile: Profile) -> None:
    def ask(name: str) -> None:
        with hold(profile, name):
            pass

    with hold(profile, "run sample"), ThreadPoolExecutor(1) as another:
        with pytest.raises(LockedError, match=r"run sample is locked by: koshi run sample pid \d+"):
            another.submit(ask, "run sample").result()
        another.submit(ask, "another").result()
    with hold(profile, "run sample"):
        pass


def test_data_that_were_swept_away_are_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KOSHI_STATE", str(tmp_path))
    first = server.start()
    assert server.stop()
    shutil.rmtree(first.data)
    second = server.start()
    assert second.system_identifier != first.system_identifier
    assert server.stop()
    remove_server(tmp_path)


def test_a_server_that_was_killed_starts_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KOSHI_STATE", str(tmp_path))
    first = server.start()
    os.kill(int((Path(first.data) / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)
    second = server.start()
    assert second.system_identifier == first.system_identifier
    assert server.stop()
    remove_server(tmp_path)
