"""One DAG for each `source.yml`: takes in the source's datasets, one mapped task a dataset.

A dataset whose gate looks at another (`after` in `source.yml`) is taken in once that one is.
"""

from __future__ import annotations

from typing import Any

import pendulum
from airflow.sdk import DAG, Asset, dag, task
from airflow.sdk.exceptions import AirflowSkipException

from extractors.source import Source, load_source, source_codes
from reporting.airflow_home import TASKS


@task
def catch_up() -> int:
    """Applies what a killed run wrote into the journal and could not commit."""
    from reporting import run_log

    with run_log.task("catch_up"):
        from extractors.replay import catch_up as apply
        from warehouse import profile

        return apply(profile.load()).entries


def _take_in(source: str, dataset: str) -> int:
    """Takes in one dataset; a success is an event of the source's asset, nothing accepted is a skip.

    What became of it stands in `meta.attempt`; a failure is a failure of the task as well.
    """
    from reporting import run_log

    with run_log.task(f"{source}.{dataset}"):
        from expectations.intake import take_in
        from warehouse import profile

        intake = take_in(profile.load(), source, dataset)
        run_log.intake(intake)
    if not intake.accepted:
        raise AirflowSkipException(f"{intake.dataset}: {intake.became}: {intake.happened}")
    return len(intake.accepted)


@task(trigger_rule="all_done")
def their_turn() -> None:
    """Does nothing: those that wait start after it, whether what they wait for came, brought nothing new or failed."""


@task(trigger_rule="none_failed")
def all_taken_in() -> None:
    """Does nothing: a run of the DAG ends as its last tasks did, and these may be skipped although one before them failed."""


def _dag_of(source: Source) -> DAG:
    waiting = {name for name, dataset in source.datasets.items() if dataset.after}
    awaited = {source.datasets[name].after for name in waiting}

    def mapped(task_id: str, datasets: set[str]) -> Any:
        label = "{{ task.op_kwargs['dataset'] }}"
        take_in = task(task_id=task_id, outlets=[Asset(source.asset)], map_index_template=label)(_take_in)
        return take_in.partial(source=source.code).expand(dataset=sorted(datasets))

    @dag(
        dag_id=f"extract_{source.code}",
        schedule=source.schedule,
        start_date=pendulum.datetime(2026, 1, 1, tz="Asia/Almaty"),
        catchup=False,
        max_active_runs=1,
        default_args=TASKS,
        tags=["extract"],
        doc_md=f"{source.name.en}: {', '.join(source.datasets)}.",
    )
    def extract() -> None:
        begun = catch_up()
        begun >> mapped("take_in", source.datasets.keys() - waiting - awaited)
        if waiting:
            # each looks for itself whether the one that it waits for came; without catch_up none of them starts
            first, after = mapped("take_in_first", awaited), mapped("take_in_after", waiting)
            begun >> [first, after]
            first >> their_turn() >> after
            [first, after] >> all_taken_in()

    return extract()


for code in source_codes():
    globals()[f"extract_{code}"] = _dag_of(load_source(code))
