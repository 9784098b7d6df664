"""Runs in the ledger: when, under which code, what their tasks told, and what they ended with. A run of `make run`, or of one DAG."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from psycopg.types.json import Jsonb

from warehouse.connection import again_if_lost, connect
from warehouse.fingerprint import code_fingerprint
from warehouse.profile import Profile

# What the tasks of a run told, within its summary
TASKS = "tasks"


@again_if_lost
def begin(profile: Profile, run: UUID | None = None) -> tuple[UUID, datetime]:
    """Records that a run has begun and returns its identity and the instant, by the server's clock. A run that begins anew is that run."""
    run = run or uuid4()
    with connect(profile, "koshi_loader") as connection:
        row = connection.execute(
            "insert into meta.run (run_id, started_at, code_fingerprint) values (%s, clock_timestamp(), %s) on conflict (run_id) do update"
            " set (started_at, code_fingerprint, finished_at, outcome, summary) = (excluded.started_at, excluded.code_fingerprint,"
            " null, null, null) returning started_at",
            [run, code_fingerprint()],
        ).fetchone()
    if row is None:
        raise RuntimeError("meta.run returned nothing for a row that it took: look at the triggers of this database")
    return run, row[0]


@again_if_lost
def tell(profile: Profile, run: UUID, task: str, part: dict[str, Any]) -> None:
    """Records what a task of the run came to; what an earlier try of it told is replaced. A run that is not known begins with it."""
    with connect(profile, "koshi_loader") as connection:
        connection.execute(
            "insert into meta.run as run (run_id, started_at, code_fingerprint, summary)"
            " values (%s, clock_timestamp(), %s, jsonb_build_object(%s::text, %s))"
            " on conflict (run_id) do update set summary = coalesce(run.summary, '{}')"
            " || jsonb_build_object(%s::text, coalesce(run.summary -> %s, '{}') || %s)",
            [run, code_fingerprint(), TASKS, own := Jsonb({task: part}), TASKS, TASKS, own],
        )


def told(profile: Profile, run: UUID) -> list[dict[str, Any]]:
    """What the tasks of the run told, in the order of their names."""
    with connect(profile, "koshi_loader") as connection:
        rows = connection.execute(
            "select part.value from meta.run, jsonb_each(coalesce(summary -> %s, '{}')) as part where run_id = %s order by part.key",
            [TASKS, run],
        ).fetchall()
    return [part for (part,) in rows]


def started(profile: Profile, run: UUID) -> datetime | None:
    """When the run began, by the server's clock; None for a run that is not known."""
    with connect(profile, "koshi_loader") as connection:
        row = connection.execute("select started_at from meta.run where run_id = %s", [run]).fetchone()
    return row[0] if row else None


def end(profile: Profile, run: UUID, outcome: str, summary: dict[str, Any]) -> None:
    """Records how the run ended, beside what its tasks told."""
    with connect(profile, "koshi_loader") as connection:
        connection.execute(
            "update meta.run set finished_at = now(), outcome = %s, summary = coalesce(summary, '{}') || %s where run_id = %s",
            [outcome, Jsonb(summary), run],
        )
