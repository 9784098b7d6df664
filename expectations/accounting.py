"""Before a candidate is built: the rows of its releases add up, or the release is landed again from its bytes, or it is at fault."""

from __future__ import annotations

from dataclasses import dataclass

from psycopg import sql

from expectations.judgement import Failure, Row
from extractors.heal import land_again
from warehouse.build import load
from warehouse.candidate import Candidate
from warehouse.connection import Connection, connect
from warehouse.fingerprint import core_schema
from warehouse.profile import Profile
from warehouse.reconcile import unreconciled
from warehouse.steps import step

NAME = "every raw row is in a fact, in quarantine, or dropped by a declared rule"


@dataclass(frozen=True)
class Accounting:
    """Releases whose rows do not add up, by key with the reason: `faults` would cost readers figures, `remarks` would not."""

    faults: dict[int, str]
    remarks: dict[int, str]

    @property
    def failures(self) -> list[Failure]:
        """Of each fault a failure that names its release: nothing is built upon rows that do not add up."""
        return [Failure(NAME, reason, (Row(frozenset({key})),), frozenset({key}), is_build=True) for key, reason in self.faults.items()]


def add_up(profile: Profile, candidate: Candidate) -> Accounting:
    """Looks at the releases in core by address. One that does not add up is landed again from its archived bytes first."""
    with step("reconcile"):
        found = unreconciled(profile, core_schema(), candidate.release_keys)
        if found:
            lost = land_again(profile, found)
            load(profile, candidate)
            found = unreconciled(profile, core_schema(), candidate.release_keys)
            found = {key: f"{reason}; {lost[key]}" if key in lost else reason for key, reason in found.items()}
        remarks = {key for key in found if _is_whole(profile, key)}
    return Accounting({key: reason for key, reason in found.items() if key not in remarks}, {key: found[key] for key in sorted(remarks)})


def _is_whole(profile: Profile, release_key: int) -> bool:
    """Whether core holds as many facts of the release as readers have of it today, so that a publication takes nothing away."""
    with connect(profile, "koshi_transformer") as connection:
        return 0 < _facts(connection, "bi", "^fct_.*_vintage$", release_key) <= _facts(connection, core_schema(), "^int_", release_key)


def _facts(connection: Connection, schema: str, named: str, release_key: int) -> int:
    """Rows of the release in the relations of a schema whose names match."""
    names = connection.execute(
        "select relname from pg_class where relnamespace = to_regnamespace(%s) and relkind in ('r', 'v') and relname ~ %s order by 1",
        [schema, named],
    ).fetchall()
    counts = [
        connection.execute(
            sql.SQL("select count(*) from {} where release_key = %s").format(sql.Identifier(schema, name)), [release_key]
        ).fetchone()
        for (name,) in names
    ]
    return sum(int(row[0]) for row in counts if row)
