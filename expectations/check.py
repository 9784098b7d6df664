"""A check: one Great Expectations expectation, what follows when it fails, and the query that names the rows at fault.

Great Expectations says whether a check holds. On SQL it names at most 200 values and no rows, so the rows are asked for by a query that
is made of the expectation's own parameters, and only where the check failed.
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
# The rows of the releases ranked directly below those under test, laid out by gate 1: the columns of the staging view, and `newer_key`,
# the release under test
BELOW = "{below}"
# Great Expectations prints a warning into whatever is read for each query that does not name the batch: ours look at several relations
BESIDE = f" /* beside {BATCH} */"
ROW = "release_key, snapshot_key, source_row"


@dataclass(frozen=True)
class Check:
    """An expectation states the rule, `outcome` what follows when it fails.

    What fails with the outcome `hold` waits for a person's decision in gate 1, and for other company in gate 2.
    """

    name: str
    expectation: Any
    outcome: Outcome
    dimension: Dimension

    @property
    def severity(self) -> Literal["critical", "warning"]:
        """As Great Expectations calls it: a critical failure changes what readers see, a warning is reported."""
        return "warning" if self.outcome == "warn" else "critical"

    @property
    def offenders(self) -> str:
        """The query that names the rows at fault, in the terms of `{batch}` and `{below}`.

        In gate 1 it selects release_key, snapshot_key, source_row and detail. In gate 2 it selects `detail` and `release_keys`, the
        releases that a failing row rests on: a NULL among them is one that has no single name there. `waits_for` names the dataset
        (`source.dataset`) whose figure has not come, where that is all that is wrong.
        """
        return _OFFENDERS[type(self.expectation)](self.expectation)


def _rows_of_the_query(expectation: Any) -> str:
    return str(expectation.unexpected_rows_query).removesuffix(BESIDE)


def _not_null(expectation: Any) -> str:
    column = expectation.column
    # in the order of the answer, or nearly: the first few are named
    return f"select {ROW}, {column} as detail from {BATCH} where {column} is not null order by length(source_row), source_row"


def _outside(expectation: Any) -> str:
    """Of one bound: `at_least` and `at_most` make no others."""
    column, least, most = expectation.column, expectation.min_value, expectation.max_value
    sign, bound, word = ("<", _plain(least), "least") if most is None else (">", _plain(most), "most")
    return f"select {ROW}, concat('found ', {column}, ', expected at {word} {bound}') as detail from {BATCH} where {column} {sign} {bound}"


def _doubled(expectation: Any) -> str:
    columns = [column for column in expectation.column_list if column != "release_key"]
    listed, known = ", ".join(columns), " and ".join(f"{column} is not null" for column in columns)
    return (
        f"select {ROW}, concat('doubled: ', concat_ws(', ', {listed})) as detail from ("
        f"select *, count(*) over (partition by release_key, {listed}) as times from {BATCH} where {known}) as counted where times > 1"
    )


_OFFENDERS = {
    gxe.UnexpectedRowsExpectation: _rows_of_the_query,
    gxe.ExpectColumnValuesToBeNull: _not_null,
    gxe.ExpectColumnValuesToBeBetween: _outside,
    gxe.ExpectCompoundColumnsToBeUnique: _doubled,
}


def _plain(number: float) -> str:
    return f"{number:.15g}"


@dataclass(frozen=True)
class Suite:
    """The checks of a dataset, and the staging view that they look at.

    `key` are the view's columns that say what a row is about: one delivery is compared with another on them. The period is among them
    unless a slice has but one, so that a figure is only ever compared with that of the same dates.
    """

    view: str
    checks: list[Check]
    key: tuple[str, ...] = ()


def _make(name: str, kind: Any, outcome: Outcome, dimension: Dimension, **kwargs: Any) -> Check:
    severity = "warning" if outcome == "warn" else "critical"
    meta = {"name": name, "outcome": outcome, "dimension": dimension}
    return Check(name, kind(description=name, severity=severity, meta=meta, **kwargs), outcome, dimension)


def no_issue(what: str, outcome: Outcome, dimension: Dimension = "accuracy") -> Check:
    """Staging has nothing to say against the column `what` of any row (its `<what>_issue` is null)."""
    return _make(f"every {what} is readable", gxe.ExpectColumnValuesToBeNull, outcome, dimension, column=f"{what}_issue")


def unique(columns: tuple[str, ...], outcome: Outcome = "reject") -> Check:
    """No two rows of a release say something of the same `columns`. A row whose codes are unknown is not counted: it has an issue."""
    return _make(
        f"one row for each {', '.join(columns)}",
        gxe.ExpectCompoundColumnsToBeUnique,
        outcome,
        "accuracy",
        column_list=["release_key", *columns],
        ignore_row_if="any_value_is_missing",
    )


def at_least(column: str, minimum: float, outcome: Outcome = "reject") -> Check:
    """No value of the column lies below the minimum; missing values say nothing."""
    name = f"no {column} below {_plain(minimum)}"
    return _make(name, gxe.ExpectColumnValuesToBeBetween, outcome, "accuracy", column=column, min_value=minimum)


def at_most(column: str, maximum: float, reason: str) -> Check:
    """A value above the maximum is worth a look, with the reason for the bound: it warns and never fails."""
    name = f"no {column} above {_plain(maximum)} ({reason})"
    return _make(name, gxe.ExpectColumnValuesToBeBetween, "warn", "accuracy", column=column, max_value=maximum)


def none_of(name: str, outcome: Outcome, dimension: Dimension, query: str) -> Check:
    """The query, which selects what `Check.offenders` says, finds nothing. Its rows say what is wrong in `detail`."""
    return _make(name, gxe.UnexpectedRowsExpectation, outcome, dimension, unexpected_rows_query=naming_batch(query))


def naming_batch(query: str) -> str:
    """The query with the batch named at least in a remark."""
    return query if BATCH in query else query + BESIDE
