"""What the catalogue of `bi` says of datasets, marts and indicators, and what changed with the last publication."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from psycopg import sql
from psycopg.rows import dict_row

from warehouse.connection import Connection

Row = dict[str, Any]
DAY = re.compile(r"\d{4}-\d\d-\d\dT")
NEEDED = ("columns", "catalogue", "citation")

MARTS = """
select relation, grain, description, row_count, first_year, last_year, datasets, captures from bi.catalogue
where layer = 'mart' and variant = 'default' order by relation
"""
COLUMNS = """
select c.* from bi.columns as c inner join bi.catalogue as k using (relation)
where k.layer = 'mart' and k.variant = 'default' order by c.relation, c.position
"""
PUBLICATIONS = """
select publication_key, number, published_at from meta.publication
where number <= (select number from meta.publication where is_current) order by number desc limit 2
"""
CURRENT_RELEASES = """
select r.source || '.' || r.dataset as dataset, r.slice, r.edition, r.capture, r.rows_landed, pr.release_key
from meta.publication_release as pr inner join meta.release as r using (release_key)
where pr.publication_key = %s and pr.is_current order by 1, 2, 3
"""
# the most lines of one dataset on the page of changes; the ledger has the rest
SHOWN = 40


def edition(row: Row) -> str:
    """The edition of a release or a dataset as a person reads it: a name, or the day of a time; nothing where it only says when it came."""
    text = str(row["edition"])
    return "" if text.startswith("retrieved ") else text.partition("T")[0] if DAY.match(text) else text


@dataclass(frozen=True)
class Indicator:
    """A measure of a mart, as `bi.columns` has it, with the years that have figures and the reasons where there are none."""

    row: Row
    years: tuple[int | None, int | None]
    figures: int
    empty: int
    reasons: tuple[tuple[str, int], ...]
    breaks: tuple[tuple[int, str], ...]

    @property
    def name(self) -> str:
        """Its name as an address: mart.column."""
        return f"{self.row['relation']}.{self.row['column']}"


@dataclass(frozen=True)
class Mart:
    """A mart as the catalogue has it, with its columns."""

    row: Row
    columns: tuple[Row, ...]
    indicators: tuple[Indicator, ...]

    @property
    def name(self) -> str:
        """Its name in `bi`."""
        return str(self.row["relation"])

    @property
    def datasets(self) -> list[str]:
        """The datasets that its figures rest on."""
        return str(self.row["datasets"] or "").split(", ") if self.row["datasets"] else []


@dataclass(frozen=True)
class Change:
    """What a dataset got and lost with the last publication: releases that readers now see by default, and those they no longer do."""

    dataset: str
    came: tuple[Row, ...]
    gone: tuple[Row, ...]


@dataclass(frozen=True)
class Meaning:
    """All that the pages say of the data and that is no figure. Without a catalogue in `bi` marts and datasets are empty."""

    number: int | None = None
    published_at: Any = None
    before: int | None = None
    datasets: dict[str, Row] = field(default_factory=dict)
    marts: tuple[Mart, ...] = ()
    changes: tuple[Change, ...] = ()

    @property
    def captures(self) -> list[str]:
        """How the figures came."""
        return sorted({each for row in self.datasets.values() for each in str(row["captures"]).split(", ")})


def read(connection: Connection) -> Meaning:
    """What stands in the catalogue of what readers see now."""
    rows = connection.cursor(row_factory=dict_row)
    shown = rows.execute(PUBLICATIONS).fetchall()
    if not shown:
        return Meaning()
    now, before = shown[0], shown[1] if len(shown) > 1 else None
    known = {
        "number": now["number"], "published_at": now["published_at"], "before": before["number"] if before else None,
        "changes": _changes(connection, now["publication_key"], before["publication_key"]) if before else (),
    }  # fmt: skip
    if any(rows.execute("select to_regclass(%s) as there", [f"bi.{name}"]).fetchone()["there"] is None for name in NEEDED):  # type: ignore[index]
        return Meaning(**known)
    columns = rows.execute(COLUMNS).fetchall()
    return Meaning(
        **known,
        datasets={row["dataset"]: row for row in rows.execute("select * from bi.citation order by dataset").fetchall()},
        marts=tuple(
            _mart(connection, row, tuple(each for each in columns if each["relation"] == row["relation"]))
            for row in rows.execute(MARTS).fetchall()
        ),
    )


def _mart(connection: Connection, row: Row, columns: tuple[Row, ...]) -> Mart:
    measures = [column for column in columns if column["role"] == "measure"]
    return Mart(row, columns, tuple(_indicator(connection, column, [each["column"] for each in columns]) for column in measures))


def _indicator(connection: Connection, column: Row, names: list[str]) -> Indicator:
    relation, value = sql.Identifier("bi", column["relation"]), sql.Identifier(column["column"])
    year = sql.SQL("year" if "year" in names else "null::integer")
    asked = sql.SQL(
        "select min({0}) filter (where {1} is not null), max({0}) filter (where {1} is not null), count({1}), count(*) from {2}"
    )
    first, last, figures, rows = connection.execute(asked.format(year, value, relation)).fetchone() or (None, None, 0, 0)
    reasons: dict[str, int] = {}
    stems = [name for name in names if name.endswith("missing_reason")]
    for name in stems:
        found = sql.SQL("select {0}, count(*) from {1} where {2} is null and {0} is not null group by 1 order by 2 desc limit 5")
        for reason, count in connection.execute(found.format(sql.Identifier(name), relation, value)).fetchall():
            reasons[reason] = max(count, reasons.get(reason, 0))
    breaks: list[tuple[int, str]] = []
    for name in (name for name in names if name.endswith("break_kind") and "year" in names):
        broken = sql.SQL("select distinct year, {0} from {1} where {0} is not null and year is not null order by 1 limit 12")
        breaks += connection.execute(broken.format(sql.Identifier(name), relation)).fetchall()
    most = sorted(reasons.items(), key=lambda each: (-each[1], each[0]))[:6]
    return Indicator(column, (first, last), figures, rows - figures, tuple(most), tuple(sorted(set(breaks))))


def _changes(connection: Connection, now: int, before: int) -> tuple[Change, ...]:
    rows = connection.cursor(row_factory=dict_row)
    new, old = ({row["release_key"]: row for row in rows.execute(CURRENT_RELEASES, [key]).fetchall()} for key in (now, before))
    came = [row for key, row in new.items() if key not in old]
    gone = [row for key, row in old.items() if key not in new]
    names = sorted({row["dataset"] for row in [*came, *gone]})
    return tuple(
        Change(name, tuple(row for row in came if row["dataset"] == name), tuple(row for row in gone if row["dataset"] == name))
        for name in names
    )
