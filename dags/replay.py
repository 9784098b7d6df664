"""Makes the warehouse from the archive and the journal, by hand, after the database was lost; the warehouse DAG follows."""

from __future__ import annotations

import pendulum
from airflow.sdk import Asset, dag, task

from reporting.airflow_home import REPLAYED, TASKS


@task(outlets=[Asset(REPLAYED)])
def replay() -> int:
    """Applies every journal entry that the database lacks; all of them if it is new."""
    from extractors.replay import catch_up
    from warehouse import migrate, profile

    chosen = profile.load()
    migrate.prepare(chosen)
    return catch_up(chosen).entries


@dag(
    dag_id="replay",
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="Asia/Almaty"),
    catchup=False,
    max_active_runs=1,
    default_args=TASKS,
    doc_md=__doc__,
)
def replay_warehouse() -> None:
    """From the journal to the ledger, core and the kept publications."""
    replay()


replay_warehouse()
