"""A check: one Great Expectations expectation, what follows when it fails, and the query that names the rows at fault.

Great Expectations says whether a check holds. It names at most 200 rows on SQL, so the offenders are asked for again by the same
rule, and only where the check failed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import great_expectations.expectations as gxe

Outcome = Literal["reject", "quarantine", "warn", "hold"]
# Statistical quality dimensions of the European Statistics Code of Practice, principles 11 to 15
Dimension = Literal["relevance", "accuracy", "timeliness", "coherence", "accessibility"]
# The rows under test; {batch} is what Great Expectations calls them, and puts a subquery with its own alias in place of it
BATCH = "{batch}"
# The rows of the releases ranked directly below those under test, laid out by gate 1 while it judges: the columns of the staging view,
# and `newer_key`, the release under test
BELOW = "{below}"


@dataclass(frozen=True)
class Check:
    """`offenders` selects release_key, snapshot_key, source_row, detail from `{batch}`, and in gate 1 may look at `{below}`.

    For gate 2 it selects `detail` and `release_keys`, the releases that a failing row rests on: a NULL among them is one that has no
    single name there. `waits_for` names the dataset (`source.dataset`) whose figure has not come, where that is all that is wrong.
    """

    name: str
    expectation: Any
    outcome: Outcome
    offenders: str
    dimension: Dimension

    @property
    def severity(self) -> Literal["critical", "warning"]:
        """As Great Expectations calls it: a critical failure changes what readers see, a warning is reported."""
        return "warning" if self.outcome == "warn" else "critical"


@dataclass(frozen=True)
class Suite:
    """The checks of a dataset, and the staging view that they look at."""

    view: str
    checks: list[Check]


def _make(name: str, kind: Any, outcome: Outcome, offenders: str, dimension: Dimension, **kwargs: Any) -> Check:
    severity = "warning" if outcome == "warn" else "critical"
    meta = {"name": name, "outcome": outcome, "dimension": dimension}
    return Check(name, kind(description=name, severity=severity, meta=meta, **kwargs), outcome, offenders, dimension)


def no_issue(what: str, outcome: Outcome, dimension: Dimension = "accuracy") -> Check:
    """Staging has nothing to say against the column `what` of any row (its `<what>_issue` is null)."""
    column = f"{what}_issue"
    # in the order of the answer, or nearly: the first few are named
    offenders = (
        f"select release_key, snapshot_key, source_row, {column} as detail from {BATCH} where {column} is not null"
        " order by length(source_row), source_row"
    )
    return _make(f"every {what} is readable", gxe.ExpectColumnValuesToBeNull, outcome, offenders, dimension, column=column)


def unique(columns: tuple[str, ...], outcome: Outcome = "reject") -> Check:
    """No two rows of a release say something of the same `columns`. A row whose codes are unknown is not counted: it has an issue."""
    listed = ", ".join(columns)
    known = " and ".join(f"{column} is not null" for column in columns)
    offenders = (
        f"select release_key, snapshot_key, source_row, concat('doubled: ', concat_ws(', ', {listed})) as detail from ("
        f"select *, count(*) over (partition by release_key, {listed}) as times from {BATCH} where {known}) as counted where times > 1"
    )
    return _make(
        f"one row for each {', '.join(columns)}",
        gxe.ExpectCompoundColumnsToBeUnique,
        outcome,
        offenders,
        "accuracy",
        column_list=["release_key", *columns],
        ignore_row_if="any_value_is_missing",
    )


def at_least(column: str, minimum: float, outcome: Outcome = "reject") -> Check:
    """No value of the column lies below the minimum; missing values say nothing."""
    offenders = (
        f"select release_key, snapshot_key, source_row, concat('found ', {column}, ', expected at least {minimum}') as detail"
        f" from {BATCH} where {column} < {minimum}"
    )
    name = f"no {column} below {minimum:g}"
    return _make(name, gxe.ExpectColumnValuesToBeBetween, outcome, offenders, "accuracy", column=column, min_value=minimum)


def at_most(column: str, maximum: float, reason: str) -> Check:
    """A value above the maximum is worth a look, with the reason for the bound: it warns and never fails."""
    offenders = (
        f"select release_key, snapshot_key, source_row, concat('found ', {column}, ', expected at most {maximum:.0f}') as detail"
        f" from {BATCH} where {column} > {maximum}"
    )
    name = f"no {column} above {maximum:.0f} ({reason})"
    return _make(name, gxe.ExpectColumnValuesToBeBetween, "warn", offenders, "accuracy", column=column, max_value=maximum)


def none_of(name: str, outcome: Outcome, dimension: Dimension, offenders: str) -> Check:
    """The query finds nothing. Its rows say what is wrong in `detail`."""
    return _make(name, gxe.UnexpectedRowsExpectation, outcome, offenders, dimension, unexpected_rows_query=naming_batch(offenders))


def naming_batch(query: str) -> str:
    """The query with the batch named at least in a remark.

    Great Expectations prints a warning into whatever is read for each query that does not: ours look at several relations on purpose.
    """
    return query if BATCH in query else f"{query} /* beside {BATCH} */"
