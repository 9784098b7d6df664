-- All flows, inside the republic and across its border together, under that name: the bureau prints no level of education of those who
-- left the country, and says nothing of it by other means. The total is that of the printed levels.
with areas as (
    select * from {{ ref('dim_area') }}
),

periods as (
    select * from {{ ref('dim_period') }}
),

education as (
    select * from {{ ref('dim_education') }}
),

flows as (
    select
        paired.*,
        'leaf'::text as row_kind
    from {{ ref('int_flow__paired') }} as paired
    where paired.cube_code = 'bns.all_flows_by_education'
),

totals as (
    {{ sum_of_leaves('flows', ['area_key', 'period_key', 'scope', 'universe']) }}
),

cells as (
    select
        area_key,
        period_key,
        scope,
        universe,
        education_key,
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
        period_key,
        scope,
        universe,
        {{ member_key('education', "'_T'") }} as education_key,
        'total'::text as row_kind,
        arrivals,
        departures,
        balance,
        case when arrivals is null or departures is null then 'a level has no figure' end as value_missing_reason,
        is_provisional,
        release_key,
        derivation
    from totals
)

select
    {{ labels('areas', 'area') }},
    {{ labels('education', 'education') }},
    education.isced_min,
    education.isced_max,
    education.mapping_quality,
    {{ period_columns('periods') }},
    cells.row_kind,
    cells.universe,
    cells.arrivals::bigint as all_flows_arrivals_persons,
    cells.departures::bigint as all_flows_departures_persons,
    cells.balance::bigint as all_flows_balance_persons,
    cells.value_missing_reason,
    null::bigint as external_arrivals_persons,
    null::bigint as external_departures_persons,
    'the bureau prints levels of education of all flows together only'::text as external_missing_reason,
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
    origin.edition_label,
    origin.edition_date,
    origin.capture,
    origin.sources,
    {{ key_text('cells.release_key') }} as release_key,
    cells.derivation
from cells
inner join totals on cells.area_key = totals.area_key and cells.period_key = totals.period_key and cells.scope = totals.scope
inner join areas on cells.area_key = areas.area_key
inner join education on cells.education_key = education.education_key
inner join periods on cells.period_key = periods.period_key
left join lateral (
    {{ provenance('array[cells.release_key]', 'cells.period_key') }}
) as origin on true
order by areas.area_sort_order, periods.period_start_date, education.sort_order
