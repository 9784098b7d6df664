"""Makes the warehouse from the archive and the journal, by hand, after the database was lost; the warehouse DAG follows."""

from __future__ import annotations

from airflow.sdk import Asset

from reporting.dag_defaults import REPLAYED, catch_up, koshi_dag, summary


@koshi_dag("replay", __doc__, ("Restore", "Lost or damaged"), schedule=None, tags=["warehouse"])
def replay_warehouse() -> None:
    """From the journal to the ledger, core and the kept publications."""
    catch_up.override(task_id="replay", outlets=[Asset(REPLAYED)])() >> summary("replayed")


replay_warehouse()
