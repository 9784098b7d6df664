-- Persons of 15 and over with tertiary or vocational secondary education. Flows across the border, by group of countries, and moves inside
-- the republic are measures of their own: those who changed the region are no emigrants.
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
),

scoped as (
    select
        cells.*,
        cells.scope = 'external' as is_external,
        totals.arrivals as arrivals_total,
        totals.departures as departures_total
    from cells
    inner join totals on cells.area_key = totals.area_key and cells.period_key = totals.period_key and cells.scope = totals.scope
)

select
    {{ labels('areas', 'area') }},
    {{ labels('counterparts', 'area', 'counterpart') }},
    {{ labels('specialties', 'specialty') }},
    specialties.isced_f_broad,
    {{ period_columns('periods') }},
    scoped.row_kind,
    scoped.universe,
    case when scoped.is_external then scoped.arrivals end::bigint as external_arrivals_persons,
    case when scoped.is_external then scoped.departures end::bigint as external_departures_persons,
    case when scoped.is_external then scoped.balance end::bigint as external_balance_persons,
    case when scoped.is_external then scoped.value_missing_reason else 'the row is of moves inside the republic' end
        as external_missing_reason,
    case when not scoped.is_external then scoped.arrivals end::bigint as internal_arrivals_persons,
    case when not scoped.is_external then scoped.departures end::bigint as internal_departures_persons,
    case when scoped.is_external then 'the row is of flows across the border' else scoped.value_missing_reason end
        as internal_missing_reason,
    scoped.arrivals_total::bigint as arrivals_total_persons,
    scoped.departures_total::bigint as departures_total_persons,
    {{ share_pct('scoped.arrivals', 'scoped.arrivals_total') }} as arrivals_share_pct,
    {{ share_pct('scoped.departures', 'scoped.departures_total') }} as departures_share_pct,
    case
        when num_nulls(scoped.arrivals, scoped.departures, scoped.arrivals_total, scoped.departures_total) > 0
            then 'a flow or its total is missing'
    end as share_missing_reason,
    scoped.is_provisional,
    origin.edition,
    origin.edition_label,
    origin.edition_date,
    origin.capture,
    origin.sources,
    {{ key_text('scoped.release_key') }} as release_key,
    scoped.derivation
from scoped
inner join areas on scoped.area_key = areas.area_key
inner join areas as counterparts on scoped.counterpart_area_key = counterparts.area_key
inner join specialties on scoped.specialty_key = specialties.specialty_key
inner join periods on scoped.period_key = periods.period_key
left join lateral (
    {{ provenance('array[scoped.release_key]', 'scoped.period_key') }}
) as origin on true
order by areas.area_sort_order, periods.period_start_date, scoped.scope, specialties.sort_order, counterparts.area_sort_order
