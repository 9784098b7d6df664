"""The stored data context, as people know it who know Great Expectations: plain, runnable, without a secret, and recording nothing."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import great_expectations as gx
import pytest

from expectations import data_context
from tests.small import DATASETS
from tests.state import read, state
from warehouse.connection import parameters
from warehouse.profile import ROOT, Profile

SUITES = sorted([*(f"bns.{dataset}" for dataset in DATASETS), "publication"])
README = (ROOT / "expectations" / "README.md").read_text("utf-8")


def test_the_commands_of_the_readme_open_the_context_and_run_a_checkpoint(settled: Profile) -> None:
    [shell] = re.findall(r"```sh\n(.*?)```", README, flags=re.DOTALL)
    [python] = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    environment = os.environ | {
        "KOSHI_DATABASE": settled.database, "KOSHI_JOURNAL": settled.journal, "KOSHI_ARCHIVE": settled.archive,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
    }  # fmt: skip
    before = state(settled)
    done = subprocess.run(
        ["/usr/bin/env", "bash", "-ec", shell], input=python, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    suites, _, described = done.stdout.partition("\n")
    assert suites == str(SUITES)
    assert json.loads(described)["success"] is True
    assert state(settled) == before


def test_the_checkpoint_of_the_publication_reads_what_readers_see(settled: Profile, monkeypatch: pytest.MonkeyPatch) -> None:
    data_context.store(settled)
    for name, value in data_context.environment(settled).items():
        monkeypatch.setenv(name, value)
    context = gx.get_context(mode="file", project_root_dir=str(settled.state))
    result = context.checkpoints.get("publication").run()
    assert result.success
    [suite] = [suite for suite in context.suites.all() if suite.name == "publication"]
    named = {name for check in suite.expectations for name in re.findall(r"\b(\w+)\.\w+ as ", check.unexpected_rows_query)}
    assert "bi" in named
    assert not any(name.startswith("pub_") for name in named)
    with pytest.raises(Exception, match="read-only transaction"):
        context.data_sources.get("warehouse").get_execution_engine().execute_query(_statement("create table quality.mine (a int)"))


def _statement(text: str) -> object:
    import sqlalchemy

    return sqlalchemy.text(text)


def test_what_is_stored_holds_no_secret_and_nothing_of_ours(settled: Profile) -> None:
    data_context.store(settled)
    home = data_context.home(settled)
    files = [file for file in settled.state.rglob("*") if file.is_file() and {"gx", "validations"} & set(file.parts)]
    assert files
    secret = parameters(settled)["password"].encode()
    assert not [file for file in files if secret in file.read_bytes()]
    assert f"${{{data_context.URL}}}" in (home / "great_expectations.yml").read_text("utf-8")
    for file in (home / "checkpoints").glob("*.json"):
        assert [action["type"] for action in json.loads(file.read_text("utf-8"))["actions"]] == ["update_data_docs"]
    assert sorted(file.stem for file in (home / "checkpoints").glob("*.json")) == SUITES


def test_the_context_is_made_anew_only_where_something_changed(settled: Profile) -> None:
    data_context.store(settled)
    made = (data_context.home(settled) / "great_expectations.yml").stat().st_ino
    data_context.store(settled)
    assert (data_context.home(settled) / "great_expectations.yml").stat().st_ino == made
    # a kill between the two renames leaves none, and the next task makes it
    data_context.home(settled).rename(settled.state / "gx.1.old")
    data_context.store(settled)
    assert (data_context.home(settled) / "great_expectations.yml").exists()


def test_rows_judged_stay_until_the_next_judgement(settled: Profile) -> None:
    for dataset in DATASETS:
        tables = data_context.tables(f"bns.{dataset}")
        assert read(settled, f"select count(*) > 0 from {tables['{batch}']}") == [(True,)]
        assert read(settled, f"select count(*) from {tables['{below}']}") == [(0,)]
