"""What the years of a series say of each other: a zero that stands for nothing, a year in another unit, a year that is another one's.

The figures of a release are laid beside those of its other years. Where a dataset is delivered by year, the other years are those under
test and the current releases of the other slices; where it is delivered whole, those of the release itself.
"""

from __future__ import annotations

from dataclasses import dataclass

from expectations.check import BATCH, Check, Outcome, none_of

ACCEPTED = "('accepted', 'held', 'published', 'superseded')"
# But for 17 pairs of UN DESA no series at hand goes from a hundred or more to nothing: its zeros stand before the first figure, beside
# small ones, or are marked as meant
LARGE = 100
# From one year to the next no figure of a stable series changes by more than a factor of 2.4, and no year of a table by its median
OFF_BY = 8
# Figures are counted in ones to millions: what is off by more is in no other unit, and above what `at_most` lets pass without a word
MILLIONS = 10_000_000
# Fewer figures can be those of another year by chance
FEWEST = 3


@dataclass(frozen=True)
class Years:
    """How the figures of a dataset are laid out by year.

    `series` are the columns that tell series apart. `standing` is the staging view, with its schema, in which the other slices of a
    dataset that is delivered by year are found; None where it is delivered whole. `only` is a condition on the rows that are compared,
    `stated` one under which the agency itself says that there is nothing.
    """

    series: tuple[str, ...]
    standing: str | None = None
    only: str = "true"
    stated: str = "false"

    @property
    def _tables(self) -> str:
        scope = "release_key" if self.standing is None else "0"
        columns = f"{scope} as scope, cube_code, concat_ws('|', {', '.join(self.series)}) as series, year, value, ({self.stated}) as stated"
        known = f"value is not null and year is not null and cube_code is not null and {self.only}"
        mine = f"select release_key, snapshot_key, source_row, {columns} from {BATCH} where {known}"
        if self.standing is None:
            every = "select * from mine"
        else:
            every = f"""
                select * from mine
                union all
                select null, null, null, {columns} from {self.standing}
                where {known} and release_key = any (array(
                    select stood.release_key from meta.release as stood
                    where stood.state in {ACCEPTED} and exists (
                        select 1 from {BATCH} as one where one.source = stood.source and one.dataset = stood.dataset
                    ) and not exists (
                        select 1 from {BATCH} as one
                        where one.source = stood.source and one.dataset = stood.dataset and one.slice = stood.slice
                    ) and not exists (
                        select 1 from meta.release as above
                        where above.source = stood.source and above.dataset = stood.dataset and above.slice = stood.slice
                            and above.state in {ACCEPTED} and (above.rank_basis = 'agency', above.rank, above.release_key)
                                > (stood.rank_basis = 'agency', stood.rank, stood.release_key)
                    )
                ))
            """
        return f"with mine as materialized ({mine}), every as materialized ({every})"

    def checks(self, outcome: Outcome, by_row: bool = False, fewest: int = 1) -> list[Check]:
        """The checks of a dataset; `outcome` is what becomes of one doubtful figure.

        `by_row` says that no single figure of the dataset changes much from year to year, `fewest` how many figures a year must have
        for its unit to be judged.
        """
        return [
            self._no_zero_for_nothing(outcome),
            self._no_year_of_zeros(),
            self._one_unit(fewest),
            *([self._no_leap(outcome)] if by_row else []),
            self._no_year_twice(),
        ]

    def _no_zero_for_nothing(self, outcome: Outcome) -> Check:
        return none_of(
            f"no zero stands where the other years have {LARGE} or more",
            outcome,
            "accuracy",
            f"""
            {self._tables}, known as (
                select scope, cube_code, series, min(abs(value)) as least, min(year) as first from every where value <> 0 group by 1, 2, 3
            )
            select mine.release_key, mine.snapshot_key, mine.source_row, concat(
                'found 0 in ', mine.year, ', expected a figure or nothing: the other years have ', trim_scale(known.least), ' or more'
            ) as detail
            from mine join known using (scope, cube_code, series)
            where mine.value = 0 and not mine.stated and known.least >= {LARGE} and known.first < mine.year
            """,
        )

    def _no_year_of_zeros(self) -> Check:
        return none_of(
            "no year is all zeros",
            "reject",
            "accuracy",
            f"""
            {self._tables}
            select release_key, max(snapshot_key) as snapshot_key, max(source_row) as source_row,
                concat('all ', count(*), ' figures of ', year, ' are 0') as detail
            from mine group by release_key, cube_code, year having bool_and(value = 0 and not stated)
            """,
        )

    @property
    def _leaps(self) -> str:
        """Each figure, and whether it is off by the factor from both its neighbours, at an end of the series from the two next to it."""
        both = "partition by scope, cube_code, series order by year"
        return f"""
            {self._tables}, ordered as (
                select *, abs(value) as size, lag(abs(value)) over one as before, lag(abs(value), 2) over one as long_before,
                    lead(abs(value)) over one as after, lead(abs(value), 2) over one as long_after
                from every where value <> 0 window one as ({both})
            ), near as (
                select *, coalesce(before, long_after) as one_side, coalesce(after, long_before) as other_side from ordered
            ), leaps as (
                select *, least(one_side, other_side) as least_near, coalesce(
                    size * {OFF_BY} <= least(one_side, other_side)
                    or size / greatest(one_side, other_side) between {OFF_BY} and {MILLIONS}, false
                ) as is_off
                from near
            )
        """

    def _one_unit(self, fewest: int) -> Check:
        return none_of(
            f"no year differs from the years beside it by a factor of {OFF_BY}",
            "reject",
            "accuracy",
            f"""
            {self._leaps}
            select release_key, max(snapshot_key) as snapshot_key, min(source_row) filter (where is_off) as source_row, concat(
                count(*) filter (where is_off), ' of ', count(*), ' figures of ', year, ' are in another unit than in the years ',
                'beside it, such as ',
                trim_scale(min(value) filter (where is_off)), ' beside ', trim_scale(min(least_near) filter (where is_off))
            ) as detail
            from leaps where release_key is not null and least_near is not null group by release_key, cube_code, year
            having count(*) >= {fewest} and 2 * count(*) filter (where is_off) > count(*)
            """,
        )

    def _no_leap(self, outcome: Outcome) -> Check:
        return none_of(
            f"no figure differs from the years beside it by a factor of {OFF_BY}",
            outcome,
            "accuracy",
            f"""
            {self._leaps}
            select release_key, snapshot_key, source_row,
                concat('found ', trim_scale(value), ' in ', year, ' beside ', trim_scale(least_near), ' in the years beside it') as detail
            from leaps where release_key is not null and is_off
            """,
        )

    def _no_year_twice(self) -> Check:
        """A table that answers for two years: which of them it is of, nobody knows; a year that stands keeps it."""
        return none_of(
            "no year has the figures of another year",
            "reject",
            "coherence",
            f"""
            {self._tables}, prints as (
                select scope, cube_code, release_key, year, max(snapshot_key) as snapshot_key,
                    md5(string_agg(concat(series, '=', trim_scale(value)), ';' order by series, value)) as print
                from every group by 1, 2, 3, 4 having count(*) filter (where value <> 0) >= {FEWEST}
            )
            select mine.release_key, mine.snapshot_key, concat('year ', mine.year) as source_row,
                concat('the figures of ', mine.year, ' are those of ', string_agg(distinct other.year::text, ', '), ', one by one')
                    as detail
            from prints as mine
            join prints as other on other.scope = mine.scope and other.cube_code = mine.cube_code and other.print = mine.print
                and other.year <> mine.year
            where mine.release_key is not null
            group by 1, 2, 3, mine.year
            """,
        )


def not_of_another_dataset(view: str, key: tuple[str, ...]) -> Check:
    """The tables of `view` have one form, so that one can come as the answer to the question for another, in whatever vintage.

    `view` bears its schema; the columns of `key` tell the figures of a release apart.
    """
    listed = ", ".join(key)
    says = f"md5(string_agg(concat_ws('|', {listed}, trim_scale(value)), ';' order by {listed}, value))"
    kept = f"group by 1, 2 having count(*) filter (where value <> 0) >= {FEWEST}"
    return none_of(
        "no other dataset has the same figures",
        "reject",
        "coherence",
        f"""
        with mine as materialized (
            select release_key, dataset, max(snapshot_key) as snapshot_key, {says} as print from {BATCH} where value is not null {kept}
        ), others as materialized (
            select release_key, dataset, {says} as print from {view}
            where value is not null and release_key = any (array(
                select release_key from meta.release where state in {ACCEPTED} and dataset not in (select dataset from {BATCH})
            )) {kept}
        )
        select mine.release_key, mine.snapshot_key, mine.dataset as source_row,
            concat('the figures are those of ', min(others.dataset), ', one by one') as detail
        from mine join others using (print) group by 1, 2, 3
        """,
    )
