"""Gate 1 of a dataset that has no suite of its own: what is asked of every dataset, on the key and in the unit that it declares."""

from __future__ import annotations

from expectations.check import BATCH, ROW, Check, Outcome, Suite, no_issue, none_of, unique
from expectations.suites.continuity import revised, withdrawn
from extractors.source import Dataset, Judged


def view_of(source: str, dataset: str, judged: Judged) -> str:
    """The staging view of a dataset that is judged by this suite."""
    return judged.view or usual_view(source, dataset)


def usual_view(source: str, dataset: str) -> str:
    """The staging view of a dataset that has one to itself."""
    return f"stg_{source}__{dataset}"


def default_suite(source: str, dataset_name: str, dataset: Dataset, judged: Judged) -> Suite:
    """Every row is readable, no two say something of the same, persons are whole, nothing is withdrawn; what is revised much is told.

    A doubtful figure or area is set aside where the dataset may quarantine rows, else it rejects its release.
    """
    doubtful: Outcome = "quarantine" if dataset.quarantine_max_share else "reject"
    key = judged.key
    return Suite(
        view_of(source, dataset_name, judged),
        [
            *(no_issue(what, doubtful) for what in ("value", "area")),
            *(no_issue(what, "reject") for what in ("period", "unit", "member")),
            unique(key),
            *([_whole(doubtful)] if judged.unit == "persons" else []),
            withdrawn(key),
            revised(key, dataset.continuity.factor - 1),
        ],
        key,
    )


def _whole(outcome: Outcome) -> Check:
    return none_of(
        "persons are whole",
        outcome,
        "accuracy",
        f"select {ROW}, concat('found ', value, ' persons') as detail from {BATCH} where value <> trunc(value)",
    )
