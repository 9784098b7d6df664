"""Airflow's settings for one profile: its own folder, quiet, closed, on loopback only."""

from __future__ import annotations

import json
import os
import secrets
import sys
from pathlib import Path
from typing import Any

from extractors.source import load_source, source_codes
from warehouse.profile import ROOT, Profile

DAGS = ROOT / "dags"


def pool_of(source: str) -> str:
    """The pool that the tasks of a source share: one asks its agency at a time, on however many machines tasks run."""
    return f"koshi_{source}"


def write_pools(file: Path) -> None:
    """Writes a pool of one slot for each source that is declared, as `airflow pools import` reads them. Every scheduler needs them."""
    named = {code: load_source(code).name.en for code in source_codes()}
    found = {pool_of(code): {"slots": 1, "description": f"One task at a time asks: {name}"} for code, name in named.items()}
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


# What `make run` does not start, as it ends with one summary of all DAGs, and tasks that do nothing: each would cost a quarter of a second
NOT_STARTED = r"summary|.*\.their_turn"


def without_retries(dag: Any) -> Any:
    """The DAG for a person who waits for it: sees at once what fails, and runs again."""
    for task in dag.tasks:
        task.retries = 0
    return dag


def settings(profile: Profile) -> dict[str, str]:
    """The environment of an Airflow that runs in the profile's state folder; must stand before airflow is first imported."""
    return {
        "AIRFLOW_HOME": str(profile.state / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
        "KOSHI_PROFILE": profile.name,
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")])),
        "DO_NOT_TRACK": "1",
        "GX_ANALYTICS_ENABLED": "False",
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    }


def records_of_a_run(profile: Profile) -> dict[str, str]:
    """Where the Airflow that lives for one run keeps its records, whatever Airflow the environment speaks of.

    A scheduler with the same records, such as that of `make serve`, would take the run for one of its own and do its tasks as well.
    """
    home = profile.state / "airflow-run"
    return {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW_CONFIG": str(home / "airflow.cfg"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": f"sqlite+aiosqlite:///{home / 'airflow.db'}",
    }


def service(profile: Profile, port: int) -> dict[str, str]:
    """The settings of Airflow as a service with its interface on `port`; its commands are found on PATH."""
    return settings(profile) | {
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(64),
        "AIRFLOW__CORE__PARALLELISM": "2",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO",  # the log of a task names its steps and ends with the summary
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
    }
