"""What every DAG has in common: its frame, the defaults of its tasks, and the two tasks between which a run is recorded."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

import pendulum
from airflow.sdk import dag, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from reporting import run_log
from reporting.notify import OnFailure, RunFailedError
from reporting.retries import RETRY_DELAY, ByCause
from warehouse import steps
from warehouse.locks import PATIENCE
from warehouse.profile import Profile, load

# A task that waits for a lock is ended after it had its turn. `make run` tries nothing again: a person waits for it.
DEFAULT_ARGS: dict[str, Any] = {
    "owner": "koshi",
    "retries": 2,
    "retry_delay": RETRY_DELAY,
    "retry_policy": ByCause(),
    "execution_timeout": timedelta(seconds=1.5 * PATIENCE),
    "on_failure_callback": [OnFailure()],
}
TIME_ZONE = "Asia/Almaty"
# The asset that changes when the database was made again from the journal
REPLAYED = "koshi_replayed"
log = logging.getLogger(__name__)


def koshi_dag(dag_id: str, doc: str, see: tuple[str, ...], *, schedule: Any, **more: Any) -> Callable[..., Any]:
    """The decorator of a DAG of ours: one run at a time, nothing made up for, the defaults above, tag `koshi` beside `tags`.

    `doc` is what the DAG does, and `see` are the sections of docs/operations.md that its operator needs.
    """
    sections = "".join(f"\n- [{title}](docs/operations.md#{anchor(title)})" for title in see)
    more["tags"] = ["koshi", *more.get("tags", ())]
    return dag(
        dag_id=dag_id,
        schedule=schedule,
        start_date=pendulum.datetime(2026, 1, 1, tz=TIME_ZONE),
        catchup=False,
        max_active_runs=1,
        default_args=DEFAULT_ARGS,
        doc_md=f"{doc.strip()}\n\nIn the repository, `docs/operations.md`:\n{sections}\n",
        **more,
    )


def anchor(title: str) -> str:
    """A heading of Markdown as the part of an address that leads to it."""
    return "".join(char for char in title.lower().replace(" ", "-") if char.isalnum() or char == "-")


def is_dry_run() -> bool:
    """Whether the run of the DAG asks and parses alone, and writes nothing that the next run would find."""
    return bool(get_current_context()["params"].get("dry_run"))


def _run() -> UUID:
    """The run in the ledger: that of `make run`, else that of the DAG."""
    if run := run_log.run_of_the_environment():
        return run
    context = get_current_context()
    return uuid5(NAMESPACE_URL, f"airflow:{context['dag'].dag_id}/{context['run_id']}")


@functools.cache
def _log_steps() -> None:
    """From now on the log of a task names each step as it begins, and whom it waits for."""
    steps.listen(log.info)


@contextmanager
def told(profile: Profile, name: str) -> Iterator[run_log.Part]:
    """What a task comes to, told in the run of its DAG under this name; its steps stand in its log."""
    _log_steps()
    with run_log.task(profile, _run(), get_current_context()["dag"].dag_id, name) as part:
        yield part


@task
def catch_up() -> int:
    """Begins the run: schemas as this code wants them, and what a killed run wrote into the journal and could not commit is applied."""
    if is_dry_run():
        log.info("dry run: neither schemas nor journal are looked at")
        return 0
    from extractors.replay import catch_up as apply
    from warehouse import migrate, runs

    profile, params = load(), get_current_context()["params"]
    with told(profile, "catch_up"):
        if not run_log.run_of_the_environment():  # `make run` has done both
            migrate.to_head(profile)
            runs.begin(profile, _run())
        if params.get("delivery") and not params.get("dataset"):
            raise AirflowFailException(f"delivery {params['delivery']} of which dataset? Name one in the parameter dataset")
        return apply(profile).entries


@task(trigger_rule="all_done")
def summary(otherwise: str, source: str = "") -> str:
    """Ends the run: the summary of `make run` goes into the log and into `meta.run`. Fails, as the run of the DAG does, if a task failed.

    `otherwise` is the outcome of a run that has nothing to settle, and `source` whose datasets it has taken in.
    """
    context = get_current_context()
    dag_id, run_id = context["dag"].dag_id, context["run_id"]
    found = context["ti"].get_task_states(dag_id=dag_id, run_ids=[run_id]).get(run_id, {})
    states = {f"{dag_id}.{name}": str(state) for name, state in found.items() if name != context["ti"].task_id}
    if is_dry_run():
        if failed := [name for name, state in states.items() if state == "failed"]:
            raise RunFailedError(f"dry run: {', '.join(failed)} failed")
        raise AirflowSkipException("dry run: nothing is recorded")
    from reporting import ending

    ended, _ = ending.end(load(), ending.to_stdout(), _run(), states, source, otherwise)
    if ended.word == "broken":
        raise RunFailedError(ended.last_line)
    return ended.last_line
