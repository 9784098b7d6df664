"""Continuity against the accepted release ranked directly below: what is gone, and what was revised."""

from __future__ import annotations

from expectations.check import BATCH, BELOW, Check, Outcome, none_of


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
