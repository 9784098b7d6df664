-- Totals by country and year, each direction in a column of its own. A country that has any total has a row for every year of the series,
-- so that a year without a figure is seen. Ranks are among the countries that report that year. Rates have the population at mid-year that
-- the UN gives every five years: the nearest within a year.
{% set all_countries = member_key('area', "'W1'") %}

with areas as (
    select * from {{ ref('dim_area') }}
),

periods as (
    select * from {{ ref('dim_period') }}
),

releases as (
    select * from {{ ref('dim_release') }}
),

figures as not materialized (
    select
        'outbound' as direction,
        fact.origin_area_key as area_key,
        fact.period_key,
        fact.value,
        fact.value_missing_reason,
        fact.obs_status,
        fact.estimate_kind,
        fact.derivation,
        fact.is_provisional,
        fact.is_current,
        fact.release_key
    from {{ ref('fct_student_mobility') }} as fact
    where fact.host_area_key = {{ all_countries }}
    union all
    select
        'inbound' as direction,
        fact.host_area_key as area_key,
        fact.period_key,
        fact.value,
        fact.value_missing_reason,
        fact.obs_status,
        fact.estimate_kind,
        fact.derivation,
        fact.is_provisional,
        fact.is_current,
        fact.release_key
    from {{ ref('fct_student_mobility') }} as fact
    where fact.origin_area_key = {{ all_countries }}
    union all
    select
        'net_flow' as direction,
        fact.area_key,
        fact.period_key,
        fact.value,
        fact.value_missing_reason,
        fact.obs_status,
        fact.estimate_kind,
        fact.derivation,
        fact.is_provisional,
        fact.is_current,
        fact.release_key
    from {{ ref('fct_area_indicator') }} as fact
    where fact.indicator_key = {{ member_key('indicator', "'uis.net_flow'") }}
),

-- an earlier vintage is a row of its own for each of its editions; of two releases of one edition the later one counts
vintages as (
    select
        figures.*,
        releases.edition,
        case when figures.is_current then '' else releases.edition end as vintage,
        row_number() over (
            partition by
                figures.direction,
                figures.area_key,
                figures.period_key,
                figures.is_current,
                case when not figures.is_current then releases.edition end
            order by releases.rank desc
        ) as preference
    from figures
    inner join releases on figures.release_key = releases.release_key
),

gathered as (
    select
        area_key,
        period_key,
        is_current,
        vintage,
        max(value) filter (where direction = 'outbound') as outbound,
        max(value) filter (where direction = 'inbound') as inbound,
        max(value) filter (where direction = 'net_flow') as net_flow,
        max(value_missing_reason) filter (where direction = 'outbound') as outbound_gap,
        max(value_missing_reason) filter (where direction = 'inbound') as inbound_gap,
        max(value_missing_reason) filter (where direction = 'net_flow') as net_flow_gap,
        max(estimate_kind) filter (where direction = 'outbound') as outbound_estimate_kind,
        max(estimate_kind) filter (where direction = 'inbound') as inbound_estimate_kind,
        string_agg(distinct direction || ': ' || derivation, '; ') as derivation,
        {{ preliminary('is_provisional') }} as is_provisional,
        max(release_key) filter (where direction = 'outbound') as outbound_release_key,
        max(release_key) filter (where direction = 'inbound') as inbound_release_key,
        max(release_key) filter (where direction = 'net_flow') as net_flow_release_key
    from vintages
    where preference = 1
    group by area_key, period_key, is_current, vintage
),

countries as (
    select distinct area_key
    from gathered
    where is_current
),

years as (
    select
        period_key,
        array_agg(distinct release_key) as release_keys
    from vintages
    where is_current
    group by period_key
),

-- who has a current total, in each year that somebody has one, and the releases that would say it
promised as (
    select
        countries.area_key,
        years.period_key,
        years.release_keys
    from countries
    cross join years
),

cells as (
    select
        gathered.*,
        array[gathered.outbound_release_key, gathered.inbound_release_key, gathered.net_flow_release_key] as release_keys
    from gathered
    union all
    select
        promised.area_key,
        promised.period_key,
        true as is_current,
        '' as vintage,
        null as outbound,
        null as inbound,
        null as net_flow,
        null as outbound_gap,
        null as inbound_gap,
        null as net_flow_gap,
        null as outbound_estimate_kind,
        null as inbound_estimate_kind,
        null as derivation,
        null as is_provisional,
        null as outbound_release_key,
        null as inbound_release_key,
        null as net_flow_release_key,
        promised.release_keys
    from promised
    left join gathered
        on gathered.is_current and promised.area_key = gathered.area_key and promised.period_key = gathered.period_key
    where gathered.area_key is null
),

populations as (
    select
        fact.area_key,
        periods.period_start_date as population_date,
        fact.value,
        fact.release_key,
        row_number() over (partition by fact.area_key, fact.period_key order by releases.rank desc) as preference
    from {{ ref('fct_area_indicator') }} as fact
    inner join periods on fact.period_key = periods.period_key
    inner join releases on fact.release_key = releases.release_key
    where
        fact.is_current
        and fact.indicator_key = {{ member_key('indicator', "'undesa.population'") }}
        and fact.sex_key = {{ member_key('sex', "'_T'") }}
),

places as (
    select
        cells.area_key,
        cells.period_key,
        rank() over (partition by cells.period_key order by cells.outbound desc) as outbound_rank,
        count(*) over (partition by cells.period_key) as outbound_ranked_countries
    from cells
    inner join areas on cells.area_key = areas.area_key and areas.area_kind = 'country'
    where cells.is_current and cells.outbound is not null
)

select
    {{ labels('areas', 'area') }},
    {{ period_columns('periods') }},
    cells.outbound::numeric(14, 1) as outbound_students,
    case when cells.outbound is null then coalesce(cells.outbound_gap, 'the agency has no total of this country and year') end
        as outbound_missing_reason,
    places.outbound_rank::integer as outbound_rank,
    places.outbound_ranked_countries::integer as outbound_ranked_countries,
    round(10000 * cells.outbound / nullif(populations.value, 0), 4)::numeric(12, 4) as outbound_per_10000,
    case
        when cells.outbound is null then 'no students'
        when nullif(populations.value, 0) is null then 'no population of the UN within a year'
    end as rate_missing_reason,
    populations.value::bigint as population_persons,
    populations.population_date,
    cells.outbound_estimate_kind,
    cells.inbound::numeric(14, 1) as inbound_students,
    case when cells.inbound is null then coalesce(cells.inbound_gap, 'the agency has no total of this country and year') end
        as inbound_missing_reason,
    cells.inbound_estimate_kind,
    cells.net_flow::numeric(14, 1) as net_flow_students,
    case when cells.net_flow is null then coalesce(cells.net_flow_gap, 'the agency has no total of this country and year') end
        as net_flow_missing_reason,
    cells.is_provisional,
    cells.derivation,
    cells.is_current,
    origin.edition,
    origin.edition_label,
    origin.edition_date,
    origin.capture,
    origin.sources,
    {{ key_text('cells.outbound_release_key') }} as outbound_release_key,
    {{ key_text('cells.inbound_release_key') }} as inbound_release_key,
    {{ key_text('cells.net_flow_release_key') }} as net_flow_release_key,
    {{ key_text('populations.release_key') }} as population_release_key
from cells
inner join areas on cells.area_key = areas.area_key
inner join periods on cells.period_key = periods.period_key
left join places on cells.is_current and cells.area_key = places.area_key and cells.period_key = places.period_key
left join populations
    on
        cells.area_key = populations.area_key
        and populations.preference = 1
        and abs(periods.year - extract(year from populations.population_date)) <= 1
left join lateral (
    {{ provenance("cells.release_keys || populations.release_key", "cells.period_key") }}
) as origin on true
order by areas.area_sort_order, areas.area_code, periods.period_start_date, cells.vintage
