"""The ledger: the only writer of `meta` and of the journal.

`record` applies one change to the database and writes it to the journal before the caller commits. `apply` alone is what
`record` and a replay share, so that a database made from the journal is the one that wrote it.
"""

from __future__ import annotations

from typing import Any

from psycopg.types.json import Jsonb

from warehouse.connection import Connection
from warehouse.journal import Entry, Journal, JournalError, OvertakenError, now
from warehouse.keys import content_key
from warehouse.locks import JOURNAL, until_commit

ACCEPTED_STATES = ("accepted", "held", "published", "superseded")
# what a person decided of a release stands until a person decides otherwise: no gate and no publication changes it
DECIDED = "(state = 'withdrawn' or (state = 'held' and held_in_candidate is null))"


def record(connection: Connection, journal: Journal, kind: str, body: dict[str, Any]) -> Entry:
    """Applies a change inside the caller's transaction and writes the journal's entry; the caller commits.

    Raises `OvertakenError` if the journal is ahead of this database: another process died between its entry and its commit.
    """
    until_commit(connection, JOURNAL)
    head, mirrored = journal.head(), last_applied(connection)
    if head > mirrored:
        raise OvertakenError(f"the journal stands at {head}, this database at {mirrored}: run again, the entries are applied first")
    if head < mirrored:
        raise JournalError(f"the journal ends at {head}, but this database has applied {mirrored} entries: restore the journal")
    entry = Entry(head + 1, kind, now(), body)
    apply(connection, entry)
    journal.append(entry)
    return entry


def last_applied(connection: Connection) -> int:
    """The number of the last journal entry that this database has applied."""
    row = connection.execute("select coalesce(max(sequence), 0) from meta.journal_entry").fetchone()
    return int(row[0]) if row else 0


def apply(connection: Connection, entry: Entry) -> None:
    """Makes the ledger say what the entry says. Rows of raw and the views of readers are not its business.

    Raises `JournalError` for a kind that this code does not know.
    """
    if entry.kind not in _APPLY:
        raise JournalError(f"journal entry {entry.sequence} is of kind {entry.kind!r}, which this code does not know: use newer code")
    connection.execute("set local synchronous_commit = on")
    _APPLY[entry.kind](connection, entry)
    connection.execute(
        "insert into meta.journal_entry (sequence, kind, entry, recorded_at) values (%s, %s, %s, %s)",
        [entry.sequence, entry.kind, Jsonb(entry.body), entry.at],
    )


def _insert(connection: Connection, table: str, row: dict[str, Any], *, conflict: str = "") -> None:
    columns, marks = ", ".join(row), ", ".join(["%s"] * len(row))
    values = [Jsonb(value) if isinstance(value, (dict, list)) else value for value in row.values()]
    connection.execute(f"insert into {table} ({columns}) values ({marks}) {conflict}", values)


def _landed(connection: Connection, entry: Entry) -> None:
    for snapshot in entry.body["snapshots"]:
        _insert(connection, "meta.snapshot", snapshot, conflict="on conflict (snapshot_key) do nothing")
    for release in entry.body["releases"]:
        snapshots = release["snapshot_keys"]
        row = {key: value for key, value in release.items() if key != "snapshot_keys"}
        _forget(connection, row["release_key"])
        _insert(connection, "meta.release", row | {"recorded_at": entry.at})
        for position, key in enumerate(snapshots):
            _insert(connection, "meta.release_snapshot", {"release_key": row["release_key"], "snapshot_key": key, "position": position})
    for confirmation in entry.body["confirmations"]:
        _insert(connection, "meta.confirmation", confirmation | {"recorded_at": entry.at}, conflict="on conflict do nothing")


def _forget(connection: Connection, release_key: int) -> None:
    """Makes room for a release that was rejected under other code and is landed anew."""
    for table in ("quality.quarantine", "meta.release_snapshot", "meta.release"):
        connection.execute(f"delete from {table} where release_key = %s", [release_key])


def _judged(connection: Connection, entry: Entry) -> None:
    """Gate 1 has spoken of releases: accepted or rejected, with what it quarantined and every result."""
    for verdict in entry.body["releases"]:
        connection.execute(
            "update meta.release set state = %s, reason = %s, rows_quarantined = %s, code_fingerprint = %s where release_key = %s"
            f" and not {DECIDED}",
            [verdict["state"], verdict["reason"], len(verdict["quarantined"]), entry.body["code_fingerprint"], verdict["release_key"]],
        )
        connection.execute("delete from quality.quarantine where release_key = %s", [verdict["release_key"]])
        for pointer in verdict["quarantined"]:
            _insert(
                connection,
                "quality.quarantine",
                pointer | {"release_key": verdict["release_key"], "first_seen": entry.at},
                conflict="on conflict do nothing",
            )
    _results(connection, entry)


def _results(connection: Connection, entry: Entry) -> None:
    for number, result in enumerate(entry.body["results"]):
        key = content_key("result", str(entry.sequence), str(number))
        extra = {"result_key": key, "code_fingerprint": entry.body["code_fingerprint"], "recorded_at": entry.at}
        _insert(connection, "quality.validation_result", result | extra)


def _held(connection: Connection, entry: Entry) -> None:
    for key in entry.body["releases"]:
        connection.execute(
            f"update meta.release set state = 'held', reason = %s, held_in_candidate = %s where release_key = %s and not {DECIDED}",
            [entry.body["reason"], entry.body["publication_key"], key],
        )
    _results(connection, entry)


def _refused(connection: Connection, entry: Entry) -> None:
    _results(connection, entry)


def _published(connection: Connection, entry: Entry) -> None:
    body, key = entry.body, entry.body["publication_key"]
    connection.execute("update meta.publication set is_current = false where is_current")
    _insert(
        connection,
        "meta.publication",
        {
            "publication_key": key,
            "number": body["number"],
            "code_fingerprint": body["code_fingerprint"],
            "core_fingerprint": body["core_fingerprint"],
            "is_current": True,
            "is_kept": True,
            "published_at": entry.at,
        },
        conflict="on conflict (publication_key) do update set is_current = true, is_kept = true, number = excluded.number,"
        " published_at = excluded.published_at",
    )
    connection.execute("delete from meta.publication_release where publication_key = %s", [key])
    for release_key, is_current in body["releases"]:
        _insert(
            connection,
            "meta.publication_release",
            {"publication_key": key, "release_key": release_key, "is_current": is_current},
        )
    _results(connection, entry)
    _show_states(connection, key)
    keep_last(connection, body["keep"])


def _show_states(connection: Connection, publication_key: int) -> None:
    """States follow the publication that readers see: its releases are published or superseded, others merely accepted."""
    connection.execute(
        "update meta.release set state = 'accepted' where state in ('published', 'superseded')"
        " and release_key not in (select release_key from meta.publication_release where publication_key = %s)",
        [publication_key],
    )
    connection.execute(
        "update meta.release as r set state = case when p.is_current then 'published' else 'superseded' end,"
        " reason = null, held_in_candidate = null"
        f" from meta.publication_release as p where p.publication_key = %s and p.release_key = r.release_key and not {DECIDED}",
        [publication_key],
    )


def keep_last(connection: Connection, count: int) -> None:
    """Marks all but the last `count` publications (and the current one) as no longer kept."""
    connection.execute(
        "update meta.publication set is_kept = is_current or number > (select max(number) from meta.publication) - %s", [count]
    )


def _decided(connection: Connection, entry: Entry) -> None:
    """A person has decided. A pin points readers at a kept publication; unpin lets the next run publish again."""
    body = entry.body
    _insert(connection, "meta.decision", {"sequence": entry.sequence, "recorded_at": entry.at} | body)
    if body["kind"] == "pin":
        connection.execute("update meta.publication set is_current = false where is_current")
        connection.execute("update meta.publication set is_current = true where publication_key = %s", [body["publication_key"]])
        _show_states(connection, body["publication_key"])
    state = {"accept": "accepted", "hold": "held", "withdraw": "withdrawn"}.get(body["kind"])
    if state:
        connection.execute(
            "update meta.release set state = %s, reason = %s, held_in_candidate = null where release_key = %s",
            [state, body["reason"], body["release_key"]],
        )


_APPLY = {
    "landed": _landed,
    "judged": _judged,
    "held": _held,
    "refused": _refused,
    "published": _published,
    "decided": _decided,
}


def pinned(connection: Connection) -> str | None:
    """The reason for which a person pinned the current publication, or None if it is not pinned."""
    row = connection.execute(
        "select kind, person, reason from meta.decision where kind in ('pin', 'unpin') order by sequence desc limit 1"
    ).fetchone()
    return f"{row[2]} ({row[1]})" if row and row[0] == "pin" else None
