"""Verifies archive, journal, ledger and rows against each other, once a week: rot is found while the backup still has the bytes."""

from __future__ import annotations

from airflow.sdk import task
from airflow.sdk.exceptions import AirflowFailException

from reporting.dag_defaults import koshi_dag


@task
def verify() -> None:
    """Fails with a line on each finding."""
    from extractors.verify import check as findings
    from warehouse import profile

    if found := findings(profile.load()):
        raise AirflowFailException("\n".join(found))


@koshi_dag("check", __doc__, ("Check", "Backup", "Lost or damaged"), schedule="0 5 * * 0", tags=["warehouse"])
def check_warehouse() -> None:
    """From the bytes of the archive to the rows of raw."""
    verify()


check_warehouse()
