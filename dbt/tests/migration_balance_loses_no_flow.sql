-- Every year of which an agency has a current flow stands in the mart, with the figures of the agency that the mart names.
with flows as (
    select
        cubes.source_code,
        areas.area_code,
        periods.period_start_date,
        sum(fact.value) filter (where fact.direction = 'arrival') as arrivals,
        sum(fact.value) filter (where fact.direction = 'departure') as departures,
        array_agg(distinct {{ key_text('fact.release_key') }}) as release_keys
    from {{ ref('fct_migration_flow') }} as fact
    inner join {{ ref('dim_cube') }} as cubes on fact.cube_key = cubes.cube_key
    inner join {{ ref('dim_area') }} as areas on fact.area_key = areas.area_key
    inner join {{ ref('dim_period') }} as periods on fact.period_key = periods.period_key
    where
        fact.is_current
        and cubes.cube_code in ('bns.external_arrivals', 'bns.external_departures', 'cisstat.external_flows')
        and fact.counterpart_area_key = {{ member_key('area', "'W1'") }}
        and {{ totals('fact', ['locality']) }}
    group by cubes.source_code, areas.area_code, periods.period_start_date
),

mart as (
    select
        flows_source_code,
        area_code,
        period_start_date,
        arrivals_persons,
        departures_persons,
        array_remove(array[arrivals_release_key, departures_release_key], null) as release_keys
    from {{ ref('migration_balance') }}
    where row_kind = 'leaf'
)

select
    coalesce(flows.area_code, mart.area_code) as area_code,
    coalesce(flows.period_start_date, mart.period_start_date) as period_start_date,
    flows.arrivals,
    mart.arrivals_persons,
    flows.departures,
    mart.departures_persons,
    flows.release_keys || mart.release_keys as release_keys
from flows
full outer join mart on flows.area_code = mart.area_code and flows.period_start_date = mart.period_start_date
where
    flows.area_code is null
    or mart.area_code is null
    or (
        flows.source_code = mart.flows_source_code
        and (flows.arrivals is distinct from mart.arrivals_persons or flows.departures is distinct from mart.departures_persons)
    )
    or mart.flows_source_code is null
