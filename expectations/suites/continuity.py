"""Continuity against the release ranked directly below that readers could see: what is gone, and what was revised."""

from __future__ import annotations

from expectations.check import BATCH, BELOW, Check, Outcome, none_of
from extractors.source import Continuity


def withdrawn(
    key: tuple[str, ...],
    outcome: Outcome = "reject",
    unless: str = "false",
    only: str = "true",
    name: str = "no observation of the release below is missing",
) -> Check:
    """An observation that the accepted release below has and this one lacks was withdrawn, or lost on the way.

    The columns of `key` tell observations apart; a row where one of them is null is not compared, it has an issue.
    `unless` is a condition on the columns of `key` under which the absence is fine, `only` one on the rows that are compared at all.
    """
    listed = ", ".join(key)
    return none_of(
        name,
        outcome,
        "coherence",
        f"""
        select release_key, null::bigint as snapshot_key, concat_ws(', ', {listed}) as source_row,
            concat('the release below has ', max(old_value), ', this one nothing') as detail
        from ({_side_by_side(key, only)}) as pair
        group by release_key, {listed}
        having count(old_value) > 0 and not bool_or(is_there) and not ({unless})
        """,
    )


def revised(key: tuple[str, ...], share: float, only: str = "true") -> Check:
    """Statistics are revised; by more than the share, somebody should look. `only` is a condition on the rows that are compared."""
    listed = ", ".join(key)
    return none_of(
        f"no figure is revised by more than {share:.0%}",
        "warn",
        "coherence",
        f"""
        select release_key, max(snapshot_key) as snapshot_key, max(source_row) as source_row,
            concat('was ', max(old_value), ', is ', max(value)) as detail
        from ({_side_by_side(key, only)}) as pair
        group by release_key, {listed}
        having abs(max(value) - max(old_value)) > {share} * abs(max(old_value))
        """,
    )


def _side_by_side(key: tuple[str, ...], only: str) -> str:
    """The rows under test and those of the release below, one under the other: a join of the two would be planned without statistics."""
    listed = ", ".join(key)
    known = " and ".join(f"{column} is not null" for column in key)
    return f"""
        select release_key, {listed}, snapshot_key, source_row, value, null::numeric as old_value,
            (value is not null or value_issue is not null) as is_there
        from {BATCH} where {known} and {only}
        union all
        select old.newer_key, {", ".join(f"old.{column}" for column in key)}, null, null, null, old.value, false
        from {BELOW} as old where old.value is not null and {known} and {only}
    """


# The columns of a key that say of when a figure is
PERIOD = ("year", "period_kind", "period_start_date", "period_end_date")
# Figures that a period must have before it is looked at by itself: of fewer, chance is as good an explanation
A_PART = 5
# A ratio is near a power of ten if its logarithm is: between 0.89 and 1.12 of it
NEAR = 0.05
# 3: persons and thousands; 1 and 2: a lost or doubled digit, percent; 6: millions
SHIFTS = (1, 2, 3, 6)
EXAMPLES = 3


def same_unit(key: tuple[str, ...]) -> Check:
    """In the median, figures are not tens, hundreds, thousands or millions of what they were; asked of all of them and of each period."""
    return none_of(
        "figures are in the unit of the release below",
        "reject",
        "coherence",
        f"""
        {_parts(key, factor=2)}
        select release_key, null::bigint as snapshot_key, place as source_row,
            concat('in the median ', {_ratio("ratio")}, ' times the release below (of ', in_both, ' figures in both), such as ',
                common) as detail
        from part
        where (is_whole or in_both >= {A_PART}) and exists (
            select 1 from unnest(array{list(SHIFTS)}) as power where abs(abs(log(ratio)) - power) < {NEAR}
        )
        order by release_key, is_whole desc, place
        """,
    )


def still_there(key: tuple[str, ...], bounds: Continuity) -> Check:
    """Of what the release below says, enough is said again and not much is otherwise; a release without one below says something.

    What is gone and what says nothing any more is asked of all figures and of each period. It waits for a person's decision, who knows
    whether the agency meant it.
    """
    return none_of(
        "what the release below has is still there",
        "hold",
        "coherence",
        f"""
        {_parts(key, bounds.factor)}
        select release_key, null::bigint as snapshot_key, place as source_row, said.detail
        from part
        cross join lateral (values
            (lost > 0 and lost >= {bounds.lost} * had, concat('lost ', lost, ' of ', had, ' figures, less than {bounds.lost:.0%} may go',
                ', such as ',
                array_to_string(lost_ones[1:{EXAMPLES}], '; '))),
            (rows_now > 0 and not says and (has_said or rows_below = 0), concat('none of ', rows_now, ' rows says anything but 0')),
            (is_whole and changed > {bounds.changed} * in_both, concat('changed by more than a factor of {bounds.factor:g} are ', changed,
                ' of ', in_both, ' figures, at most {bounds.changed:.0%} may be, such as ',
                array_to_string(otherwise[1:{EXAMPLES}], '; ')))
        ) as said (is_so, detail)
        where said.is_so and (is_whole or had >= {A_PART})
        order by release_key, is_whole desc, place
        """,
    )


def _ratio(column: str) -> str:
    return f"round({column}::numeric, case when {column} < 1 then 6 else 2 end)"


def _parts(key: tuple[str, ...], factor: float) -> str:
    """The relation `part`: a row for each release under test and one for each of its periods, of the figures that were and those that are.

    Rows of one key are added up, and counted: twice as many of them is a change by more than any factor. A figure is compared with that of
    the same dates, also where the dates are not in the key: dated anew it is still there.
    """
    listed, known = ", ".join(key), " and ".join(f"{column} is not null" for column in key)
    period = ", ".join(column for column in PERIOD if column in key)
    sets = "(release_key), (release_key, period)" if period else "(release_key)"
    place = "coalesce('period ' || period, 'the whole slice')" if period else "'the whole slice'"
    name, dates = f"concat_ws(', ', {listed})", "concat(period_start_date, '/', period_end_date)"
    return f"""
        with line as materialized (
            select release_key, {listed}, value, null::numeric as old_value, 1 as times, 0 as old_times, {dates} as dates, null as old_dates
            from {BATCH} where {known}
            union all
            select old.newer_key, {", ".join(f"old.{column}" for column in key)}, null, old.value, 0, 1, null, {dates}
            from {BELOW} as old where {" and ".join(f"old.{column} is not null" for column in key)}
        ),
        pair as materialized (
            select release_key, {name} as name, {f"concat_ws(' ', {period})" if period else "null::text"} as period,
                sum(value) as value, sum(old_value) as old_value, sum(times) as times, sum(old_times) as old_times,
                max(dates) = max(old_dates) as is_dated_alike
            from line group by release_key, {listed}
        ),
        judged as (
            select *, case when value is null then old_times else greatest(old_times - times, 0) end as gone,
                old_value is not null and value is not null and is_dated_alike as is_common,
                coalesce(
                    greatest(abs(value), abs(old_value)) > {factor} * least(abs(value), abs(old_value)) or value * old_value < 0
                    or times >= 2 * old_times,
                    false
                ) as is_otherwise
            from pair
        ),
        part as (
            select release_key, {"grouping(period) = 1" if period else "true"} as is_whole, {place} as place,
                sum(times) as rows_now, sum(old_times) as rows_below, sum(old_times) filter (where old_value is not null) as had,
                coalesce(sum(gone) filter (where old_value is not null), 0) as lost, count(*) filter (where is_common) as in_both,
                count(*) filter (where is_common and is_otherwise) as changed,
                coalesce(bool_or(value <> 0), false) as says, coalesce(bool_or(old_value <> 0), false) as has_said,
                percentile_cont(0.5) within group (order by abs(value / nullif(old_value, 0)))
                    filter (where is_common and value <> 0) as ratio,
                array_agg(concat(name, ': was ', trim_scale(old_value)) order by name) filter (where old_value is not null and gone > 0)
                    as lost_ones,
                min(concat(name, ': was ', trim_scale(old_value), ', is ', trim_scale(value))) filter (where is_common and value <> 0)
                    as common,
                array_agg(concat(name, ': was ', trim_scale(old_value), ', is ', trim_scale(value)) order by name)
                    filter (where is_common and is_otherwise) as otherwise
            from judged group by grouping sets ({sets})
        )
    """
