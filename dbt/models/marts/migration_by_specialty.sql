-- Persons of 15 and over with tertiary or vocational secondary education. The finest cells are leaves: external flows by group of
-- countries, and internal flows, which have one counterpart.
with areas as (
    select * from {{ ref('dim_area') }}
),

periods as (
    select * from {{ ref('dim_period') }}
),

specialties as (
    select * from {{ ref('dim_specialty') }}
),

flows as (
    select
        paired.*,
        case when counterparts.area_code = 'W1' then 'subtotal' else 'leaf' end as row_kind
    from {{ ref('int_flow__paired') }} as paired
    inner join areas as counterparts on paired.counterpart_area_key = counterparts.area_key
    where paired.cube_code = 'bns.flows_by_specialty'
),

totals as (
    {{ sum_of_leaves('flows', ['area_key', 'period_key', 'scope', 'universe']) }}
),

cells as (
    select
        area_key,
        counterpart_area_key,
        period_key,
        scope,
        universe,
        specialty_key,
        row_kind,
        arrivals,
        departures,
        balance,
        value_missing_reason,
        is_provisional,
        release_key,
        derivation
    from flows
    union all
    select
        area_key,
        case scope when 'internal' then {{ member_key('area', "'KAZ'") }} else {{ member_key('area', "'W1'") }} end as counterpart_area_key,
        period_key,
        scope,
        universe,
        {{ member_key('specialty', "'_T'") }} as specialty_key,
        'total'::text as row_kind,
        arrivals,
        departures,
        balance,
        case when arrivals is null or departures is null then 'a specialty has no figure' end as value_missing_reason,
        is_provisional,
        release_key,
        derivation
    from totals
)

select
    {{ labels('areas', 'area') }},
    {{ labels('counterparts', 'area', 'counterpart') }},
    {{ labels('specialties', 'specialty') }},
    specialties.isced_f_broad,
    {{ period_columns('periods') }},
    cells.row_kind,
    cells.scope,
    cells.universe,
    cells.arrivals::bigint as arrivals_persons,
    cells.departures::bigint as departures_persons,
    cells.balance::bigint as balance_persons,
    cells.value_missing_reason,
    totals.arrivals::bigint as arrivals_total_persons,
    totals.departures::bigint as departures_total_persons,
    {{ share_pct('cells.arrivals', 'totals.arrivals') }} as arrivals_share_pct,
    {{ share_pct('cells.departures', 'totals.departures') }} as departures_share_pct,
    case
        when cells.arrivals is null or cells.departures is null or totals.arrivals is null or totals.departures is null
            then 'a flow or its total is missing'
    end as share_missing_reason,
    cells.is_provisional,
    origin.edition,
    origin.capture,
    origin.licence,
    origin.attribution,
    cells.release_key,
    cells.derivation
from cells
inner join totals on cells.area_key = totals.area_key and cells.period_key = totals.period_key and cells.scope = totals.scope
inner join areas on cells.area_key = areas.area_key
inner join areas as counterparts on cells.counterpart_area_key = counterparts.area_key
inner join specialties on cells.specialty_key = specialties.specialty_key
inner join periods on cells.period_key = periods.period_key
left join lateral (
    {{ provenance('array[cells.release_key]', 'cells.period_key') }}
) as origin on true
order by areas.area_sort_order, periods.period_start_date, cells.scope, specialties.sort_order, counterparts.area_sort_order
