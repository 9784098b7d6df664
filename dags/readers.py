"""Ends the sessions of readers that are beyond their bounds; a default of the role can be lifted by every session."""

from __future__ import annotations

from airflow.sdk import task

from reporting.dag_defaults import koshi_dag


@task
def look_after() -> list[str]:
    """Says whose session was ended, and beyond which bound."""
    from warehouse import profile, readers

    return readers.look_after(profile.load())


@koshi_dag("readers", __doc__, ("Readers: what they may take",), schedule="*/5 * * * *", tags=["warehouse"])
def readers_within_bounds() -> None:
    """One look at all sessions of readers."""
    look_after()


readers_within_bounds()
