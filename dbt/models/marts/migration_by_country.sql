-- Groups are printed figures of their own, with the members they had in that publication (bridge_area_group); the total is their sum.
with areas as (
    select * from {{ ref('dim_area') }}
),

periods as (
    select * from {{ ref('dim_period') }}
),

groups as (
    select
        group_area_key,
        group_area_code,
        group_version,
        member_area_key,
        valid_from_date,
        valid_to_date
    from {{ ref('bridge_area_group') }}
),

flows as (
    select
        paired.*,
        case when counterparts.area_kind = 'group' then 'subtotal' else 'leaf' end as row_kind
    from {{ ref('int_flow__paired') }} as paired
    inner join areas as counterparts on paired.counterpart_area_key = counterparts.area_key
    where paired.cube_code = 'bns.external_by_country'
),

totals as (
    {{ sum_of_leaves('flows', ['area_key', 'period_key']) }}
),

cells as (
    select
        area_key,
        counterpart_area_key,
        period_key,
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
        {{ member_key('area', "'W1'") }} as counterpart_area_key,
        period_key,
        'total'::text as row_kind,
        arrivals,
        departures,
        balance,
        case when arrivals is null or departures is null then 'a country has no figure' end as value_missing_reason,
        is_provisional,
        release_key,
        derivation
    from totals
)

select
    {{ labels('areas', 'area') }},
    {{ labels('counterparts', 'area', 'counterpart') }},
    counterparts.area_kind as counterpart_kind,
    groups.group_area_code as group_code,
    groups.group_version,
    {{ period_columns('periods') }},
    cells.row_kind,
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
inner join totals on cells.area_key = totals.area_key and cells.period_key = totals.period_key
inner join areas on cells.area_key = areas.area_key
inner join areas as counterparts on cells.counterpart_area_key = counterparts.area_key
inner join periods on cells.period_key = periods.period_key
left join groups
    on
        cells.counterpart_area_key = groups.member_area_key
        and periods.period_start_date between groups.valid_from_date and coalesce(groups.valid_to_date, periods.period_start_date)
left join lateral (
    {{ provenance('array[cells.release_key]', 'cells.period_key') }}
) as origin on true
order by areas.area_sort_order, periods.period_start_date, counterparts.area_sort_order, counterparts.area_code
