"""What readers see, and what they do not see and why: the figures of the page that `make serve` shows."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from extractors.source import load_source
from reporting.datasets import Line, lines
from warehouse import ledger
from warehouse.connection import Connection, connect
from warehouse.keys import hex_key
from warehouse.profile import Profile

QUESTIONS = Path(__file__).parent / "questions"
SHOWN_ROWS = 12
Row = dict[str, Any]

CURRENT = "select publication_key, number, published_at, code_fingerprint from meta.publication where is_current"
RELEASES = """
select r.source, r.dataset, r.capture, r.licence, r.attribution, count(*) as releases, count(*) filter (where pr.is_current) as current,
    sum(r.rows_landed) as rows, min(r.edition) as first_edition, max(r.edition) as last_edition
from meta.publication_release as pr inner join meta.release as r using (release_key)
where pr.publication_key = %s group by 1, 2, 3, 4, 5 order by 1, 2, 3
"""
NOT_PUBLISHED = """
select source, dataset, slice, edition, release_key, state, coalesce(reason, 'by decision of a person') as reason
from meta.release where state in ('rejected', 'undecided', 'held', 'withdrawn') order by state, source, dataset, slice, rank
"""
QUARANTINED = """
select r.source, r.dataset, r.slice, q.release_key, q.rule, count(*) as rows, min(q.source_row) as first_row, min(q.detail) as example
from quality.quarantine as q inner join meta.release as r using (release_key)
where q.resolved_at is null group by 1, 2, 3, 4, 5 order by 1, 2, 3, 5
"""
# of gate 1 the last word on each rule, of gate 2 what was said of this publication
CHECKS = """
with said as (
    select distinct on (gate, subject, expectation) gate, subject, expectation, dimension, severity, outcome, success, observed
    from quality.validation_result where gate = 'gate 1' or publication_key = %s
    order by gate, subject, expectation, recorded_at desc
)
"""
BY_DIMENSION = (
    CHECKS
    + """
select dimension, gate, count(*) as checks, count(*) filter (where success) as passed,
    count(*) filter (where not success and severity = 'critical') as critical,
    count(*) filter (where not success and severity = 'warning') as warnings
from said group by 1, 2 order by 1, 2
"""
)
FAILED = CHECKS + "select * from said where not success order by gate, severity, subject, expectation"
# what has `row_kind` is a mart (warehouse/served.py)
MARTS = """
select c.relname as name, obj_description(c.oid, 'pg_class') as remark
from pg_class as c inner join pg_attribute as a on a.attrelid = c.oid and a.attname = 'row_kind' and not a.attisdropped
where c.relnamespace = to_regnamespace('bi') and c.relkind = 'r' order by 1
"""
# of each fact, with and without its vintages
FACTS = r"""
select relname from pg_class
where relnamespace = to_regnamespace('bi') and relkind in ('r', 'v') and relname ~ '^fct_' and relname !~ '_all$' order by 1
"""


@dataclass(frozen=True)
class Answer:
    """A sample query with the first rows of its answer; `problem` says why there is none."""

    question: str
    query: str
    columns: list[str]
    rows: list[tuple[Any, ...]]
    problem: str = ""

    @property
    def is_number(self) -> list[bool]:
        """Of each column, whether it holds numbers."""
        return [any(isinstance(row[at], int | float | Decimal) for row in self.rows) for at in range(len(self.columns))]


@dataclass
class Published:
    """Everything that the page shows. Before the first publication `number` is None and most lists are empty."""

    number: int | None = None
    key: str = ""
    published_at: datetime | None = None
    code: str = ""
    pinned: str | None = None
    releases: list[Row] = field(default_factory=list)
    facts: list[Row] = field(default_factory=list)
    marts: list[Row] = field(default_factory=list)
    not_published: list[Row] = field(default_factory=list)
    quarantined: list[Row] = field(default_factory=list)
    dimensions: list[Row] = field(default_factory=list)
    failed: list[Row] = field(default_factory=list)
    datasets: list[Line] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)

    @property
    def captures(self) -> list[str]:
        """How the numbers came: live, recorded, reconstructed, transcribed."""
        return sorted({str(row["capture"]) for row in self.releases})


def published(profile: Profile) -> Published:
    """What the profile's readers see at this moment."""
    with connect(profile) as connection:
        rows = connection.cursor(row_factory=dict_row)
        current = rows.execute(CURRENT).fetchone()
        key = current["publication_key"] if current else 0
        found = Published(
            not_published=[_named(row) for row in rows.execute(NOT_PUBLISHED).fetchall()],
            quarantined=[_named(row) for row in rows.execute(QUARANTINED).fetchall()],
            dimensions=rows.execute(BY_DIMENSION, [key]).fetchall(),
            failed=rows.execute(FAILED, [key]).fetchall(),
            datasets=lines(profile),
        )
        if current is None:
            return found
        found.number, found.key, found.code = current["number"], hex_key(key), current["code_fingerprint"]
        found.published_at, found.pinned = current["published_at"], ledger.pinned(connection)
        found.releases = [_titled(row) for row in rows.execute(RELEASES, [key]).fetchall()]
        found.facts = facts(connection)
        found.marts = [row | {"rows": _count(connection, row["name"])} for row in rows.execute(MARTS).fetchall()]
    found.answers = [answer(profile, file.read_text(encoding="utf-8")) for file in sorted(QUESTIONS.glob("*.sql"))]
    return found


def answer(profile: Profile, text: str) -> Answer:
    """The answer to a sample query, whose first line is the question as a comment. It reads only, as every reader does."""
    first, _, query = text.strip().partition("\n")
    question, query = first.removeprefix("--").strip(), query.strip().removesuffix(";")
    with connect(profile, "koshi_transformer") as connection:
        connection.execute("set transaction read only")
        try:
            cursor = connection.execute(query)
        except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn) as error:
            return Answer(question, query, [], [], f"This publication cannot answer it: {error.diag.message_primary}.")
        return Answer(question, query, [column.name for column in cursor.description or ()], cursor.fetchmany(SHOWN_ROWS))


def facts(connection: Connection) -> list[Row]:
    """Rows by fact as readers see them: of the current releases, and of all of the publication."""
    names = connection.execute(FACTS).fetchall()
    found = {name: _count(connection, name) for (name,) in names}
    return [
        {"name": name, "current": rows, "vintages": found.get(f"{name}_vintage", rows)}
        for name, rows in found.items()
        if not name.endswith("_vintage")
    ]


def _count(connection: Connection, name: str) -> int:
    row = connection.execute(sql.SQL("select count(*) from {}").format(sql.Identifier("bi", name))).fetchone()
    return int(row[0]) if row else 0


def _named(row: Row) -> Row:
    return row | {"release": hex_key(row["release_key"])}


def _titled(row: Row) -> Row:
    """With the dataset's name and licence as its source declares them; one that code no longer knows keeps its code."""
    datasets = load_source(row["source"]).datasets
    return row | {"title": datasets[row["dataset"]].title.en if row["dataset"] in datasets else row["dataset"]}
