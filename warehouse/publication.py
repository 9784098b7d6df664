"""Publishing and rolling back: one transaction in which the views of `bi` turn from one publication to another."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from warehouse import ledger
from warehouse.build import is_built
from warehouse.candidate import Candidate, current_publication
from warehouse.connection import READER, Connection, connect
from warehouse.fingerprint import code_fingerprint, core_fingerprint, core_schema
from warehouse.journal import Entry, Journal, OvertakenError
from warehouse.keys import hex_key
from warehouse.locks import JOURNAL, hold, until_commit
from warehouse.profile import Profile
from warehouse.readers import BOUNDS, end_readers_beyond, who_holds
from warehouse.steps import reached, step, tell

KEEP = 3

# Seconds that a change of what readers see waits for them: no transaction of theirs outlives the bound, and a look takes its time
PATIENCE = BOUNDS.transaction_timeout + 60


class PublicationError(RuntimeError):
    """Readers cannot be pointed at what was asked for; they still see what they saw."""


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
        # before the views: whoever changes what readers see takes the two in this order
        until_commit(connection, JOURNAL)
        _refuse_what_was_decided(connection, candidate)
        point_readers(connection, candidate.schema)
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
    """Applies a `published` or a pinning entry of the journal, views included where its schema stands. The caller commits."""
    schema = f"pub_{hex_key(entry.body['publication_key'])}"
    if is_built(connection, schema):
        point_readers(connection, schema)
    ledger.apply(connection, entry)


def point_readers(connection: Connection, schema: str) -> None:
    """Points the views of `bi` at a publication schema, once the readers who look at them have let go. The caller commits.

    Readers hold their locks only while they query or are in a transaction; sessions that are beyond their bounds are ended.
    Raises `PublicationError` with who holds the views after `PATIENCE` seconds.
    """
    deadline, said = time.monotonic() + PATIENCE, ""
    while True:
        try:
            with connection.transaction():
                _point_views(connection, schema)
                return
        except psycopg.errors.LockNotAvailable:
            holders = who_holds(connection, "bi")
        for ended in end_readers_beyond(connection):
            tell(ended)
        if time.monotonic() > deadline:
            raise PublicationError(f"the views of bi have been held for {PATIENCE:.0f} s by {holders}: end these sessions, then run again")
        if holders != said:
            tell(f"waiting for who reads: {holders}")
            said = holders
        time.sleep(0.5)  # let them finish


def readers_schema(connection: Connection) -> str | None:
    """The publication schema that the views of `bi` read; None if there are none."""
    row = connection.execute(
        r"select n.nspname from pg_depend as d join pg_rewrite as r on r.oid = d.objid join pg_class as v on v.oid = r.ev_class"
        r" join pg_class as t on t.oid = d.refobjid join pg_namespace as n on n.oid = t.relnamespace"
        r" where d.classid = 'pg_rewrite'::regclass and v.relnamespace = 'bi'::regnamespace and n.nspname ~ '^pub_' limit 1"
    ).fetchone()
    return row[0] if row else None


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
        point_readers(connection, f"pub_{hex_key(publication_key)}")
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
    """Drops the schemas that no kept publication uses and returns their names; one that a reader still looks at goes the next time.

    Which core a publication uses is asked of its views, not of the fingerprint that the ledger remembers. Nobody can point readers at a
    schema while it is dropped. The caller holds `BUILD`: a schema that is being built is not kept either.
    """
    with hold(profile, JOURNAL, wait=True), connect(profile) as connection:
        connection.execute("set local lock_timeout = '500ms'")
        kept = [f"pub_{hex_key(key)}" for (key,) in connection.execute("select publication_key from meta.publication where is_kept")]
        found = connection.execute(r"select nspname from pg_namespace where nspname ~ '^(pub|core)_[0-9a-f]+$' order by 1 desc").fetchall()
        used = {*kept, *_read_by(connection, kept), core_schema()}
        dropped = []
        for name in [name for (name,) in found if name not in used]:  # publications before the cores that they read
            with contextlib.suppress(psycopg.errors.LockNotAvailable), connection.transaction():
                connection.execute(sql.SQL("drop schema {} cascade").format(sql.Identifier(name)))
                dropped.append(name)
        return sorted(dropped)


def _read_by(connection: Connection, schemas: list[str]) -> set[str]:
    """The other schemas that the views of these schemas read."""
    rows = connection.execute(
        "select distinct read.relnamespace::regnamespace::text from pg_class as v"
        " join pg_rewrite as rule on rule.ev_class = v.oid"
        " join pg_depend as d on d.classid = 'pg_rewrite'::regclass and d.objid = rule.oid and d.refclassid = 'pg_class'::regclass"
        " join pg_class as read on read.oid = d.refobjid"
        " where v.relnamespace::regnamespace::text = any(%s)",
        [schemas],
    ).fetchall()
    return {str(name) for (name,) in rows}


def sweep(profile: Profile) -> None:
    """Drops what was built and nobody uses; only for who holds the lock of building and publishing.

    What was only tried is taken out of core too: core is then what a replay of the journal makes.
    """
    with step("prune"):
        prune(profile)
        with connect(profile, "koshi_transformer") as connection:
            _forget_unshown(connection)


def _forget_unshown(connection: Connection) -> None:
    tables = connection.execute(
        "select c.relname from pg_class as c join pg_attribute as a on a.attrelid = c.oid"
        " where c.relnamespace = to_regnamespace(%s) and c.relkind = 'r' and a.attname = 'release_key' and not a.attisdropped order by 1",
        [core_schema()],
    ).fetchall()
    for (name,) in tables:
        connection.execute(
            sql.SQL(
                "delete from {} where release_key not in (select pr.release_key from meta.publication_release as pr"
                " join meta.publication as p using (publication_key) where p.is_kept)"
            ).format(sql.Identifier(core_schema(), name))
        )


def _missing(connection: Connection, publication_key: int) -> str | None:
    """Why a publication cannot be shown here, or None if its schema stands."""
    if is_built(connection, f"pub_{hex_key(publication_key)}"):
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


def _point_views(connection: Connection, schema: str) -> None:
    """Makes `bi` anew over a publication schema: views, comments and grants, inside the caller's transaction.

    Of a relation with `is_current`, `<name>_vintage` holds everything, and the others the current rows. Of one with `row_kind`, a mart,
    `<name>_all` holds every kind, and the default view leaves only. `dim_release` is no such relation: it says which release is current.
    """
    if not is_built(connection, schema):
        raise PublicationError(f"schema {schema} does not stand as a whole: build it first")
    # shorter than deadlock_timeout (1 s): it is always we who give way, never a reader who is cut off
    connection.execute("set local lock_timeout = '500ms'")
    connection.execute("set local role koshi_transformer")
    old = connection.execute("select table_name from information_schema.views where table_schema = 'bi' order by 1").fetchall()
    if old:
        # all at once: dropped one by one, a reader of two views would hold one and wait for the other, and we for him
        every = sql.SQL(", ").join(sql.Identifier("bi", name) for (name,) in old)
        connection.execute(sql.SQL("lock table {} in access exclusive mode").format(every))
    for (name,) in old:
        connection.execute(sql.SQL("drop view bi.{}").format(sql.Identifier(name)))
    relations = connection.execute(
        "select c.relname, obj_description(c.oid, 'pg_class'), array(select a.attname::text from pg_attribute as a"
        "  where a.attrelid = c.oid and a.attname in ('row_kind', 'is_current') and not starts_with(c.relname, 'dim_'))"
        " from pg_class as c where c.relnamespace = to_regnamespace(%s) and c.relkind in ('r', 'v') order by 1",
        [schema],
    ).fetchall()
    for name, remark, columns in relations:
        target = sql.Identifier(schema, name)
        current = ["is_current"] if "is_current" in columns else []
        if "row_kind" in columns:
            leaves = f"{remark or ''} Leaves only: sums do not count twice; {name}_all holds all rows."
            _view(connection, name, target, leaves, [*current, "row_kind = 'leaf'"])
            _view(connection, f"{name}_all", target, f"{remark or ''} All rows: leaves, subtotals and totals (row_kind).", current)
        else:
            _view(connection, name, target, remark, current)
        if current:
            _view(connection, f"{name}_vintage", target, f"{remark or ''} Earlier vintages as well (is_current).", [])
    connection.execute("reset role")


def _view(connection: Connection, name: str, target: sql.Identifier, remark: str | None, conditions: list[LiteralString]) -> None:
    view = sql.Identifier("bi", name)
    condition = sql.SQL(" where " + " and ".join(conditions)) if conditions else sql.SQL("")
    connection.execute(sql.SQL("create view {} as select * from {}").format(view, target) + condition)
    connection.execute(sql.SQL("comment on view {} is {}").format(view, sql.Literal(remark)))
    connection.execute(sql.SQL("grant select, references on {} to {}").format(view, sql.Identifier(READER)))
    comments = connection.execute(
        "select attname, col_description(attrelid, attnum) from pg_attribute"
        " where attrelid = %s::regclass and attnum > 0 and not attisdropped and col_description(attrelid, attnum) is not null",
        [target.as_string()],
    ).fetchall()
    for column, comment in comments:
        connection.execute(sql.SQL("comment on column {}.{} is {}").format(view, sql.Identifier(column), sql.Literal(comment)))


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
