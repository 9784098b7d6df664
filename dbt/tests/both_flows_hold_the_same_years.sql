{{ config(tags=['pub'], meta={'reads': ['bns.external_arrivals', 'bns.external_departures']}) }}
-- A balance needs both parts: a year that only one of the flows holds is a release that came too early or lost a year.
with flows as (
    select
        area_key,
        period_key,
        direction
    from {{ ref('pub_fct_migration_flow') }}
    where direction in ('arrival', 'departure')
),

periods as (
    select
        period_key,
        period_label
    from {{ ref('dim_period') }}
)

select
    flows.area_key,
    periods.period_label,
    min(flows.direction) as only_direction
from flows
inner join periods on flows.period_key = periods.period_key
group by flows.area_key, periods.period_label
having count(distinct flows.direction) = 1
