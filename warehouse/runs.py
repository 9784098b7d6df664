"""Runs of the main job in the ledger: when, under which code, and what they ended with."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from psycopg.types.json import Jsonb

from warehouse.connection import connect
from warehouse.fingerprint import code_fingerprint
from warehouse.profile import Profile


def begin(profile: Profile) -> tuple[UUID, datetime]:
    """Records that a run has begun and returns its identity and the instant, by the server's clock."""
    run = uuid4()
    with connect(profile, "koshi_loader") as connection:
        row = connection.execute(
            "insert into meta.run (run_id, started_at, code_fingerprint) values (%s, clock_timestamp(), %s) returning started_at",
            [run, code_fingerprint()],
        ).fetchone()
    if row is None:
        raise RuntimeError("meta.run returned nothing for a row that it took: look at the triggers of this database")
    return run, row[0]


def end(profile: Profile, run: UUID, outcome: str, summary: dict[str, Any]) -> None:
    """Records how the run ended."""
    with connect(profile, "koshi_loader") as connection:
        connection.execute(
            "update meta.run set finished_at = now(), outcome = %s, summary = %s where run_id = %s", [outcome, Jsonb(summary), run]
        )
