"""Gate 1 of the UN Population Division. Rules: undesa.md 4.3, 7 and 8; a rule changes only with a written reason."""

from __future__ import annotations

from expectations.check import BATCH, Check, Suite, at_most, no_issue, none_of, unique
from expectations.suites.continuity import revised, withdrawn
from expectations.suites.years import Years

VIEW = "stg_undesa__stock"
KEY = ("cube_code", "residence_area_code", "origin_area_code", "period_start_date", "sex_code")


def gate1(dataset: str, _schema: str) -> Suite:
    """The suite of a dataset. Raises `KeyError` for a dataset without a suite."""
    own = {
        "stock_by_destination_and_origin": [
            _has_kazakhstan(),
            _parts_make_the_world("residence", "origin"),
            _parts_make_the_world("origin", "residence"),
        ],
        "stock_by_destination": [_has_kazakhstan(), _parts_make_the_world("residence", "origin")],
        # the population is rounded to whole persons in thousands: 282 roundings of half a person
        "population_by_destination": [_has_kazakhstan(), _parts_make_the_world("residence", "origin", tolerance=1_000)],
    }[dataset]
    return Suite(
        VIEW,
        [
            *(no_issue(what, "reject") for what in ("value", "area", "period", "unit", "member")),
            unique(KEY),
            at_most("value", 10_000_000_000, "more than the population of the world"),
            _sexes_make_all(tolerance=1 if dataset == "population_by_destination" else 0),
            _asked_edition(),
            *own,
            # of single pairs the edition of 2024 has 17 zeros between larger figures, which are the agency's own
            *Years(("residence_area_code", "origin_area_code", "sex_code"), only="not is_group", stated="obs_status = 'N'").checks(
                "warn" if dataset == "stock_by_destination_and_origin" else "reject"
            ),
            # a new edition replaces the whole history, with pairs that come and go and stocks that halve (undesa.md 6)
            withdrawn(KEY, "warn", only="sex_code = '_T'"),
            revised(KEY, 0.25, only="sex_code = '_T'"),
        ],
        KEY,
    )


def _has_kazakhstan() -> Check:
    return none_of(
        "Kazakhstan is among the residences",
        "reject",
        "accuracy",
        f"""
        select release_key, null::bigint as snapshot_key, cube_code as source_row, concat('no row of KAZ in ', cube_code) as detail
        from {BATCH} where cube_code is not null group by release_key, cube_code having not bool_or(residence_area_code = 'KAZ')
        """,
    )


def _asked_edition() -> Check:
    """The name of the file says which edition was asked for, the workbook which it is."""
    return none_of(
        "the workbook is of the edition that was asked for",
        "reject",
        "coherence",
        f"""
        select release_key, snapshot.snapshot_key, 'Rev.' || release.edition as source_row,
            concat('asked for ', asked.edition, ', the workbook says ', release.edition) as detail
        from meta.release as release
        join meta.release_snapshot as rests using (release_key)
        join meta.snapshot as snapshot using (snapshot_key)
        cross join lateral substring(snapshot.url from '/undesa_pd_([0-9]+)_') as asked (edition)
        where release_key in (select release_key from {BATCH}) and asked.edition <> release.edition
        """,
    )


def _sexes_make_all(tolerance: int) -> Check:
    """Where one of the three is missing there is nothing to compare (undesa.md 8.1)."""
    return none_of(
        "men and women make all",
        "reject",
        "coherence",
        f"""
        select release_key, max(snapshot_key) filter (where sex_code = '_T') as snapshot_key,
            max(source_row) filter (where sex_code = '_T') as source_row,
            concat('both sexes are ', sum(value) filter (where sex_code = '_T'),
                ', men and women ', sum(value) filter (where sex_code <> '_T')) as detail
        from {BATCH} where not is_group
        group by release_key, cube_code, residence_area_code, origin_area_code, period_start_date
        having count(value) = 3
            and abs(sum(value) filter (where sex_code = '_T') - sum(value) filter (where sex_code <> '_T')) > {tolerance}
        """,
    )


def _parts_make_the_world(part: str, other: str, tolerance: int = 0) -> Check:
    """The areas make the World of the same row or column (undesa.md 8.1); a World stands only where the set is complete.

    The World holds what areas without a figure have, too: in the edition of 2020 South Sudan before 2011, 0.02 % of it at most.
    """
    world, areas = (f"sum(value) filter (where {part}_area_code {sign} 'WLD')" for sign in ("=", "<>"))
    return none_of(
        f"the areas of {part} make the World",
        "reject",
        "coherence",
        f"""
        select release_key, max(snapshot_key) filter (where {part}_area_code = 'WLD') as snapshot_key,
            max(source_row) filter (where {part}_area_code = 'WLD') as source_row,
            concat('the World is ', {world}, ', its areas make ', {areas}) as detail
        from {BATCH} where not is_group
        group by release_key, cube_code, {other}_area_code, period_start_date, sex_code
        -- the World's own row and column hold only the totals at hand, which need not be those of all areas
        having count(*) filter (where {part}_area_code = 'WLD') = 1 and ({other}_area_code <> 'WLD' or not bool_or(cube_code ~ 'origin'))
            and abs({world} - {areas}) > {tolerance} + case when count(value) < count(*) then 0.0005 * {world} else 0 end
        """,
    )
