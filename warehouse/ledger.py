"""The ledger: the only writer of `meta` and of the journal.

`record` applies one change to the database and writes it to the journal before the caller commits. `apply` alone is what
`record` and a replay share, so that a database made from the journal is the one that wrote it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import groupby
from typing import Any, LiteralString

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from warehouse import mirror
from warehouse.connection import Connection
from warehouse.journal import RESTORE, Entry, Journal, JournalError, OvertakenError, now
from warehouse.keys import content_key
from warehouse.locks import JOURNAL, until_commit

ACCEPTED_STATES = ("accepted", "held", "published", "superseded")
# of a release that gate 1 leaves to a person: readers do not see it, and nothing is compared with it, until somebody decides
UNDECIDED = "undecided"
# what a person decided of a release stands until a person decides otherwise: no gate and no publication changes it
DECIDED = "(state = 'withdrawn' or (state = 'held' and held_in_candidate is null))"


# what an entry meets that lacks a field, or has one or a value that this code does not know
MISSHAPEN = (KeyError, psycopg.errors.UndefinedColumn, psycopg.errors.NotNullViolation, psycopg.errors.CheckViolation)


def record(connection: Connection, journal: Journal, kind: str, body: dict[str, Any]) -> Entry:
    """Applies a change inside the caller's transaction and writes the journal's entry; the caller commits.

    Raises `OvertakenError` if the journal, its head record and this database do not end with the same entry: another process died
    between them, or an end was lost. Who catches up with the journal first mends it, or hears what is wrong.
    """
    until_commit(connection, JOURNAL)
    if mirror.is_out_of_step(connection, journal):
        raise OvertakenError(
            f"{journal.root} ends at entry {journal.head()}, this database has applied {last_applied(connection)}, and the head record is "
            "of one of them or of neither: run again, which brings them together or says what is wrong"
        )
    head = mirror.last(connection)
    if head.digest is None and (sealed := mirror.seal(connection, journal)):
        apply(connection, sealed)
        journal.append(sealed)
        head = sealed.head
    # as it is read back: what is applied now and what a replay applies are one
    entry = Entry(head.sequence + 1, kind, now(), json.loads(json.dumps(body)), head.digest or "")
    apply(connection, entry)
    journal.append(entry)
    return entry


def last_applied(connection: Connection) -> int:
    """The number of the last journal entry that this database has applied."""
    return mirror.last(connection).sequence


def apply(connection: Connection, entry: Entry) -> None:
    """Makes the ledger say what the entry says. Rows of raw and the views of readers are not its business.

    Raises `JournalError` for a kind, a field or a state that this code does not know, and for a field that is missing.
    """
    refuse_unknown([entry])
    connection.execute("set local synchronous_commit = on")
    try:
        _APPLY[entry.kind](connection, entry)
    except MISSHAPEN as error:
        what = f"the field {error} is missing" if isinstance(error, KeyError) else str(error).splitlines()[0]
        raise JournalError(f"journal entry {entry.sequence}, kind {entry.kind}: {what}: other code wrote it. {RESTORE}") from error
    mirror.keep(connection, entry)


def refuse_unknown(entries: Sequence[Entry]) -> None:
    """Raises `JournalError` for the first entry of a kind that this code does not know."""
    for entry in entries:
        if entry.kind not in _APPLY:
            raise JournalError(
                f"journal entry {entry.sequence} is of kind {entry.kind!r}, which this code does not know. "
                "Nothing was applied: use newer code"
            )


def _insert(connection: Connection, table: str, *rows: dict[str, Any], conflict: LiteralString = "") -> None:
    """Inserts rows whose keys an entry wrote: none of them is ever read as anything but a column's name.

    Rows with the same keys go in one batch: a delivery may have a hundred releases, and the server need not be waited for after each.
    """
    for keys, alike in groupby(rows, tuple):
        statement = sql.SQL("insert into {} ({}) values ({}) {}").format(
            sql.Identifier(*table.split(".")),
            sql.SQL(", ").join(map(sql.Identifier, keys)),
            sql.SQL(", ").join(sql.Placeholder() * len(keys)),
            sql.SQL(conflict),
        )
        values = [[Jsonb(value) if isinstance(value, (dict, list)) else value for value in row.values()] for row in alike]
        connection.cursor().executemany(statement, values)


def _landed(connection: Connection, entry: Entry) -> None:
    """A delivery has come: what was asked and answered, and the releases that say something new."""
    body = entry.body
    _delivery(connection, body)
    _releases(connection, entry)
    if fingerprint := body.get("parser_fingerprint"):
        _insert(
            connection,
            "meta.parser",
            {"source": body["source"], "dataset": body["dataset"], "parser_fingerprint": fingerprint},
            conflict="on conflict do nothing",
        )


def _reparsed(connection: Connection, entry: Entry) -> None:
    """Other code has read every delivery of a dataset anew: a change of ours, whatever it changed."""
    body = entry.body
    for delivery, declaration in body["declarations"].items():
        connection.execute(
            "update meta.delivery set declaration = %s where (source, dataset, delivery) = (%s, %s, %s) and declaration is null",
            [Jsonb(declaration), body["source"], body["dataset"], delivery],
        )
    _releases(connection, entry)
    _insert(
        connection,
        "meta.parser",
        {"source": body["source"], "dataset": body["dataset"], "parser_fingerprint": body["after"]},
        conflict="on conflict (source, dataset) do update set parser_fingerprint = excluded.parser_fingerprint",
    )


def _redated(connection: Connection, entry: Entry) -> None:
    """A clock was ahead when deliveries came: they rank by the instant that they came after, among each other by what their clock said."""
    body = entry.body
    for delivery, instant in body["deliveries"].items():
        which = [body["source"], body["dataset"], delivery]
        connection.execute("update meta.delivery set came_after = %s where (source, dataset, delivery) = (%s, %s, %s)", [instant, *which])
        # the instant of retrieval is the last part of a rank, or all of it
        connection.execute(
            r"update meta.release set rank = regexp_replace(rank, '([^/]+)$', %s || '/\1')"
            " where (source, dataset, delivery) = (%s, %s, %s)",
            [instant, *which],
        )


def _delivery(connection: Connection, body: dict[str, Any]) -> None:
    snapshots = body["snapshots"]
    _insert(connection, "meta.snapshot", *snapshots, conflict="on conflict (snapshot_key) do nothing")
    declaration = body.get("declaration")
    connection.execute(
        "insert into meta.delivery (source, dataset, delivery, retrieved_at, manifests, shas, declaration, lacks)"
        " values (%s, %s, %s, %s, %s, %s, %s, %s)"
        " on conflict (source, dataset, delivery) do update set manifests = excluded.manifests, shas = excluded.shas,"
        " declaration = excluded.declaration, lacks = excluded.lacks",
        [
            body["source"],
            body["dataset"],
            _delivery_of(snapshots[0]["manifest"]),
            snapshots[0]["retrieved_at"],
            [snapshot["manifest"] for snapshot in snapshots],
            [snapshot["sha256"] for snapshot in snapshots],
            Jsonb(declaration) if declaration else None,
            body.get("lacks", []),
        ],
    )


def _delivery_of(manifest: str) -> str:
    """The name of the delivery that a manifest lies in: `manifests/<source>/<dataset>/<delivery>/…`."""
    return manifest.split("/")[3]


def _releases(connection: Connection, entry: Entry) -> None:
    manifests = {snapshot["snapshot_key"]: snapshot["manifest"] for snapshot in entry.body["snapshots"]}
    releases: list[dict[str, Any]] = []
    rests_on: list[dict[str, Any]] = []
    for release in entry.body["releases"]:
        snapshots = release["snapshot_keys"]
        row: dict[str, Any] = {"delivery": _delivery_of(manifests[snapshots[0]])} if "delivery" not in release else {}
        row |= {key: value for key, value in release.items() if key != "snapshot_keys"}
        releases.append(row | {"recorded_at": entry.at})
        rests_on += [
            {"release_key": row["release_key"], "snapshot_key": key, "position": position} for position, key in enumerate(snapshots)
        ]
    _forget(connection, [row["release_key"] for row in releases])
    _insert(connection, "meta.release", *releases)
    _insert(connection, "meta.release_snapshot", *rests_on)
    confirmations = [confirmation | {"recorded_at": entry.at} for confirmation in entry.body["confirmations"]]
    _insert(connection, "meta.confirmation", *confirmations, conflict="on conflict do nothing")


def _forget(connection: Connection, release_keys: list[int]) -> None:
    """Makes room for releases that an earlier version landed anew after they were rejected under other code."""
    for table in ("quality.quarantine", "meta.release_snapshot", "meta.release"):
        connection.execute(f"delete from {table} where release_key = any(%s)", [release_keys])


def _judged(connection: Connection, entry: Entry) -> None:
    """Gate 1 has spoken of releases: accepted, rejected or undecided, with what it quarantined and every result.

    Of a release that a person accepted while the gate looked at it, the person's word stands.
    """
    for verdict in entry.body["releases"]:
        connection.execute(
            "update meta.release set state = %s, reason = %s, rows_quarantined = %s, code_fingerprint = %s, verdict_fingerprint = %s"
            f" where release_key = %s and state in ('landed', 'rejected', '{UNDECIDED}')",
            [
                verdict["state"],
                verdict["reason"],
                len(verdict["quarantined"]),
                entry.body["code_fingerprint"],
                entry.body.get("verdict_fingerprint"),
                verdict["release_key"],
            ],
        )
        connection.execute("delete from quality.quarantine where release_key = %s", [verdict["release_key"]])
        _insert(
            connection,
            "quality.quarantine",
            *[pointer | {"release_key": verdict["release_key"], "first_seen": entry.at} for pointer in verdict["quarantined"]],
            conflict="on conflict do nothing",
        )
    _results(connection, entry)


def _results(connection: Connection, entry: Entry) -> None:
    extra = {"code_fingerprint": entry.body["code_fingerprint"], "recorded_at": entry.at} if entry.body["results"] else {}
    results = [
        result | {"result_key": content_key("result", str(entry.sequence), str(number))} | extra
        for number, result in enumerate(entry.body["results"])
    ]
    _insert(connection, "quality.validation_result", *results)


def _held(connection: Connection, entry: Entry) -> None:
    """Gate 2 holds releases. Entries of earlier versions have one reason for all of them, and no company."""
    body = entry.body
    earlier = [{"release": key, "reason": body["reason"]} for key in body["releases"]]
    for verdict in body.get("verdicts", earlier):
        datasets = Jsonb(verdict["datasets"]) if "datasets" in verdict else None
        connection.execute(
            "update meta.release set state = 'held', reason = %s, held_in_candidate = %s, held_with = %s, held_datasets = %s"
            f" where release_key = %s and not {DECIDED}",
            [verdict["reason"], body["publication_key"], verdict.get("held_with"), datasets, verdict["release"]],
        )
    _results(connection, entry)


def _refused(connection: Connection, entry: Entry) -> None:
    _results(connection, entry)


def _sealed(connection: Connection, entry: Entry) -> None:
    """The chain begins here: that the entries before are those that it names was looked at before anything was applied."""


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
    connection.execute(
        "insert into meta.publication_release (publication_key, release_key, is_current)"
        " select %s, release_key, is_current from unnest(%s::bigint[], %s::boolean[]) as shown (release_key, is_current)",
        [key, [release_key for release_key, _ in body["releases"]], [is_current for _, is_current in body["releases"]]],
    )
    _results(connection, entry)
    _show_states(connection, key)
    keep_last(connection, body["keep"])


def _show_states(connection: Connection, publication_key: int) -> None:
    """States follow the publication that readers see: its releases are published or superseded, others merely accepted.

    What a person withdrew or held stays so, though readers of an earlier publication see it again.
    """
    connection.execute(
        "update meta.release set state = 'accepted' where state in ('published', 'superseded')"
        " and release_key not in (select release_key from meta.publication_release where publication_key = %s)",
        [publication_key],
    )
    connection.execute(
        "update meta.release as r set state = case when p.is_current then 'published' else 'superseded' end,"
        " reason = null, held_in_candidate = null, held_with = null, held_datasets = null"
        f" from meta.publication_release as p where p.publication_key = %s and p.release_key = r.release_key and not {DECIDED}"
        # a row that says so already is not written again
        " and (r.state <> case when p.is_current then 'published' else 'superseded' end"
        "  or num_nonnulls(r.reason, r.held_in_candidate, r.held_with, r.held_datasets) > 0)",
        [publication_key],
    )


def keep_last(connection: Connection, count: int) -> None:
    """Marks all but the last `count` publications (and the current one) as no longer kept."""
    connection.execute(
        "update meta.publication set is_kept = is_current or number > (select max(number) from meta.publication) - %s", [count]
    )


def _decided(connection: Connection, entry: Entry) -> None:
    """A person has decided. A pin points readers at a kept publication; unpin lets the next run publish again.

    A release that readers see and that is accepted stays what it is in their publication.
    """
    body = entry.body
    _insert(connection, "meta.decision", {"sequence": entry.sequence, "recorded_at": entry.at} | body)
    if body["kind"] == "pin":
        connection.execute("update meta.publication set is_current = false where is_current")
        connection.execute("update meta.publication set is_current = true where publication_key = %s", [body["publication_key"]])
        _show_states(connection, body["publication_key"])
    state = {"accept": "accepted", "hold": "held", "withdraw": "withdrawn"}.get(body["kind"])
    if state:
        connection.execute(
            "update meta.release set state = %s, reason = %s, held_in_candidate = null, held_with = null, held_datasets = null"
            " where release_key = %s",
            [state, body["reason"], body["release_key"]],
        )
    if state == "accepted":
        connection.execute(
            "update meta.release as r set state = case when p.is_current then 'published' else 'superseded' end"
            " from meta.publication_release as p join meta.publication as c using (publication_key)"
            " where c.is_current and p.release_key = r.release_key and r.release_key = %s",
            [body["release_key"]],
        )


_APPLY = {
    "landed": _landed,
    "reparsed": _reparsed,
    "redated": _redated,
    "judged": _judged,
    "held": _held,
    "refused": _refused,
    "sealed": _sealed,
    "published": _published,
    "decided": _decided,
}


def pinned(connection: Connection) -> str | None:
    """The reason for which a person pinned the current publication, or None if it is not pinned."""
    row = connection.execute(
        "select kind, person, reason from meta.decision where kind in ('pin', 'unpin') order by sequence desc limit 1"
    ).fetchone()
    return f"{row[2]} ({row[1]})" if row and row[0] == "pin" else None


def rules_passed(connection: Connection, publication_key: int) -> dict[str, frozenset[str]]:
    """The fingerprints of the rules that a publication passed, by the name of the check; none in results of earlier versions."""
    rows = connection.execute(
        "select expectation, array_agg(distinct rule_fingerprint) from quality.validation_result"
        " where publication_key = %s and gate = 'gate 2' and success and rule_fingerprint is not null group by 1",
        [publication_key],
    ).fetchall()
    return {name: frozenset(fingerprints) for name, fingerprints in rows}


def set_aside(connection: Connection, publication_key: int) -> list[dict[str, Any]]:
    """What failed in a publication on what readers already saw, as it was recorded when it was published last."""
    row = connection.execute(
        "select entry -> 'set_aside' from meta.journal_entry where kind = 'published' and (entry ->> 'publication_key')::bigint = %s"
        " order by sequence desc limit 1",
        [publication_key],
    ).fetchone()
    return list(row[0] or []) if row else []


def refused_before(connection: Connection, publication_key: int) -> str | None:
    """Why this very candidate was refused, if nothing was decided or published since; else None."""
    row = connection.execute(
        "select r.entry ->> 'reason' from meta.journal_entry as r"
        " where r.kind = 'refused' and (r.entry ->> 'publication_key')::bigint = %s and not exists ("
        "  select 1 from meta.journal_entry as later where later.sequence > r.sequence and later.kind in ('decided', 'published'))"
        " order by r.sequence desc limit 1",
        [publication_key],
    ).fetchone()
    return str(row[0]) if row else None
