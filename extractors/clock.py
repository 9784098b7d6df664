"""A clock that was ahead: what came by it must not hide what comes later.

An agency's edition or the instant of retrieval ranks what an agency says, and the instant is the machine's word. A delivery that was landed
and says that it comes from a time which is yet to come was retrieved by a wrong clock; in the order of the journal it came before all that
comes now, and there it is ranked.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC

from extractors.archive import Snapshot
from warehouse import ledger
from warehouse.connection import Connection
from warehouse.journal import Journal, now

# ranks a delivery before which the journal has nothing from a time that has come
NEVER = "1970-01-01T00:00:00.000+00:00"
WRITTEN_BEFORE = """
select d.delivery, coalesce(max(j.recorded_at), %(never)s)
from meta.delivery as d
left join meta.journal_entry as j on j.recorded_at <= %(at)s and j.sequence < (
    select min(l.sequence) from meta.journal_entry as l
    where l.kind = 'landed' and l.entry ->> 'source' = d.source and l.entry ->> 'dataset' = d.dataset
        and split_part(l.entry #>> '{snapshots,0,manifest}', '/', 4) = d.delivery
)
where (d.source, d.dataset) = (%(source)s, %(dataset)s) and d.came_after is null and d.retrieved_at > %(at)s
group by d.delivery, d.retrieved_at order by d.retrieved_at, d.delivery
"""


def present(snapshots: Sequence[Snapshot]) -> str:
    """The instant by which all that was landed must have come: of an answer that an agency has just given, when it came; else now.

    A file that a person records may be older than what was landed, and says nothing about the clock.
    """
    first = snapshots[0]
    return min(now(), first.retrieved_at) if first.capture == "live" else now()


def redate(connection: Connection, journal: Journal, source: str, dataset: str, at: str) -> list[str]:
    """Ranks the dataset's deliveries that were landed and were retrieved, they say, after the instant `at`: their names.

    Each is dated by the last entry that the journal had before it and that is no later than `at`; among each other they keep their order.
    The caller commits. It is done before a delivery is landed: only then is it told apart from what really came before it.
    """
    rows = connection.execute(WRITTEN_BEFORE, {"at": at, "never": NEVER, "source": source, "dataset": dataset}).fetchall()
    if rows:
        deliveries = {name: instant.astimezone(UTC).isoformat(timespec="milliseconds") for name, instant in rows}
        ledger.record(connection, journal, "redated", {"source": source, "dataset": dataset, "at": at, "deliveries": deliveries})
    return [name for name, _ in rows]
