"""Airflow as its people use it: its own commands, as dags/README.md has them, and a scheduler that starts what follows by itself."""

from __future__ import annotations

import json
import os
import shlex
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from extractors.source import load_source, source_codes
from reporting import airflow_home, serve
from tests.conftest import new_profile
from tests.state import read
from warehouse.keys import hex_key
from warehouse.profile import BUNDLED_ARCHIVE, ROOT, Profile

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(900)]
AIRFLOW = str(Path(sys.executable).parent / "airflow")
# What the summary of a run holds, whoever ran it
KEPT = {
    *("releases", "waiting for a decision", "files nothing asks for", "facts", "seconds"),
    *("outcome", "settled", "datasets", "tasks"),
}


@pytest.fixture
def profile(tmp_path: Path, template: str, monkeypatch: pytest.MonkeyPatch) -> Profile:
    """An empty warehouse of the bundled archive, for every process that is started."""
    made = new_profile(tmp_path)
    for name, value in (("ARCHIVE", str(BUNDLED_ARCHIVE)), ("DATABASE", made.database), ("JOURNAL", made.journal)):
        monkeypatch.setenv(f"KOSHI_{name}", value)
    return made


def _ask(environment: dict[str, str], *words: str) -> str:
    command = [AIRFLOW, *words]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False)
    return done.stdout


def _rows(home: str, query: str) -> list[tuple[object, ...]]:
    """What Airflow's own database answers."""
    with sqlite3.connect(f"{home}/airflow.db") as connection:
        return connection.execute(query).fetchall()


def _wait(what: str, found: Callable[[], object], seconds: int, log: Path) -> None:
    deadline = time.monotonic() + seconds
    while not found():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not happen in {seconds} s; the end of the log:\n{log.read_text(errors='replace')[-3000:]}")
        time.sleep(1)


def test_plain_airflow_shows_and_runs_the_dags_by_the_commands_of_the_readme(profile: Profile, tmp_path: Path) -> None:
    lines = (ROOT / "dags" / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 15
    assert "export PYTHONPATH=$PWD AIRFLOW__CORE__DAGS_FOLDER=$PWD/dags" in lines
    home = str(tmp_path / "airflow")
    environment = dict(os.environ) | {"AIRFLOW_HOME": home, "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags")}
    environment["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
    for line in lines:
        if line.startswith("python "):
            subprocess.run([sys.executable, *shlex.split(line)[1:]], cwd=ROOT, env=environment, check=True, timeout=120)
    said = {line: _ask(environment, *shlex.split(line, comments=True)[1:]) for line in lines if line.startswith("airflow ")}
    ours = {*(f"extract_{code}" for code in source_codes()), "warehouse", "replay", "readers", "check"}
    assert {name for name in ours if f"{name} " in said["airflow dags list"]} == ours
    assert _rows(home, "select filename, stacktrace from import_error") == []
    assert set(_rows(home, "select pool, slots from slot_pool")) > {(f"koshi_{code}", 1) for code in source_codes()}
    assert {state for (state,) in read(profile, "select state from meta.release where source = 'uis'")} == {"accepted"}
    [(outcome, summary)] = read(profile, "select outcome, summary from meta.run")
    assert outcome == "taken in"
    assert isinstance(summary, dict)
    assert sorted(summary["datasets"]) == sorted(f"uis.{name}" for name in load_source("uis").datasets)


def test_an_accepted_release_starts_the_warehouse_dag_by_its_asset(profile: Profile) -> None:
    environment = dict(os.environ) | airflow_home.settings(profile)
    home, log = environment["AIRFLOW_HOME"], profile.state / "logs" / "airflow.log"
    begun = datetime.now(UTC)
    with serve.airflow(profile, serve.free_port()):
        _wait(
            "parsing the DAGs",
            lambda: len(_rows(home, "select dag_id from dag where dag_id in ('extract_iom', 'warehouse')")) == 2,
            240,
            log,
        )
        # every other DAG stays paused: what starts the warehouse is the asset, or its timer
        _ask(environment, "dags", "unpause", "--treat-dag-id-as-regex", "^(extract_iom|warehouse)$", "--yes")
        _ask(environment, "dags", "trigger", "extract_iom")
        _wait("a publication", lambda: read(profile, "select count(*) from meta.publication") == [(1,)], 300, log)
        kinds = "select distinct run_type from dag_run where dag_id = 'warehouse' and state = 'success'"
        _wait(
            "the end of a run by the asset and of one by the timer",
            lambda: set(_rows(home, kinds)) >= {("asset_triggered",), ("scheduled",)}, 180, log,
        )  # fmt: skip
        _wait("the end of these runs", lambda: read(profile, "select count(*) from meta.run where finished_at is null") == [(0,)], 60, log)
    [(dataset, state, key)] = read(profile, "select dataset, state, release_key from meta.release")
    assert (dataset, state) == ("missing_migrants", "published")
    # the event of the asset carries the release, and the task that asked had the slot of its agency
    [(extra,)] = _rows(home, "select e.extra from asset_event e join asset a on a.id = e.asset_id where a.name = 'koshi_iom'")
    assert json.loads(str(extra))["releases"] == [hex_key(int(str(key)))]
    assert _rows(home, "select distinct pool from task_instance where task_id like '%.take_in'") == [("koshi_iom",)]

    # what `make run` leaves: when, under which code, what it ended with, the whole summary
    runs = read(profile, "select outcome, summary, started_at, finished_at from meta.run order by started_at")
    assert {outcome for outcome, *_ in runs} >= {"taken in", "published"}
    for word, summary, started, ended in runs:
        assert isinstance(summary, dict) and isinstance(started, datetime) and isinstance(ended, datetime)
        assert begun <= started <= ended
        assert set(summary) == KEPT
        assert summary["outcome"] == word
    [published] = [summary for word, summary, *_ in runs if word == "published" and isinstance(summary, dict)]
    assert [fact for fact, rows in published["facts"].items() if rows["current"]]
    assert published["settled"] == "published"
    assert published["seconds"]["publish"] > 0

    # the log of a task names its steps, and that of the last one has the summary
    for task, expected in (("missing_migrants.take_in", "land.journal"), ("publish.settle", "build.core"), ("summary", "rows by fact")):
        found = [file.read_text(encoding="utf-8") for file in Path(home).glob(f"logs/**/task_id={task}/*.log")]
        assert any(expected in text for text in found), f"{task}: {found}"
