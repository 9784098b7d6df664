"""Ends the sessions of readers that are beyond their bounds; a default of the role can be lifted by every session."""

from __future__ import annotations

import pendulum
from airflow.sdk import dag, task

from reporting.airflow_home import TASKS


@task
def look_after() -> list[str]:
    """Says whose session was ended, and beyond which bound."""
    from warehouse import profile, readers

    return readers.look_after(profile.load())


@dag(
    dag_id="readers",
    schedule="*/5 * * * *",
    start_date=pendulum.datetime(2026, 1, 1, tz="Asia/Almaty"),
    catchup=False,
    max_active_runs=1,
    default_args=TASKS,
    tags=["warehouse"],
    doc_md=__doc__,
)
def readers_within_bounds() -> None:
    """One look at all sessions of readers."""
    look_after()


readers_within_bounds()
