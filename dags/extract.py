"""One DAG for each `source.yml`: takes in the source's datasets, a task group each.

A dataset whose gate looks at another (`after` in `source.yml`) is taken in once that one is.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, Asset, Param, TaskGroup, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from extractors.source import Source, load_source, source_codes
from reporting.airflow_home import pool_of
from reporting.dag_defaults import catch_up, is_dry_run, koshi_dag, log, summary, told

DOC = """
Takes in what {name} publishes: asks, keeps the answer, lands and judges it. Datasets: {datasets}.

Parameters of a run: `dataset` takes in one alone, `delivery` reads one that is archived and asks nobody, and `dry_run` asks and
parses, and writes neither archive nor journal nor database.
"""
SEE = ("Airflow", "Every day", "Files by hand", "Lost or damaged")


def _take_in(source: str, dataset: str) -> int:
    """Takes in one dataset; a success is an event of the source's asset that names the accepted releases, nothing accepted is a skip.

    What became of it stands in `meta.attempt`; a failure is a failure of the task as well.
    """
    context = get_current_context()
    wanted, delivery = context["params"]["dataset"], context["params"]["delivery"] or ""
    if wanted not in (None, dataset):
        raise AirflowSkipException(f"this run takes in {source}.{wanted} alone")
    if is_dry_run():
        _try(source, dataset, delivery)
    from expectations.intake import take_in
    from warehouse.keys import hex_key
    from warehouse.profile import load

    profile = load()
    with told(profile, f"{source}.{dataset}") as part:
        intake = take_in(profile, source, dataset, delivery)
        part.intake(intake)
    if not intake.accepted:
        raise AirflowSkipException(f"{intake.dataset}: {intake.became}: {intake.happened}")
    context["outlet_events"][Asset(load_source(source).asset)].extra = {
        "dataset": intake.dataset,
        "releases": [hex_key(verdict.release_key) for verdict in intake.accepted],
        "slices": [verdict.slice for verdict in intake.accepted],
    }
    return len(intake.accepted)


def _try(source: str, dataset: str, delivery: str) -> None:
    """A dry run: says what would land, then skips, as no release came. Fails where something cannot be read."""
    from extractors.dry_run import dry_run
    from warehouse.profile import load

    tried = dry_run(load(), source, dataset, delivery)
    for each in tried:
        log.info("%s", each)
    if unreadable := [str(each) for each in tried if each.problem]:
        raise AirflowFailException("; ".join(unreadable))
    raise AirflowSkipException(f"dry run: {source}.{dataset}: {'; '.join(map(str, tried)) or 'nothing to read'}")


@task(trigger_rule="all_done")
def their_turn() -> None:
    """Does nothing: who waits starts after it, whether what he waits for came, brought nothing new or failed."""


def _dag_of(source: Source) -> DAG:
    @koshi_dag(
        f"extract_{source.code}",
        DOC.format(name=source.name.en, datasets=", ".join(source.datasets)),
        SEE,
        schedule=source.schedule,
        tags=["extract"],
        params={
            "dataset": Param(None, "Take in this dataset alone", type=["null", "string"], enum=[None, *source.datasets]),
            "delivery": Param(None, "Read this archived delivery of the dataset, and ask nobody", type=["null", "string"]),
            "dry_run": Param(False, "Ask and parse, and write neither archive nor journal nor database", type="boolean"),
        },
    )
    def extract() -> None:
        begun, ended, taken = catch_up(), summary("taken in", source.code), dict[str, Any]()
        # a group with `after` is made once what it waits for is there
        for name, dataset in sorted(source.datasets.items(), key=lambda item: bool(item[1].after)):
            with TaskGroup(name, tooltip=dataset.title.en):
                take_in = task(task_id="take_in", outlets=[Asset(source.asset)], pool=pool_of(source.code))(_take_in)
                taken[name] = take_in(source.code, name)
                if dataset.after:
                    # it looks for itself whether the one that it waits for came; without catch_up neither starts
                    taken[dataset.after] >> their_turn() >> taken[name]
            begun >> taken[name] >> ended

    made: DAG = extract()
    return made


for code in source_codes():
    globals()[f"extract_{code}"] = _dag_of(load_source(code))
