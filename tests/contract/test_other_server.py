"""A server that is not ours, named by `DATABASE_URL`: the oldest PostgreSQL that Koshi promises to run on."""

from __future__ import annotations

import os
import pwd
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.small import fill, run
from warehouse import migrate, server, server_home
from warehouse.connection import reader_url
from warehouse.profile import Profile, state_root

BINARIES = Path("/usr/lib/postgresql/15/bin")


@pytest.fixture
def url() -> Iterator[str]:
    """The URL of an empty database, whose owner may create roles and is no superuser."""
    if not (BINARIES / "initdb").exists():
        pytest.skip(f"NOT TESTED ON POSTGRESQL 15: {BINARIES} is not there")
    account = server_home.account()
    # pytest's own folders are closed to the account that runs the server
    folder = Path(tempfile.mkdtemp(prefix="koshi-other-"))
    if account:
        os.chown(folder, pwd.getpwnam(account).pw_uid, -1)
    data, port = folder / "data", server._free_port()
    made = server_home.run_as(account, [str(BINARIES / "initdb"), "-D", str(data), "-U", "admin", "-A", "trust"])
    assert made.returncode == 0, made.stderr
    options = f"-h 127.0.0.1 -p {port} -k ''"
    server_home.run_as(account, [str(BINARIES / "pg_ctl"), "start", "-w", "-D", str(data), "-l", str(folder / "log"), "-o", options])
    with psycopg.connect(f"postgresql://admin@127.0.0.1:{port}/postgres", autocommit=True) as connection:
        connection.execute("create role operator login createrole")
        connection.execute("create database warehouse owner operator")
    yield f"postgresql://operator@127.0.0.1:{port}/warehouse"
    server_home.run_as(account, [str(BINARIES / "pg_ctl"), "stop", "-m", "immediate", "-D", str(data)])
    shutil.rmtree(folder)


@pytest.mark.slow
def test_postgresql_15_is_enough(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setenv("KOSHI_BI_PASSWORD", "the reader's")
    monkeypatch.setenv("PGPASSWORD", "the reader's")
    profile = Profile("sample", str(tmp_path / "archive"), str(tmp_path / "journal"), state_root() / "other", "named by the URL")
    migrate.prepare(profile)
    fill(profile)
    _, settled = run(profile)
    assert settled.outcome == "published"
    with psycopg.connect(reader_url(profile)) as reader:
        assert reader.execute("select current_setting('server_version_num')::int / 10000").fetchone() == (15,)
        assert reader.execute("select arrivals_persons from bi.migration_balance where year = 2020").fetchone() == (1020,)
