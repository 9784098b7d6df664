"""Rights, proven on a real server: who may see and write what."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from tests.state import read
from warehouse import migrate, readers, roles
from warehouse.connection import connect, reader_url
from warehouse.keys import content_key
from warehouse.locks import JOURNAL, until_commit
from warehouse.profile import Profile

Reader = psycopg.Connection[tuple[object, ...]]


@pytest.fixture
def reader(settled: Profile) -> Iterator[Reader]:
    with psycopg.connect(reader_url(settled), autocommit=True) as connection:
        yield connection


def test_the_reader_reads_bi_and_is_refused_every_write_and_every_other_schema(settled: Profile, reader: Reader) -> None:
    assert reader.execute("select count(*) from bi.migration_balance").fetchone() == (4,)
    assert reader.execute("show default_transaction_read_only").fetchone() == ("on",)

    reader.execute("set default_transaction_read_only = off")  # a client may ask; rights, not the setting, must hold
    relations = [name for (name,) in read(settled, "select table_name from information_schema.tables where table_schema = 'bi'")]
    assert len(relations) > 15
    for name in relations:
        for statement in (
            "insert into bi.{} select * from bi.{}",
            "delete from bi.{}",
            "drop table bi.{}",
            "drop view bi.{}",
            "truncate bi.{}",
        ):
            with pytest.raises(
                (psycopg.errors.InsufficientPrivilege, psycopg.errors.ObjectNotInPrerequisiteState, psycopg.errors.WrongObjectType)
            ):
                reader.execute(statement.format(name, name))
    others = read(
        settled,
        "select nspname, relname from pg_class join pg_namespace as n on n.oid = relnamespace where relkind in ('r', 'v')"
        " and nspname <> 'bi' and nspname !~ '^(pg_|information_schema)'",
    )
    assert {str(schema).split("_")[0] for schema, _ in others} >= {"raw", "meta", "quality", "core", "bi"}
    for schema, name in others:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            reader.execute(f"select 1 from {schema}.{name}")
    for statement in (
        "create table bi.mine (a int)",
        "create schema mine",
        "create table public.mine (a int)",
        "create temporary table t (a int)",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            reader.execute(statement)
    for role in (*roles.GROUPS, "koshi"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            reader.execute(f"set role {role}")


LIMITS = {
    "statement_timeout": "10min", "idle_in_transaction_session_timeout": "1min", "transaction_timeout": "15min",
    "idle_session_timeout": "1h", "temp_file_limit": "2GB", "work_mem": "32MB", "default_transaction_read_only": "on",
}  # fmt: skip


def test_what_is_not_about_reading_is_out_of_a_readers_reach(bare: Profile) -> None:
    key = content_key("lock", JOURNAL)
    with psycopg.connect(reader_url(bare), autocommit=True) as reader:
        assert {name: reader.execute(f"show {name}").fetchone() for name in LIMITS} == {name: (value,) for name, value in LIMITS.items()}
        reader.execute("set default_transaction_read_only = off")
        for statement in (
            "select lo_from_bytea(0, 'x')",
            "select lo_creat(-1)",
            "select lo_create(0)",
            f"select pg_advisory_lock({key})",
            f"select pg_try_advisory_xact_lock_shared({key})",
            "select pg_advisory_lock(1, 2)",
            "create temporary table t (a int)",
            "set temp_file_limit = -1",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                reader.execute(statement)
    assert read(bare, "select rolconnlimit from pg_roles where rolname = 'bi_reader'") == [(readers.READERS,)]
    for database in ("postgres", "template1"):
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            psycopg.connect(f"{reader_url(bare).rpartition('/')[0]}/{database}")
    for role in roles.GROUPS:  # what is closed to everybody stays open to Koshi
        with connect(bare) as connection:
            connection.execute(f"set local role {role}")
            until_commit(connection, "a lock of the test")


def test_the_reader_sees_what_power_bi_asks_for(reader: Reader) -> None:
    rows = reader.execute("select privilege_type from information_schema.table_privileges where table_name = 'fct_population' order by 1")
    assert [row[0] for row in rows.fetchall()] == ["REFERENCES", "SELECT"]


def test_the_loader_cannot_change_facts_and_the_transformer_cannot_change_the_ledger(settled: Profile, reader: Reader) -> None:
    schema = read(settled, "select nspname from pg_namespace where nspname ~ '^core_'")[0][0]
    with connect(settled, "koshi_loader") as loader, pytest.raises(psycopg.errors.InsufficientPrivilege):
        loader.execute(f"delete from {schema}.int_population")
    with connect(settled, "koshi_transformer") as transformer, pytest.raises(psycopg.errors.InsufficientPrivilege):
        transformer.execute("delete from meta.release")


def test_every_table_was_analyzed_as_soon_as_it_was_filled(settled: Profile) -> None:
    unknown = "select oid::regclass::text from pg_class where relkind = 'r' and reltuples < 0"
    assert read(settled, f"{unknown} and relnamespace::regnamespace::text ~ '^(core|pub)_' order by 1") == []


def test_preparing_again_changes_nothing(profile: Profile) -> None:
    before = read(profile, "select rolname, rolconfig from pg_roles where rolname ~ '^(koshi|bi)_' order by 1")
    migrate.to_head(profile)
    assert read(profile, "select rolname, rolconfig from pg_roles where rolname ~ '^(koshi|bi)_' order by 1") == before
