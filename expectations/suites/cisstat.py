"""CIS Stat: in gate 1 the default checks and what its facts of Kazakhstan must add up to, in gate 2 what the bureau says of the same.

Rules: cisstat.md 7 and 8.
"""

from __future__ import annotations

from dataclasses import replace

from expectations.check import BATCH, Check, Suite, none_of
from expectations.suites.default import default_suite
from expectations.suites.years import Years
from extractors.source import Judged, load_source

JUDGED = Judged(key=("cube_code", "direction", "area_code", "counterpart_area_code", "period_start_date", "locality_code"), unit="persons")

# What the two agencies say otherwise of one year, and is known: year, direction, the bureau's figure, CIS Stat's (cisstat.md 8.3). Another
# figure of either is told again.
KNOWN_OTHERWISE = ((2008, "arrival", 46_113, 46_404), (2008, "departure", 44_813, 45_287))


def gate1(dataset: str, _schema: str) -> Suite:
    """The suite of a dataset. Raises `KeyError` for a dataset without a suite."""
    own = {
        "external_flows": [
            _partners_make_the_cis(),
            _cis_and_the_rest_make_all(),
            _has_kazakhstan(),
            _no_remark(),
            # a gap of a reporter that is written 0, or a year in thousands (cisstat.md 4.2)
            *Years(("direction", "area_code", "counterpart_area_code"), only="locality_code = '_T' and dropped_because is null").checks(
                "reject"
            ),
        ]
    }[dataset]
    suite = default_suite("cisstat", dataset, load_source("cisstat").dataset(dataset), JUDGED)
    return replace(suite, checks=[*suite.checks, *own])


def _partners_make_the_cis() -> Check:
    """With Ukraine, and with the country itself (cisstat.md 8.1)."""
    return _sums_up(
        "the partners of Kazakhstan make the CIS",
        "cisstat.external_by_partner",
        "counterpart_area_code not in ('CIS+UKR', 'NON_CIS', 'W1')",
        "CIS+UKR",
    )


def _cis_and_the_rest_make_all() -> Check:
    """Since 2016: before that the committee gives the total alone (cisstat.md 8.2)."""
    return _sums_up(
        "the CIS and the other countries make all that Kazakhstan reports",
        "cisstat.external_flows",
        "counterpart_area_code in ('CIS+UKR', 'NON_CIS')",
        "W1",
    )


def _sums_up(name: str, cube: str, parts: str, whole: str) -> Check:
    """Exact, 10 of 10 years. A part or a whole that is missing is named: without it nobody knows whether the rest is right."""
    of_whole = f"filter (where counterpart_area_code = '{whole}')"
    return none_of(
        name,
        "reject",
        "coherence",
        f"""
        select release_key, max(snapshot_key) as snapshot_key,
            coalesce(max(source_row) {of_whole}, concat_ws(' ', min(direction) || 's', year)) as source_row,
            concat(year, ', ', min(direction), 's: ', count(value) filter (where {parts}), ' of ', count(*) filter (where {parts}),
                ' parts make ', coalesce(trim_scale(sum(value) filter (where {parts}))::text, 'nothing'), ', {whole} is ',
                coalesce(trim_scale(max(value) {of_whole})::text, 'missing')) as detail
        from {BATCH}
        where cube_code = '{cube}' and area_code = 'KAZ' and locality_code = '_T' and dropped_because is null
        group by release_key, year
        having bool_or({parts}) and (
            count(value) filter (where {parts}) < count(*) filter (where {parts})
            or sum(value) filter (where {parts}) is distinct from max(value) {of_whole}
        )
        """,
    )


def _has_kazakhstan() -> Check:
    return none_of(
        "Kazakhstan is among the reporters",
        "reject",
        "accuracy",
        f"""
        select release_key, null::bigint as snapshot_key, min(slice) as source_row, 'no row of Kazakhstan' as detail
        from {BATCH} group by release_key having not bool_or(area_code = 'KAZ' and dropped_because is null)
        """,
    )


def _no_remark() -> Check:
    """No answer at hand has one: it may say that a figure is of something else (cisstat.md 3)."""
    return none_of(
        "no figure comes with a remark",
        "warn",
        "accuracy",
        f"""
        select release_key, snapshot_key, source_row, concat(area_as_sourced, ' ', period_as_sourced, ': ', remark) as detail
        from {BATCH} where remark is not null and dropped_because is null
        """,
    )


def gate2(schema: str) -> list[Check]:
    """What must hold of a candidate built in `schema`, and what is told of it."""
    return [_partners_and_the_rest_make_all(schema), _the_bureau_says_the_same(schema)]


def _partners_and_the_rest_make_all(schema: str) -> Check:
    """The partners stand in one fact and the other countries in another: gate 1 sees each by itself (cisstat.md 8.1, 8.2)."""
    return none_of(
        "the partners and the other countries of CIS Stat make its total",
        "hold",
        "coherence",
        f"""
        select concat(year, ': the countries make ', sum(arrivals_persons), ' / ', sum(departures_persons), ', the total is ',
            max(arrivals_total_persons), ' / ', max(departures_total_persons)) as detail,
            array_agg(distinct arrivals_release_key) || array_agg(distinct departures_release_key) as release_keys
        from {schema}.migration_by_country
        where source_code = 'cisstat' and row_kind = 'leaf'
        group by area_code, year
        having (count(arrivals_persons) = count(*) and sum(arrivals_persons) <> max(arrivals_total_persons))
            or (count(departures_persons) = count(*) and sum(departures_persons) <> max(departures_total_persons))
        """,
    )


def _the_bureau_says_the_same(schema: str) -> Check:
    """Totals of 25 of 26 years and the partners of 2022 (cisstat.md 8.3). A difference between agencies is nobody's fault: it is told."""
    known = ", ".join(f"({year}, '{direction}', {bureau}, {committee})" for year, direction, bureau, committee in KNOWN_OTHERWISE)
    totals = " and ".join(
        f"fact.{name}_key = (select {name}_key from {schema}.dim_{name} where {name}_code = '_T')"
        for name in ("sex", "age_group", "education", "specialty", "ethnicity", "locality")
    )
    return none_of(
        "CIS Stat says of Kazakhstan's flows what the bureau says",
        "warn",
        "coherence",
        f"""
        with said as (
            select distinct cube.source_code, area.area_code, counterpart.area_code as counterpart_code, period.year, fact.direction,
                fact.value
            from {schema}.fct_migration_flow as fact
            join {schema}.dim_cube as cube using (cube_key)
            join {schema}.dim_area as area using (area_key)
            join {schema}.dim_area as counterpart on counterpart.area_key = fact.counterpart_area_key
            join {schema}.dim_period as period using (period_key)
            where fact.is_current and period.period_kind = 'year' and {totals} and cube.cube_code in (
                'bns.external_arrivals', 'bns.external_departures', 'bns.external_by_country',
                'cisstat.external_flows', 'cisstat.external_by_partner'
            )
        )
        select concat(year, ', ', direction, 's, ', counterpart_code, ': the bureau ', trim_scale(bureau.value), ', CIS Stat ',
            trim_scale(committee.value)) as detail
        from said as bureau join said as committee using (area_code, counterpart_code, year, direction)
        where bureau.source_code = 'bns' and committee.source_code = 'cisstat' and bureau.value <> committee.value
            and not (counterpart_code = 'W1' and (year, direction, bureau.value, committee.value) in ({known}))
        order by year, direction, counterpart_code
        """,
    )
