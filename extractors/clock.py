"""A clock that was ahead: deliveries stamped by it must not outrank later ones.

Releases are ranked by the agency's edition or by the instant of retrieval, which is the machine's clock. A delivery that says that
it was retrieved at a time which is yet to come was retrieved by a wrong clock. It is ranked where the journal has it: after the delivery
that was landed before it, and below all that comes now.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from extractors.archive import Snapshot
from warehouse import ledger
from warehouse.connection import Connection
from warehouse.journal import Journal, now

# in the order in which they were landed
LANDED = """
select d.delivery, d.retrieved_at, d.came_after from meta.delivery as d
where (d.source, d.dataset) = (%(source)s, %(dataset)s) order by (
    select min(l.sequence) from meta.journal_entry as l
    where l.kind = 'landed' and l.entry ->> 'source' = d.source and l.entry ->> 'dataset' = d.dataset
        and split_part(l.entry #>> '{snapshots,0,manifest}', '/', 4) = d.delivery
), d.delivery
"""
ONE_TO_COME = "select 1 from meta.delivery where (source, dataset) = (%s, %s) and came_after is null and retrieved_at > %s limit 1"
FIRST = datetime(1970, 1, 1, tzinfo=UTC)


def present(snapshots: Sequence[Snapshot]) -> str:
    """The instant by which all that was landed must have come: of an answer that an agency has just given, when it came; else now.

    A file that a person records may be older than what was landed, and says nothing about the clock.
    """
    first = snapshots[0]
    return min(now(), first.retrieved_at) if first.capture == "live" else now()


def was_ahead(connection: Connection, source: str, dataset: str, at: str) -> bool:
    """Whether a landed delivery of the dataset says that it was retrieved after the instant `at`, and is not ranked anew yet."""
    return connection.execute(ONE_TO_COME, [source, dataset, at]).fetchone() is not None


def redate(connection: Connection, journal: Journal, source: str, dataset: str, at: str) -> list[str]:
    """Ranks the dataset's landed deliveries that were retrieved, they say, after the instant `at`, and returns their names.

    Among each other they keep their order. The caller commits. It is done before a delivery is landed: only then is that told apart from
    what really came before it.
    """
    if not was_ahead(connection, source, dataset, at):
        return []
    latest, found = FIRST, dict[str, str]()
    for name, retrieved_at, came_after in connection.execute(LANDED, {"source": source, "dataset": dataset}).fetchall():
        if came_after is None and retrieved_at > datetime.fromisoformat(at):
            found[name] = latest.isoformat(timespec="milliseconds")
        else:
            instant = datetime.fromisoformat(came_after) if came_after else retrieved_at
            latest = max(latest, instant.astimezone(UTC))
    ledger.record(connection, journal, "redated", {"source": source, "dataset": dataset, "at": at, "deliveries": found})
    return list(found)
