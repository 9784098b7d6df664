"""A server that is not ours, named by `DATABASE_URL`: the oldest PostgreSQL that Koshi promises to run on."""

from __future__ import annotations

import dataclasses
import os
import pwd
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.small import fill, run
from warehouse import migrate, readers, server, server_home
from warehouse.connection import reader_url
from warehouse.locks import locked
from warehouse.profile import ROOT, Profile, state_root

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
    migrate.to_head(profile)
    fill(profile)
    _, settled = run(profile)
    assert settled.outcome == "published", settled.reasons
    with psycopg.connect(reader_url(profile)) as reader:
        assert reader.execute("select current_setting('server_version_num')::int / 10000").fetchone() == (15,)
        assert reader.execute("select arrivals_persons from bi.migration_balance where year = 2020").fetchone() == (1020,)

    # what is not ours to change stands as it was, until the administrator does what the document says
    elsewhere = reader_url(profile).rpartition("/")[0] + "/postgres"
    with psycopg.connect(elsewhere) as reader:
        reader.execute("set transaction_read_only = off")
        assert reader.execute("select lo_create(0) > 0").fetchone() == (True,)
        reader.rollback()
    (told,) = re.findall(r"```sql\n(.*?)```", (ROOT / "docs" / "operations.md").read_text(encoding="utf-8"), flags=re.DOTALL)
    with psycopg.connect(url.replace("operator@", "admin@"), autocommit=True) as administrator:
        administrator.execute(told)
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        psycopg.connect(elsewhere)
    with psycopg.connect(reader_url(profile), autocommit=True) as reader:
        assert reader.execute("show temp_file_limit").fetchone() == ("2GB",)
        for statement in ("select lo_create(0)", "select pg_advisory_lock(1)"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                reader.execute(statement)
        migrate.to_head(profile)
        with locked(profile, "run sample"):  # what is closed to everybody stays open to Koshi's login, which may end readers too
            monkeypatch.setattr(readers, "BOUNDS", dataclasses.replace(readers.BOUNDS, idle_session_timeout=0))
            assert len(readers.look_after(profile)) == 1
