"""Attempts to take in a dataset, in the ledger: what became of each, and what to do. A log of operation that no replay makes again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from uuid import uuid4

from psycopg.rows import class_row

from warehouse.connection import Connection, connect
from warehouse.keys import hex_key
from warehouse.profile import Profile

Became = Literal["taken", "unchanged", "skipped", "rejected", "undecided", "waiting for", "failed"]
# what to do about a rejected release
DECIDE = "Readers keep what they had; where the agency is right, `python pipeline.py decide accept RELEASE --person … --reason …`"


WAITS = "Readers keep what they had until a person decides, or until a later delivery has it all again; KIND=withdraw says that it is wrong"


def to_decide(profile: Profile, release_key: int) -> str:
    """How a person accepts a release that waits for that."""
    live = " LIVE=1" if profile.is_live else ""
    return f"waits for a decision: make{live} decide KIND=accept RELEASE={hex_key(release_key)} PERSON=… REASON=…"


NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Attempt:
    """One attempt. `url` and `status` are of the answer that mattered; `advice` says what a person can do, if anything."""

    source: str
    dataset: str
    outcome: Became
    happened: str
    advice: str = ""
    url: str = ""
    status: int | None = None
    started_at: datetime = NEVER
    finished_at: datetime = NEVER

    @property
    def name(self) -> str:
        """The dataset's name with its source."""
        return f"{self.source}.{self.dataset}"


def record(profile: Profile, attempt: Attempt, seconds: float) -> None:
    """Records an attempt that ends now and began `seconds` ago; the clock is the server's."""
    with connect(profile, "koshi_loader") as connection:
        connection.execute(
            "insert into meta.attempt (attempt_id, source, dataset, outcome, happened, url, status, advice, started_at, finished_at)"
            " values (%s, %s, %s, %s, %s, %s, %s, %s, clock_timestamp() - make_interval(secs => %s), clock_timestamp())",
            [
                uuid4(), attempt.source, attempt.dataset, attempt.outcome, attempt.happened,
                attempt.url or None, attempt.status, attempt.advice or None, seconds,
            ],
        )  # fmt: skip


def last(connection: Connection) -> dict[str, Attempt]:
    """The last attempt of each dataset that was ever tried, by name."""
    found = connection.cursor(row_factory=class_row(Attempt)).execute(
        "select distinct on (source, dataset) source, dataset, outcome, happened, coalesce(advice, '') as advice,"
        " coalesce(url, '') as url, status, started_at, finished_at"
        " from meta.attempt order by source, dataset, finished_at desc"
    )
    return {attempt.name: attempt for attempt in found}
