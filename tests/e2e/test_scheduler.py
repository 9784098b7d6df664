"""A real scheduler: a source's asset starts the DAG that builds and publishes, without anybody asking for it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.conftest import new_profile
from tests.state import read
from warehouse.profile import BUNDLED_ARCHIVE, ROOT


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


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_an_accepted_release_starts_the_warehouse_dag_by_its_asset(tmp_path: Path, template: str) -> None:
    profile = new_profile(tmp_path)
    home = tmp_path / "airflow"
    environment = _environment(home, profile.database, profile.journal)
    airflow = str(Path(sys.executable).parent / "airflow")

    def ask(*words: str) -> str:
        done = subprocess.run([airflow, *words], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)
        return done.stdout

    ask("db", "migrate")
    log = tmp_path / "airflow.log"
    with ExitStack() as stack, log.open("w") as output:
        for service in ("api-server", "dag-processor", "scheduler"):
            process = subprocess.Popen([airflow, service], cwd=ROOT, env=environment, stdout=output, stderr=output)
            stack.callback(process.wait, 30)
            stack.callback(process.terminate)
        _wait("parsing the DAGs", lambda: "extract_iom" in ask("dags", "list", "-o", "json"), 240, log)
        # every other DAG stays paused: what starts the warehouse is the asset, or its timer
        for dag in ("extract_iom", "warehouse"):
            ask("dags", "unpause", dag, "--yes")
        ask("dags", "trigger", "extract_iom")
        _wait("a publication", lambda: read(profile, "select count(*) from meta.publication") == [(1,)], 300, log)

        def finished() -> bool:
            # Airflow prints warnings on the same stream
            lines = [line for line in ask("dags", "list-runs", "warehouse", "-o", "json").splitlines() if line.startswith("[{")]
            runs = json.loads(lines[-1]) if lines else []
            begun = {str(run["run_id"]).split("__")[0] for run in runs if run["state"] == "success"}
            return begun >= {"asset_triggered", "scheduled"}

        _wait("the end of a run by the asset and of one by the timer", finished, 180, log)
    assert read(profile, "select dataset, state from meta.release") == [("missing_migrants", "published")]
