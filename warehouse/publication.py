"""Publishing and rolling back: one transaction in which `bi` turns from one publication to another."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg import sql

from warehouse import ledger
from warehouse.build import is_built
from warehouse.candidate import Candidate, current_publication
from warehouse.connection import Connection, connect
from warehouse.fingerprint import code_fingerprint, core_fingerprint, core_schema
from warehouse.journal import Entry, Journal, OvertakenError
from warehouse.keys import hex_key
from warehouse.locks import JOURNAL, locked, until_commit
from warehouse.profile import Profile
from warehouse.relation import PublicationError
from warehouse.served import can_show, clear, forget_before, serve, show_again, shown
from warehouse.steps import reached, step

KEEP = 3


def publish(profile: Profile, candidate: Candidate, results: list[dict[str, Any]], set_aside: Sequence[dict[str, Any]] = ()) -> int:
    """Shows the candidate to readers and returns the number of the publication.

    `results` are those of gate 2, `set_aside` what fails in it on what readers already see, for a person to decide.
    Raises `OvertakenError` if a person has pinned a publication, or decided against one of its releases, since the candidate was formed.
    """
    journal = Journal(profile.journal)
    with step("publish"):
        number = _publish(profile, journal, candidate, results, list(set_aside))
    sweep(profile)
    return number


def _publish(
    profile: Profile, journal: Journal, candidate: Candidate, results: list[dict[str, Any]], set_aside: list[dict[str, Any]]
) -> int:
    with connect(profile) as connection:
        # before the tables of readers: whoever changes what readers see takes the two in this order
        until_commit(connection, JOURNAL)
        _refuse_what_was_decided(connection, candidate)
        if not is_built(connection, candidate.schema):
            raise PublicationError(f"schema {candidate.schema} does not stand as a whole: build it first")
        _serve(connection, candidate.key)
        row = connection.execute("select coalesce(max(number), 0) + 1 from meta.publication").fetchone()
        number = int(row[0]) if row else 1
        body = {
            "publication_key": candidate.key,
            "number": number,
            "code_fingerprint": code_fingerprint(),
            "core_fingerprint": core_fingerprint(),
            "releases": [list(release) for release in candidate.releases],
            "keep": KEEP,
            "results": results,
            "set_aside": set_aside,
        }
        with step("publish.journal"):
            ledger.record(connection, journal, "published", body)
        reached("publish.commit")
    return number


def _refuse_what_was_decided(connection: Connection, candidate: Candidate) -> None:
    """A build takes minutes, and persons do not wait for it: their word is the later one."""
    if reason := ledger.pinned(connection):
        raise OvertakenError(f"the current publication was pinned while {candidate.schema} was built: {reason}")
    rows = connection.execute(
        f"select release_key, reason from meta.release where release_key = any(%s) and {ledger.DECIDED} order by 1",
        [candidate.release_keys],
    ).fetchall()
    if rows:
        named = "; ".join(f"{hex_key(key)}: {reason}" for key, reason in rows)
        raise OvertakenError(f"a person decided against releases while {candidate.schema} was built with them: {named}")


def show(connection: Connection, entry: Entry) -> None:
    """Applies a `published` or a pinning entry of the journal, and shows its publication where it stands here. The caller commits."""
    turn_readers(connection, entry.body["publication_key"])
    ledger.apply(connection, entry)


def turn_readers(connection: Connection, publication_key: int) -> bool:
    """Shows a publication that stands here: by taking changes back, or from its built schema. False where it does not stand."""
    if shown(connection) == publication_key:
        return True
    if can_show(connection, publication_key):
        show_again(connection, publication_key)
    elif is_built(connection, _schema(publication_key)):
        _serve(connection, publication_key)
    else:
        return False
    return True


def _serve(connection: Connection, publication_key: int) -> None:
    """Serves a publication from its built schema, the first time those before it that an earlier version kept as schemas of their own."""
    if shown(connection) is None:
        clear(connection)
        kept = connection.execute("select publication_key from meta.publication where is_kept order by is_current, number").fetchall()
        for (key,) in kept:
            if key != publication_key and is_built(connection, _schema(key)):
                serve(connection, _schema(key), key)
    serve(connection, _schema(publication_key), publication_key)


def _schema(publication_key: int) -> str:
    return f"pub_{hex_key(publication_key)}"


def roll_back(profile: Profile, publication_key: int, person: str, reason: str) -> None:
    """Points readers at a kept publication and pins it until a person unpins it.

    It does not wait for a build: what is built meanwhile finds the pin and is not published.
    Raises `PublicationError` if it is not one of those kept, or does not stand here.
    """
    with connect(profile) as connection:
        until_commit(connection, JOURNAL)  # what is kept does not change under us
        kept = connection.execute("select publication_key, number from meta.publication where is_kept order by number").fetchall()
        if publication_key not in [key for key, _ in kept]:
            names = ", ".join(f"{number} ({hex_key(key)})" for key, number in kept) or "none"
            raise PublicationError(f"publication {hex_key(publication_key)} is not kept; kept are: {names}")
        if missing := _missing(connection, publication_key):
            raise PublicationError(missing)
        turn_readers(connection, publication_key)
        body = {"kind": "pin", "publication_key": publication_key, "person": person, "reason": reason}
        ledger.record(connection, Journal(profile.journal), "decided", body)


def decide(profile: Profile, kind: str, person: str, reason: str, release_key: int | None = None) -> None:
    """Records a person's decision on a release (accept, hold, withdraw), or unpins; the next run acts on it.

    Raises `PublicationError` for an unknown release, or an unpin of what is not pinned.
    """
    with connect(profile) as connection:
        until_commit(connection, JOURNAL)
        if kind == "unpin" and not ledger.pinned(connection):
            raise PublicationError("nothing is pinned")
        if (
            release_key is not None
            and not connection.execute("select 1 from meta.release where release_key = %s", [release_key]).fetchone()
        ):
            raise PublicationError(f"no release {hex_key(release_key)} in meta.release")
        body = {"kind": kind, "release_key": release_key, "person": person, "reason": reason}
        ledger.record(connection, Journal(profile.journal), "decided", body)


def prune(profile: Profile) -> list[str]:
    """Drops the schemas that were built and are served, or that nobody uses, and returns their names; forgets what no rollback needs.

    What a session still looks at goes the next time. Nobody can show a publication while its schema is dropped. The caller holds
    `BUILD`: a schema that is being built stays.
    """
    with locked(profile, JOURNAL, wait=True), connect(profile) as connection:
        connection.execute("set local lock_timeout = '500ms'")
        kept = [key for (key,) in connection.execute("select publication_key from meta.publication where is_kept").fetchall()]
        forget_before(connection, kept)
        waiting = {_schema(key) for key in kept if not can_show(connection, key)}
        found = connection.execute(r"select nspname from pg_namespace where nspname ~ '^(pub|core)_[0-9a-f]+$' order by 1 desc").fetchall()
        used = {*waiting, core_schema()}
        dropped = []
        for name in [name for (name,) in found if name not in used]:  # publications before the cores that they read
            with contextlib.suppress(psycopg.errors.LockNotAvailable), connection.transaction():
                connection.execute(sql.SQL("drop schema {} cascade").format(sql.Identifier(name)))
                dropped.append(name)
        return sorted(dropped)


def sweep(profile: Profile) -> None:
    """Drops what was built and nobody uses; only for who holds the lock of building and publishing.

    What was only tried is taken out of core too: core is then what a replay of the journal makes.
    """
    with step("prune"):
        prune(profile)
        with connect(profile) as connection:
            _forget_unshown(connection)


def _forget_unshown(connection: Connection) -> None:
    tables = connection.execute(
        "select c.relname from pg_class as c join pg_attribute as a on a.attrelid = c.oid"
        " where c.relnamespace = to_regnamespace(%s) and c.relkind = 'r' and a.attname = 'release_key' and not a.attisdropped order by 1",
        [core_schema()],
    ).fetchall()
    kept = "select pr.release_key from meta.publication_release as pr join meta.publication as p using (publication_key) where p.is_kept"
    for (name,) in tables:
        table = sql.Identifier(core_schema(), name)
        # from one key to the next in the index: to look at each row costs what the warehouse holds
        held = connection.execute(
            sql.SQL(
                "with recursive held as (select min(release_key) as key from {0} union all"
                " select (select min(release_key) from {0} where release_key > key) from held where key is not null)"
                " select key from held where key is not null and key not in ({1})"
            ).format(table, sql.SQL(kept))
        ).fetchall()
        if held:
            connection.execute(sql.SQL("delete from {} where release_key = any(%s)").format(table), [[key for (key,) in held]])
    # what went out of core is no longer found to add up there
    connection.execute(
        sql.SQL("delete from meta.reconciliation where core_schema = %s and release_key not in ({})").format(sql.SQL(kept)), [core_schema()]
    )


def _missing(connection: Connection, publication_key: int) -> str | None:
    """Why a publication cannot be shown here, or None if it stands."""
    if can_show(connection, publication_key) or is_built(connection, _schema(publication_key)):
        return None
    row = connection.execute(
        "select p.number, p.code_fingerprint, count(*) filter (where not r.rows_at_hand) from meta.publication as p"
        " left join meta.publication_release as pr using (publication_key) left join meta.release as r using (release_key)"
        " where p.publication_key = %s group by 1, 2",
        [publication_key],
    ).fetchone()
    number, code, lost = row or (hex_key(publication_key), "unknown", 0)
    parse = f", and {lost} of its releases were read by other parsing code, which the rows at hand are not of" if lost else ""
    return (
        f"publication {number} cannot be rebuilt here: it was made by the code {code}, and this is {code_fingerprint()}{parse}."
        " Check out that code and replay the journal into an empty database to see it"
    )


def status(profile: Profile) -> dict[str, Any]:
    """What readers see and what is kept: current, kept (number, key, instant), not rebuildable, pinned, releases by state."""
    with connect(profile) as connection:
        kept = connection.execute("select number, publication_key, published_at, is_current from meta.publication where is_kept order by 1")
        states = connection.execute("select source, dataset, state, count(*) from meta.release group by 1, 2, 3 order by 1, 2, 3")
        return {
            "current": current_publication(connection),
            "kept": (rows := kept.fetchall()),
            "not_rebuildable": [why for _, key, *_ in rows if (why := _missing(connection, key))],
            "pinned": ledger.pinned(connection),
            "releases": states.fetchall(),
        }
