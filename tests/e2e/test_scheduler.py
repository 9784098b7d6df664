"""A real scheduler: a source's asset starts the DAG that builds and publishes, without anybody asking for it."""

from __future__ import annotations

import json
import os
import shlex
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest

from extractors.source import load_source, source_codes
from tests.conftest import new_profile
from tests.state import read
from warehouse.keys import hex_key
from warehouse.profile import BUNDLED_ARCHIVE, ROOT

# What the summary of a run holds, whoever ran it
KEPT = {
    *("releases", "waiting for a decision", "files nothing asks for", "facts", "seconds"),
    *("outcome", "settled", "datasets", "tasks"),
}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _environment(folder: Path, database: str, journal: str) -> dict[str, str]:
    api = _free_port()
    return dict(os.environ) | {
        "AIRFLOW_HOME": str(folder),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "2",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{api}/execution/",
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(api),
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API_AUTH__JWT_SECRET": "a-secret-of-this-test-only",  # pragma: allowlist secret
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(_free_port()),
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(_free_port()),
        "KOSHI_ARCHIVE": str(BUNDLED_ARCHIVE),
        "KOSHI_DATABASE": database,
        "KOSHI_JOURNAL": journal,
    }


def _wait(what: str, found: Callable[[], bool], seconds: int, log: Path) -> None:
    deadline = time.monotonic() + seconds
    while not found():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not happen in {seconds} s; the end of the log:\n{log.read_text(errors='replace')[-3000:]}")
        time.sleep(2)


def _readme() -> dict[str, list[str]]:
    """The commands of dags/README.md, by their first two words after `airflow`."""
    lines = (ROOT / "dags" / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 15
    assert "export PYTHONPATH=$PWD AIRFLOW__CORE__DAGS_FOLDER=$PWD/dags" in lines
    commands = [shlex.split(line, comments=True) for line in lines if line.startswith("airflow ")]
    return {" ".join(command[1:3]): command[1:] for command in commands}


class _Airflow:
    """Airflow as the README has it, in a home of its own, on an empty warehouse."""

    def __init__(self, folder: Path) -> None:
        self.profile, self.home = new_profile(folder), folder / "airflow"
        self.environment = _environment(self.home, self.profile.database, self.profile.journal)
        self.program = str(Path(sys.executable).parent / "airflow")
        self.ask(*_readme()["db migrate"])
        self.ask(*_readme()["pools import"])

    def ask(self, *words: str) -> str:
        done = subprocess.run(
            [self.program, *words], cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=300, check=False
        )
        return done.stdout

    def rows(self, query: str) -> list[tuple[object, ...]]:
        """What its own database answers."""
        with sqlite3.connect(self.home / "airflow.db") as connection:
            return connection.execute(query).fetchall()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_plain_airflow_shows_and_runs_the_dags_by_the_commands_of_the_readme(tmp_path: Path, template: str) -> None:
    airflow = _Airflow(tmp_path)
    airflow.ask(*_readme()["dags reserialize"])
    listed = airflow.ask(*_readme()["dags list"], "-o", "json")
    dags = {dag["dag_id"] for dag in json.loads(listed[listed.index("[{") :])}
    assert dags == {*(f"extract_{code}" for code in source_codes()), "warehouse", "replay", "readers", "check"}
    airflow.ask(*_readme()["dags test"])
    states = read(airflow.profile, "select state, count(*) from meta.release where source = 'uis' group by 1")
    assert [state for state, _ in states] == ["accepted"]
    [(outcome, summary)] = read(airflow.profile, "select outcome, summary from meta.run")
    assert outcome == "taken in"
    assert isinstance(summary, dict)
    assert sorted(summary["datasets"]) == sorted(f"uis.{name}" for name in load_source("uis").datasets)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_an_accepted_release_starts_the_warehouse_dag_by_its_asset(tmp_path: Path, template: str) -> None:
    airflow = _Airflow(tmp_path)
    profile, ask = airflow.profile, airflow.ask
    log = tmp_path / "airflow.log"
    with ExitStack() as stack, log.open("w") as output:
        for service in ("api-server", "dag-processor", "scheduler"):
            process = subprocess.Popen([airflow.program, service], cwd=ROOT, env=airflow.environment, stdout=output, stderr=output)
            stack.callback(process.wait, 30)
            stack.callback(process.terminate)
        _wait("parsing the DAGs", lambda: "extract_iom" in ask("dags", "list", "-o", "json"), 240, log)
        # every other DAG stays paused: what starts the warehouse is the asset, or its timer
        for dag in ("extract_iom", "warehouse"):
            ask("dags", "unpause", dag, "--yes")
        begun = datetime.now(UTC)
        ask("dags", "trigger", "extract_iom")
        _wait("a publication", lambda: read(profile, "select count(*) from meta.publication") == [(1,)], 300, log)

        def finished() -> bool:
            # Airflow prints warnings on the same stream
            lines = [line for line in ask("dags", "list-runs", "warehouse", "-o", "json").splitlines() if line.startswith("[{")]
            runs = json.loads(lines[-1]) if lines else []
            kinds = {str(run["run_id"]).split("__")[0] for run in runs if run["state"] == "success"}
            return kinds >= {"asset_triggered", "scheduled"}

        _wait("the end of a run by the asset and of one by the timer", finished, 180, log)
        _wait("the end of these runs", lambda: read(profile, "select count(*) from meta.run where finished_at is null") == [(0,)], 60, log)
    [(dataset, state, key)] = read(profile, "select dataset, state, release_key from meta.release")
    assert (dataset, state) == ("missing_migrants", "published")
    # the event of the asset carries the release, and the task that asked had the slot of its agency
    [(extra,)] = airflow.rows("select e.extra from asset_event e join asset a on a.id = e.asset_id where a.name = 'koshi_iom'")
    assert json.loads(str(extra))["releases"] == [hex_key(int(str(key)))]
    assert airflow.rows("select distinct pool from task_instance where task_id like '%.take_in'") == [("koshi_iom",)]
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
