"""Gate 1 of the Ministry of Labour: what is asked of every dataset, and findings on what its releases print, which stands as printed."""

from __future__ import annotations

from dataclasses import replace

from expectations.check import BATCH, ROW, Check, Suite, none_of
from expectations.suites.default import default_suite
from extractors.source import Judged, load_source

KEY = ("measure", "area_code", "departure_area_code", "period_start_date", "period_end_date", "age_group_code", "education_code")
# of each breakdown that is printed in full the rows
BREAKDOWNS = {
    "origin": "departure_area_code <> 'W1'",
    "age": "age_group_code <> '_T' and education_code = '_T'",
    "education": "education_code <> '_T'",
}


def gate1(dataset: str, _schema: str) -> Suite:
    """The suite of a dataset. Raises `KeyError` for one that is not the ministry's.

    A finding is no verdict: a misprint of the press and one of the ministry look alike, and nobody can say which figure is wrong.
    """
    declared = load_source("mol").datasets[dataset]
    # thousands are printed in parts, and staging asks for whole persons and families
    suite = default_suite("mol", dataset, declared, Judged(key=KEY, unit="other"))
    return replace(
        suite,
        checks=[
            *suite.checks,
            _finding("the totals of a year make one base", "base"),
            *(_finding(f"complete shares by {what} make 100", "sum", only) for what, only in BREAKDOWNS.items()),
            _finding("no release repeats every share of the one before", "repeat"),
        ],
    )


def _finding(name: str, kind: str, only: str = "true") -> Check:
    """A release is named once, at its first row that the finding is about; staging says what it is."""
    return none_of(
        name,
        "warn",
        "coherence",
        f"""
        select distinct on (release_key, period_end_date) {ROW}, concat('as of ', period_end_date + 1, ': ', {kind}_finding) as detail
        from {BATCH} where {kind}_finding is not null and {only}
        order by release_key, period_end_date, length(source_row), source_row
        """,
    )
