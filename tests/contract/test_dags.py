"""The DAGs as Airflow reads them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from warehouse.profile import ROOT

READ = """
import json
from airflow.dag_processing.dagbag import DagBag
bag = DagBag("dags")
assert not bag.import_errors, bag.import_errors
tasks = {t.task_id: [t.trigger_rule, sorted(t.upstream_task_ids)] for t in bag.dags["extract_bns"].tasks}
print("READ", json.dumps(tasks))
"""


def test_what_waits_is_tried_for_itself_and_a_failure_fails_the_run_of_the_dag(tmp_path: Path) -> None:
    """A DAG's run ends as its last tasks: what waits is skipped, so that one more looks at all of them."""
    environment = dict(os.environ) | {"AIRFLOW_HOME": str(tmp_path), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
    done = subprocess.run([sys.executable, "-c", READ], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    tasks = json.loads(next(line for line in done.stdout.splitlines() if line.startswith("READ ")).removeprefix("READ "))
    # without catch_up nothing is tried; a failed sibling is no reason not to look
    assert tasks["take_in_after"] == ["all_done_min_one_success", ["catch_up", "take_in_first"]]
    assert tasks["take_in_first"] == tasks["take_in"] == ["all_success", ["catch_up"]]
    assert tasks["all_taken_in"] == ["none_failed", ["take_in_after", "take_in_first"]]
