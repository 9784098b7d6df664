"""What Airflow does with the DAG of a source where one dataset waits for another: the real DAG, whose tasks end as they are told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from warehouse.profile import ROOT

RUN = """
import json, os, sys
from types import SimpleNamespace
from airflow.dag_processing.dagbag import DagBag
from airflow.utils.db import upgradedb
from expectations import intake
from extractors import replay

told = json.loads(sys.argv[1])

def end(name, *_):
    if told.get(name) == "failed":
        raise RuntimeError(name)
    return SimpleNamespace(accepted=[1] if told.get(name) != "skipped" else [], dataset=name, became="skipped", happened="as told")

intake.take_in = lambda profile, source, dataset: end(dataset)
replay.catch_up = lambda profile: int(bool(end("catch_up")))
upgradedb()
bag = DagBag("dags")
assert not bag.import_errors, bag.import_errors
run = bag.dags["extract_bns"].test()
states = {(t.rendered_map_index or t.task_id): str(t.state) for t in run.get_task_instances()}
print("STATES", json.dumps(states | {"run": str(run.state)}))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("told", "waiting", "run"),
    [
        ({}, "success", "success"),
        # nothing new is no reason not to look at what waits
        ({"internal_by_region": "skipped"}, "success", "success"),
        # it looks for itself and ends as skipped, waiting for the other; the run of the DAG has failed all the same
        ({"internal_by_region": "failed", "internal_matrix": "skipped"}, "skipped", "failed"),
        ({"catch_up": "failed"}, "upstream_failed", "failed"),
    ],
)
def test_what_waits_for_another_is_tried_for_itself(tmp_path: Path, told: dict[str, str], waiting: str, run: str) -> None:
    environment = dict(os.environ) | {"AIRFLOW_HOME": str(tmp_path), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
    command = [sys.executable, "-c", RUN, json.dumps(told)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert "STATES " in done.stdout, done.stdout + done.stderr
    states = json.loads(next(line for line in done.stdout.splitlines() if line.startswith("STATES ")).removeprefix("STATES "))
    # a dataset whose task never started is known by its task alone
    assert states.get("internal_matrix", states.get("take_in_after")) == waiting, states
    assert states["run"] == run
