"""Verifies archive, journal, ledger and rows against each other, once a week: rot is found while the backup still has the bytes."""

from __future__ import annotations

import pendulum
from airflow.sdk import dag, task
from airflow.sdk.exceptions import AirflowFailException

from reporting.airflow_home import TASKS


@task
def verify() -> None:
    """Fails with a line on each finding."""
    from extractors.verify import check as findings
    from warehouse import profile

    if found := findings(profile.load()):
        raise AirflowFailException("\n".join(found))


@dag(
    dag_id="check",
    schedule="0 5 * * 0",
    start_date=pendulum.datetime(2026, 1, 1, tz="Asia/Almaty"),
    catchup=False,
    max_active_runs=1,
    default_args=TASKS,
    tags=["warehouse"],
    doc_md=__doc__,
)
def check_warehouse() -> None:
    """From the bytes of the archive to the rows of raw."""
    verify()


check_warehouse()
