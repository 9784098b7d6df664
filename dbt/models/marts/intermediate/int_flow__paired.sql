-- Arrivals and departures of one cell of one published table side by side, both sexes, all ethnicities, urban and rural together.
with flows as (
    select
        fact.cube_key,
        fact.area_key,
        fact.counterpart_area_key,
        fact.period_key,
        fact.scope,
        fact.education_key,
        fact.specialty_key,
        fact.direction,
        fact.value,
        fact.value_missing_reason,
        fact.is_provisional,
        fact.release_key,
        fact.derivation
    from {{ ref('fct_migration_flow') }} as fact
    where fact.is_current and {{ totals('fact', ['sex', 'ethnicity', 'locality']) }}
),

cubes as (
    select
        cube_key,
        cube_code,
        universe
    from {{ ref('dim_cube') }}
),

gathered as (
    select
        cubes.cube_code,
        cubes.universe,
        flows.area_key,
        flows.counterpart_area_key,
        flows.period_key,
        flows.scope,
        flows.education_key,
        flows.specialty_key,
        max(flows.value) filter (where flows.direction = 'arrival') as arrivals,
        max(flows.value) filter (where flows.direction = 'departure') as departures,
        max(flows.value) filter (where flows.direction = 'balance') as published_balance,
        string_agg(distinct flows.direction || ' ' || flows.value_missing_reason, ', ') as gaps,
        {{ preliminary('flows.is_provisional') }} as is_provisional,
        {{ only_one('flows.release_key') }} as release_key,
        max(flows.release_key) filter (where flows.direction = 'arrival') as arrivals_release_key,
        max(flows.release_key) filter (where flows.direction = 'departure') as departures_release_key,
        max(flows.derivation) as derivation
    from flows
    inner join cubes on flows.cube_key = cubes.cube_key
    group by
        cubes.cube_code,
        cubes.universe,
        flows.area_key,
        flows.counterpart_area_key,
        flows.period_key,
        flows.scope,
        flows.education_key,
        flows.specialty_key
)

select
    cube_code,
    universe,
    area_key,
    counterpart_area_key,
    period_key,
    scope,
    education_key,
    specialty_key,
    arrivals,
    departures,
    coalesce(published_balance, arrivals - departures) as balance,
    case
        when arrivals is null or departures is null
            then
                coalesce(
                    gaps,
                    'not published: '
                    || concat_ws(', ', case when arrivals is null then 'arrivals' end, case when departures is null then 'departures' end)
                )
    end as value_missing_reason,
    is_provisional,
    release_key,
    arrivals_release_key,
    departures_release_key,
    derivation
from gathered
