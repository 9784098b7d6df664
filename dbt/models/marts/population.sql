-- Of each release the finest cut that adds up: the regions where they make the republic that the same release prints, else the republic.
with areas as (
    select * from {{ ref('dim_area') }}
),

periods as (
    select * from {{ ref('dim_period') }}
),

stocks as (
    select
        fact.*,
        areas.area_kind
    from {{ ref('fct_population') }} as fact
    inner join areas on fact.area_key = areas.area_key
    where
        fact.cube_key = {{ member_key('cube', "'bns.population.region'") }}
        and {{ totals('fact', ['sex', 'age_group', 'ethnicity', 'locality']) }}
        and areas.area_kind in ('country', 'region')
),

republics as (
    select
        release_key,
        period_key,
        max(value) filter (where area_kind = 'country') as republic,
        sum(value) filter (where area_kind = 'region') = max(value) filter (where area_kind = 'country')
        or count(value) filter (where area_kind = 'country') = 0 as is_made_of_regions
    from stocks
    group by release_key, period_key
)

select
    {{ labels('areas', 'area') }},
    areas.area_kind,
    {{ period_columns('periods') }},
    case
        when areas.area_kind = 'country' and republics.is_made_of_regions then 'total'
        when areas.area_kind = 'region' and not coalesce(republics.is_made_of_regions, false) then 'subtotal'
        else 'leaf'
    end as row_kind,
    stocks.value::bigint as persons,
    stocks.value_missing_reason,
    republics.republic::bigint as republic_persons,
    {{ share_pct('stocks.value', 'republics.republic') }} as share_of_republic_pct,
    stocks.break_kind,
    stocks.obs_status,
    stocks.is_provisional,
    stocks.derivation,
    stocks.is_current,
    origin.edition,
    origin.edition_label,
    origin.edition_date,
    origin.capture,
    origin.sources,
    {{ key_text('stocks.release_key') }} as release_key
from stocks
inner join republics on stocks.release_key = republics.release_key and stocks.period_key = republics.period_key
inner join areas on stocks.area_key = areas.area_key
inner join periods on stocks.period_key = periods.period_key
left join lateral (
    {{ provenance('array[stocks.release_key]', 'stocks.period_key') }}
) as origin on true
order by areas.area_sort_order, areas.area_code, periods.period_start_date, origin.edition
