"""Gate 2 of students abroad, migrants by origin and incidents: what must hold across their datasets."""

from __future__ import annotations

from expectations.check import Check, none_of


def checks(schema: str) -> list[Check]:
    """The checks of a candidate built in `schema`."""
    return [
        _net_flow_is_inbound_less_outbound(schema),
        *(check(schema, partner) for partner in ("host", "origin") for check in (_partners_make_the_total, _breakdown_is_complete)),
        _totals_of_residences_agree(schema),
        _residences_make_the_total_of_an_origin(schema),
        _populations_agree(schema),
    ]


def _net_flow_is_inbound_less_outbound(schema: str) -> Check:
    """Inside one edition (uis.md 8.1); the interface writes floats."""
    return none_of(
        "the net flow of students is inbound less outbound, in every edition",
        "hold",
        "coherence",
        f"""
        with said as (
            select host_area_key as area_key, period_key, release_key, value, 'inbound' as direction from {schema}.fct_student_mobility
            where origin_area_key = (select area_key from {schema}.dim_area where area_code = 'W1')
            union all
            select origin_area_key, period_key, release_key, value, 'outbound' from {schema}.fct_student_mobility
            where host_area_key = (select area_key from {schema}.dim_area where area_code = 'W1')
            union all
            select fact.area_key, fact.period_key, fact.release_key, fact.value, 'net_flow' from {schema}.fct_area_indicator as fact
            join {schema}.dim_indicator as indicator using (indicator_key) where indicator.indicator_code = 'uis.net_flow'
        )
        select concat(area_code, ' ', year, ', edition ', edition, ': ', inbound, ' less ', outbound, ' is not ', net_flow) as detail,
            release_keys
        from (
            select area.area_code, period.year, release.edition, array_agg(distinct said.release_key) as release_keys,
                max(value) filter (where direction = 'inbound') as inbound,
                max(value) filter (where direction = 'outbound') as outbound,
                max(value) filter (where direction = 'net_flow') as net_flow
            from said
            join {schema}.dim_area as area using (area_key)
            join {schema}.dim_period as period using (period_key)
            join {schema}.dim_release as release using (release_key)
            group by area.area_code, period.year, release.edition
        ) as flow
        where abs(inbound - outbound - net_flow) > 0.001
        """,
    )


def _partners_make_the_total(schema: str, partner: str) -> Check:
    """Reported parts and what is not attributed add up; where hosts report more than the total, the two measures contradict."""
    return none_of(
        f"students by {partner} and what is not attributed make their total",
        "hold",
        "coherence",
        f"""
        select concat(area_code, ' ', year, ': ', sum(students), ' of ', max(total_students)) as detail,
            array_agg(distinct release_key) || array_agg(distinct total_release_key) as release_keys
        from {schema}.students_by_{partner}
        where row_kind = 'leaf' and reported_students is not null
        group by area_code, year having sum(students) is distinct from max(total_students)
        """,
    )


def _breakdown_is_complete(schema: str, partner: str) -> Check:
    """Below 0.9 a year tells nothing of shares and trends; the mart flags it and gives no share (uis.md 8.3)."""
    return none_of(
        f"students by {partner} are at least 0.9 of their total",
        "warn",
        "accuracy",
        f"""
        select distinct concat(area_code, ' ', year, ': ', coverage, coalesce(', no figure of ' || lacks, '')) as detail
        from {schema}.students_by_{partner} where coverage < 0.9
        """,
    )


def _totals_of_residences_agree(schema: str) -> Check:
    """Two tables of one edition give a residence the same stock (undesa.md 8.3)."""
    return none_of(
        "both tables of an edition give a residence the same stock of migrants",
        "hold",
        "coherence",
        f"""
        select concat(area.area_code, ' ', period.period_label, ', edition ', release.edition,
            ': ', min(fact.value), ' and ', max(fact.value)) as detail, array_agg(distinct fact.release_key) as release_keys
        from {schema}.fct_migrant_stock as fact
        join {schema}.dim_area as area on area.area_key = fact.residence_area_key
        join {schema}.dim_area as origin on origin.area_key = fact.origin_area_key and origin.area_code = 'WLD'
        join {schema}.dim_period as period using (period_key)
        join {schema}.dim_release as release using (release_key)
        group by area.area_code, period.period_label, release.edition, fact.sex_key having min(fact.value) <> max(fact.value)
        """,
    )


def _residences_make_the_total_of_an_origin(schema: str) -> Check:
    """Indicator g.10: where the agency gives a total of an origin, its residences make it, men and women together."""
    return none_of(
        "residences make the total of an origin",
        "hold",
        "coherence",
        f"""
        with origins as (
            select
                origin_code, year, edition, array_agg(distinct release_key) as release_keys,
                sum(persons) filter (where residence_code <> 'WLD' and sex_code <> '_T') as parts,
                max(persons) filter (where residence_code = 'WLD' and sex_code = '_T') as total
            from {schema}.migrant_stock where origin_code <> 'WLD' group by origin_code, year, edition
        )
        select concat(origin_code, ' ', year, ', edition ', edition, ': residences make ', parts, ', the total is ', total) as detail,
            release_keys
        from origins where parts <> total
        """,
    )


def _populations_agree(schema: str) -> Check:
    """Two agencies count the same country: the UN at mid-year, the bureau on 1 January before and after it.

    2 % is more than a year's growth, and less than what the bureau's re-base on the census of 2021 changed over ten years.
    """
    return none_of(
        "the populations of Kazakhstan of the UN and of the bureau differ by less than 2 %",
        "warn",
        "coherence",
        f"""
        with mid_year as (
            select extract(year from period.period_start_date)::int as year, fact.value
            from {schema}.fct_area_indicator as fact
            join {schema}.dim_indicator as indicator using (indicator_key)
            join {schema}.dim_area as area using (area_key)
            join {schema}.dim_period as period using (period_key)
            join {schema}.dim_sex as sex using (sex_key)
            where fact.is_current and indicator.indicator_code = 'undesa.population' and area.area_code = 'KAZ' and sex.sex_code = '_T'
        )
        select concat(year, ': ', value, ' and ', population_mean_persons) as detail
        from mid_year join {schema}.migration_balance as bureau using (year)
        where bureau.row_kind = 'leaf' and bureau.area_code = 'KAZ'
            and abs(value - population_mean_persons) > 0.02 * population_mean_persons
        """,
    )
