"""What Airflow does with the DAG of a source where one dataset waits for another: the real DAG, whose tasks end as they are told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from extractors.source import load_source, source_codes
from reporting import airflow_home
from warehouse.locks import PATIENCE
from warehouse.profile import ROOT, Profile

RUN = """
import json, sys
from datetime import UTC, datetime
from types import SimpleNamespace
from airflow.dag_processing.dagbag import DagBag
from airflow.serialization.serialized_objects import DagSerialization
from airflow.timetables.base import TimeRestriction
from airflow.utils.db import upgradedb
from expectations import intake
from extractors import replay
from reporting.airflow_home import without_retries

def end(name):
    if told.get(name) == "failed":
        raise RuntimeError(name)
    return SimpleNamespace(accepted=[1] if told.get(name) != "skipped" else [], dataset=name, became="skipped", happened="as told")

intake.take_in = lambda profile, source, dataset: end(dataset)
replay.catch_up = lambda profile: SimpleNamespace(entries=len(end("catch_up").accepted))
upgradedb()
bag = DagBag(sys.argv[1])
assert not bag.import_errors, bag.import_errors
tasks = {(d.dag_id, t.task_id): (t.retries, t.execution_timeout.total_seconds()) for d in bag.dags.values() for t in d.tasks}
print("TASKS", json.dumps(sorted(tasks.values())), flush=True)
warehouse = DagSerialization.deserialize_dag(DagSerialization.serialize_dag(bag.dags["warehouse"])).timetable
print("STARTS", json.dumps(sorted(asset.name for asset in warehouse.asset_condition.objects)), flush=True)
known = TimeRestriction(earliest=bag.dags["warehouse"].start_date, latest=None, catchup=False)
first = warehouse.next_dagrun_info(last_automated_data_interval=None, restriction=known)
print("FIRST", json.dumps((datetime.now(UTC) - first.run_after).total_seconds()), flush=True)
for told in json.loads(sys.argv[2]):
    run = without_retries(bag.dags["extract_bns"]).test()
    states = {(t.rendered_map_index or t.task_id): str(t.state) for t in run.get_task_instances()}
    print("STATES", json.dumps(states | {"run": str(run.state)}), flush=True)

from extractors import verify

for found in ([], ["a finding"]):
    verify.check = lambda profile: found
    print("CHECK", bag.dags["check"].test().state, flush=True)
"""
# what the tasks of some datasets are told, how the one that waits ends, and the run of the DAG
CASES: tuple[tuple[dict[str, str], str, str], ...] = (
    ({}, "success", "success"),
    # nothing new is no reason not to look at what waits
    ({"internal_by_region": "skipped"}, "success", "success"),
    # it looks for itself and ends as skipped, waiting for the other; the run of the DAG has failed all the same
    ({"internal_by_region": "failed", "internal_matrix": "skipped"}, "skipped", "failed"),
    ({"catch_up": "failed"}, "never", "failed"),
)


@pytest.mark.slow
def test_the_dags_start_without_an_agency_and_what_waits_for_another_is_tried_for_itself(tmp_path: Path) -> None:
    settings = airflow_home.settings(Profile("sample", "", "", tmp_path, "unused"))
    command = [sys.executable, "-c", RUN, str(ROOT / "dags"), json.dumps([told for told, _, _ in CASES])]
    done = subprocess.run(command, cwd=ROOT, env=dict(os.environ) | settings, capture_output=True, text=True, timeout=800, check=False)

    def told(word: str) -> list[Any]:
        return [json.loads(line.removeprefix(word)) for line in done.stdout.splitlines() if line.startswith(f"{word} ")]

    ended = told("STATES")
    assert len(ended) == len(CASES), done.stdout + done.stderr
    # a process that was killed, or a service that is not up yet, fails no task for a day; none stands for ever
    assert all(retries == 2 and PATIENCE < seconds < 24 * 3600 for retries, seconds in told("TASKS")[0])
    # what no agency starts: a replay, and new code at the next time of the timer, the first of which has come already
    assert told("STARTS") == [sorted([airflow_home.REPLAYED, *(load_source(code).asset for code in source_codes())])]
    assert 0 <= told("FIRST")[0] <= 15 * 60
    found = [(states.get("internal_matrix", "never"), states["run"]) for states in ended]
    assert found == [(waiting, run) for _, waiting, run in CASES]
    checks = [line.removeprefix("CHECK ") for line in done.stdout.splitlines() if line.startswith("CHECK ")]
    assert checks == ["success", "failed"], "the weekly check fails where anything is found"
