"""One DAG for each `source.yml`: takes in the source's datasets, one mapped task a dataset.

A dataset whose gate looks at another (`after` in `source.yml`) is taken in once that one is.
"""

from __future__ import annotations

from typing import Any

import pendulum
from airflow.sdk import DAG, Asset, dag, task
from airflow.sdk.exceptions import AirflowSkipException

from extractors.source import Source, load_source, source_codes


@task
def catch_up() -> int:
    """Applies what a killed run wrote into the journal and could not commit."""
    from extractors.replay import catch_up as apply
    from warehouse import profile

    return apply(profile.load()).entries


def _take_in(source: str, dataset: str) -> int:
    """Takes in one dataset; a success is an event of the source's asset, nothing accepted is a skip."""
    from expectations.intake import take_in
    from reporting import run_log
    from warehouse import profile

    intake = take_in(profile.load(), source, dataset)
    run_log.intake(intake)
    if not intake.accepted:
        raise AirflowSkipException(f"{intake.dataset}: nothing new was accepted")
    return len(intake.accepted)


def _dag_of(source: Source) -> DAG:
    waiting = {name for name, dataset in source.datasets.items() if dataset.after}
    awaited = {source.datasets[name].after for name in waiting}

    def mapped(task_id: str, datasets: set[str], trigger_rule: str = "all_success") -> Any:
        label = "{{ task.op_kwargs['dataset'] }}"
        take_in = task(task_id=task_id, trigger_rule=trigger_rule, outlets=[Asset(source.asset)], map_index_template=label)(_take_in)
        return take_in.partial(source=source.code).expand(dataset=sorted(datasets))

    @dag(
        dag_id=f"extract_{source.code}",
        schedule=source.schedule,
        start_date=pendulum.datetime(2026, 1, 1, tz="Asia/Almaty"),
        catchup=False,
        max_active_runs=1,
        tags=["extract"],
        doc_md=f"{source.name.en}: {', '.join(source.datasets)}.",
    )
    def extract() -> None:
        begun = catch_up()
        begun >> mapped("take_in", source.datasets.keys() - waiting - awaited)
        if waiting:
            begun >> mapped("take_in_first", awaited) >> mapped("take_in_after", waiting, trigger_rule="none_failed")

    return extract()


for code in source_codes():
    globals()[f"extract_{code}"] = _dag_of(load_source(code))
