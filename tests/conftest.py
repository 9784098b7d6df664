"""A real PostgreSQL for the whole session, and for each test that asks a warehouse of its own."""

from __future__ import annotations

import dataclasses
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from dbt_common.behavior_flags import BehaviorFlagRendered
from psycopg import sql

from tests import small
from tests.servers import remove_server, roomy_folder
from warehouse import build, migrate, server
from warehouse.profile import ROOT, Profile, state_root

SHARED_DATA = ROOT.parent / "shared" / "data"
TEMPLATE = "koshi_template"
NO_NETWORK = Path(__file__).parent / "no_network"


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """A workbook holds the second in which it was made: as the name of a test it would differ from worker to worker."""
    return argname if isinstance(val, bytes) and len(val) > 40 else None


@pytest.fixture(scope="session", autouse=True)
def _state() -> Iterator[Path]:
    """The session's own state folder and server; nothing of a developer's is touched."""
    folder = Path(tempfile.mkdtemp(prefix="koshi-tests-", dir=roomy_folder()))
    folder.chmod(0o711)  # as root the server is another account's, which enters
    for name in ("DATABASE_URL", "KOSHI_PROFILE", "KOSHI_ARCHIVE", "KOSHI_JOURNAL", "KOSHI_DATABASE", "KOSHI_KILL_AT"):
        os.environ.pop(name, None)
    os.environ["KOSHI_STATE"] = str(folder)
    os.environ["KOSHI_EXPORT"] = "0"  # a run of a test makes none unless the test is about it
    # every Python process that a test starts is kept on loopback, as pytest-socket keeps this one
    os.environ["PYTHONPATH"] = os.pathsep.join((str(ROOT), str(NO_NETWORK)))
    spare_dbt_the_stack()
    yield folder
    server.stop()
    remove_server(folder)
    shutil.rmtree(folder)


def spare_dbt_the_stack() -> None:
    """Spares dbt to look for the file of each frame of a test.

    To name the place of a deprecated flag, dbt walks the stack several times a command. The frames of a pytest worker, or of `python -m`,
    are of no file, and for each of them Python then looks through all modules: a fifth of what a small build takes.
    """
    setattr(BehaviorFlagRendered, "_default_source", staticmethod(lambda: "dbt"))  # noqa: B010 - mypy takes it for a method


NAME = "koshi_test"  # of every test's database: dbt parses the whole project anew for another one


@pytest.fixture(scope="session")
def template(_state: Path) -> str:
    """A migrated database with seeds and staging, from which each test's own is copied."""
    return make_template()


def make_template() -> str:
    """Makes that database and returns its name."""
    profile = Profile("sample", "", "", state_root() / NAME, NAME)
    migrate.to_head(profile)
    build.stage(profile)
    return keep_as(profile, TEMPLATE).database


@pytest.fixture(scope="session")
def migrated(_state: Path) -> str:
    """A migrated database without anything of dbt's: enough for landing, ledger and journal."""
    profile = Profile("sample", "", "", state_root() / NAME, f"{NAME}_bare")
    migrate.to_head(profile)
    return keep_as(profile, "koshi_migrated").database


@pytest.fixture
def bare(tmp_path: Path, migrated: str) -> Profile:
    """An empty ledger with an empty archive, in which nothing is built."""
    return new_profile(tmp_path, "koshi_bare", like=migrated)


def keep_as(profile: Profile, name: str) -> Profile:
    """Gives the profile's database another name, under which no test drops it."""
    with psycopg.connect(server.start().dsn(), autocommit=True) as connection:
        _alone(connection, profile.database)
        connection.execute(sql.SQL("alter database {} rename to {}").format(sql.Identifier(profile.database), sql.Identifier(name)))
    return dataclasses.replace(profile, database=name)


def _alone(connection: psycopg.Connection[tuple[object, ...]], database: str) -> None:
    """Ends sessions that dbt's threads may still hold: a database in use can be neither copied nor renamed."""
    connection.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [database])


def new_profile(folder: Path, name: str = NAME, like: str = TEMPLATE) -> Profile:
    """An empty warehouse with an archive and a journal of its own; the database is a copy of `like`."""
    with psycopg.connect(server.start().dsn(), autocommit=True) as connection:
        connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))
        _alone(connection, like)
        connection.execute(sql.SQL("create database {} template {}").format(sql.Identifier(name), sql.Identifier(like)))
    profile = Profile("sample", str(folder / "archive"), str(folder / "journal"), state_root() / name, name)
    migrate.to_head(profile)  # rights on a database are not copied with it
    return profile


@pytest.fixture(scope="session")
def good(tmp_path_factory: pytest.TempPathFactory, template: str) -> tuple[Path, str]:
    """The folder and the database of a warehouse that has published one good small delivery of everything."""
    return make_good(tmp_path_factory.mktemp("good"))


def make_good(folder: Path) -> tuple[Path, str]:
    """Makes that warehouse and returns its folder and the name of its database."""
    profile = new_profile(folder)
    small.fill(profile)
    _, settled = small.run(profile)
    assert settled.outcome == "published"
    return folder, keep_as(profile, "koshi_good").database


@pytest.fixture
def settled(good: tuple[Path, str], tmp_path: Path) -> Profile:
    """A warehouse of its own that has published one good small delivery of everything."""
    return copy_of(good, tmp_path / "settled")


def copy_of(good: tuple[Path, str], folder: Path) -> Profile:
    """A copy of such a warehouse in a folder that is not there yet."""
    shutil.copytree(good[0], folder)
    return new_profile(folder, like=good[1])


@pytest.fixture
def profile(tmp_path: Path, template: str) -> Profile:
    """An empty warehouse with an empty archive."""
    return new_profile(tmp_path)


@pytest.fixture
def shared_data() -> Path:
    """The agencies' real files; without them the test says loudly that it did not run."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"NOT TESTED AGAINST REAL FILES: {SHARED_DATA} is not there")
    return SHARED_DATA
