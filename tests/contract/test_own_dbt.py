"""Plain dbt, with the commands of dbt/README.md, while Koshi builds and publishes: a person's role writes into its own schema alone."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from typing import Any

import psycopg
import pytest

from tests import small
from tests.state import read
from warehouse import developer
from warehouse.connection import connect
from warehouse.fingerprint import core_schema
from warehouse.profile import ROOT, Profile, state_root
from warehouse.roles import DEVELOPER


def _readme() -> str:
    """The commands as written; what make would install is taken as installed."""
    text = (ROOT / "dbt" / "README.md").read_text("utf-8")
    [commands] = re.findall(r"```sh\n(.*?)```", text, flags=re.DOTALL)
    assert "make -s dbt-env" in commands
    return str(commands).replace("make -s dbt-env", f"make -s -o setup PY={sys.executable} dbt-env")


def _person(profile: Profile, **more: str) -> dict[str, str]:
    mine = {"KOSHI_DATABASE": profile.database, "KOSHI_JOURNAL": profile.journal, "KOSHI_ARCHIVE": profile.archive}
    return {key: value for key, value in os.environ.items() if not key.startswith("KOSHI_DB")} | mine | more


def _as_developer(profile: Profile) -> psycopg.Connection[Any]:
    with connect(profile) as connection:
        found = {name: getattr(connection.info, name) for name in ("host", "port", "dbname")}
    password = (state_root() / "developer.password").read_text("utf-8")
    return psycopg.connect(**found, user=DEVELOPER, password=password, autocommit=True)


@pytest.mark.slow
def test_the_commands_of_the_readme_work_while_koshi_publishes(settled: Profile) -> None:
    balance = "select * from {} order by period_start_date, period_end_date"
    before = read(settled, balance.format("bi.migration_balance_all"))
    small.put(settled, "external_arrivals", small.tree(small.arrivals() | {2021: 1031}), "2026-03-01")
    person = subprocess.Popen(
        ["/bin/sh", "-e", "-c", _readme()], cwd=ROOT, env=_person(settled, KOSHI_DBT_SCHEMA="dev_readme", DBT_WARN_ERROR="true"),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        _, published = small.run(settled)
        said, _ = person.communicate(timeout=600)
    finally:
        person.kill()
    assert person.returncode == 0, said
    assert said.strip() == ""
    assert published.outcome == "published", published.reasons

    built = read(settled, "select relname from pg_class where relnamespace = 'dev_readme'::regnamespace and relkind in ('r', 'v')")
    names = {str(name) for (name,) in built}
    models = {file.stem for file in (ROOT / "dbt" / "models").rglob("*.sql") if "intermediate" not in file.parts}
    assert names == models | {file.stem for file in (ROOT / "dbt" / "seeds").glob("*.csv")}
    after = read(settled, balance.format("bi.migration_balance_all"))
    assert before != after
    assert read(settled, balance.format("dev_readme.migration_balance")) in (before, after)
    page = (settled.state.parent / "sample" / "dbt_dev" / "static_index.html").read_text("utf-8")
    assert "fct_migration_flow" in page
    assert "question_01_balance" in page


def test_the_role_of_a_person_reads_the_sources_and_writes_into_its_own_schema(settled: Profile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KOSHI_DBT_SCHEMA", "dev_a")
    commands = developer.make_schema(settled)
    assert developer.make_schema(settled) == commands  # a second terminal does not lock out the first
    file = state_root() / "developer.password"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.read_text("utf-8") not in commands
    with _as_developer(settled) as person:
        assert person.execute("select count(*) > 0 from meta.release").fetchone() == (True,)
        person.execute("create table dev_a.mine (a int)")
        refused = [
            "delete from meta.candidate_release",
            "insert into quality.quarantine default values",
            "truncate raw.bns_table",
            f"delete from {core_schema()}.int_population",
            f"create table {core_schema()}.mine (a int)",
            "create table bi.mine (a int)",
            "create view bi.mine as select 1",
            "create table public.mine (a int)",
            "create schema candidate",
            "drop table bi.fct_population",
            "set role koshi_transformer",
        ]
        for statement in refused:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                person.execute(statement)


@pytest.mark.parametrize("schema", ["candidate", "bi", "core_default", "Dev_a", 'dev_"; drop schema bi', "developer"])
def test_a_schema_that_is_not_a_persons_is_refused(bare: Profile, monkeypatch: pytest.MonkeyPatch, schema: str) -> None:
    monkeypatch.setenv("KOSHI_DBT_SCHEMA", schema)
    with pytest.raises(ValueError, match="expected dev"):
        developer.make_schema(bare)
    assert read(bare, "select nspname from pg_namespace where nspname ~* '^dev'") == []
