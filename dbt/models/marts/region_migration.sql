-- Three measures that are never one series, each in columns of its own: all internal moves as published, the inter-regional part of
-- them from the matrix, and the published balance of all flows. Rates per 10,000 of the mean population of the year (bns.md 8.7).
with areas as (
    select * from {{ ref('dim_area') }}
),

periods as (
    select * from {{ ref('dim_period') }}
    where period_kind = 'year'
),

published as (
    select
        paired.area_key,
        paired.period_key,
        case paired.cube_code when 'bns.internal_by_region' then 'internal' else 'all_flows' end as measure,
        paired.arrivals,
        paired.departures,
        paired.balance,
        paired.is_provisional,
        paired.release_key,
        paired.derivation
    from {{ ref('int_flow__paired') }} as paired
    where paired.cube_code in ('bns.internal_by_region', 'bns.net_migration')
),

moves as (
    select * from {{ ref('fct_internal_move') }}
    where is_current
),

sides as (
    select
        destination_area_key as area_key,
        period_key,
        'arrival' as direction,
        value,
        is_provisional,
        release_key
    from moves
    union all
    select
        origin_area_key as area_key,
        period_key,
        'departure' as direction,
        value,
        is_provisional,
        release_key
    from moves
),

interregional as (
    select
        area_key,
        period_key,
        'interregional'::text as measure,
        case when bool_and(value is not null) then sum(value) filter (where direction = 'arrival') end as arrivals,
        case when bool_and(value is not null) then sum(value) filter (where direction = 'departure') end as departures,
        {{ preliminary('is_provisional') }} as is_provisional,
        {{ only_one('release_key') }} as release_key
    from sides
    group by area_key, period_key
),

regional as (
    select * from published
    union all
    select
        area_key,
        period_key,
        measure,
        arrivals,
        departures,
        arrivals - departures as balance,
        is_provisional,
        release_key,
        'sums over the matrix of origins and destinations' as derivation
    from interregional
),

-- what a region gains by an internal move another one loses: the republic has arrivals, departures and no balance but zero
national as (
    select
        {{ member_key('area', "'KAZ'") }} as area_key,
        period_key,
        measure,
        {{ complete_sum('arrivals') }} as arrivals,
        {{ complete_sum('departures') }} as departures,
        {{ complete_sum('balance') }} as balance,
        {{ preliminary('is_provisional') }} as is_provisional,
        {{ only_one('release_key') }} as release_key,
        'sum of ' || count(*) || ' regions' as derivation
    from regional
    where measure <> 'all_flows'
    group by period_key, measure
),

measures as (
    select * from regional
    union all
    select * from national
),

gathered as (
    select
        area_key,
        period_key,
        max(arrivals) filter (where measure = 'internal') as internal_arrivals,
        max(departures) filter (where measure = 'internal') as internal_departures,
        max(balance) filter (where measure = 'internal') as internal_balance,
        max(arrivals) filter (where measure = 'interregional') as interregional_arrivals,
        max(departures) filter (where measure = 'interregional') as interregional_departures,
        max(balance) filter (where measure = 'interregional') as interregional_balance,
        max(balance) filter (where measure = 'all_flows') as all_flows_balance,
        {{ preliminary('is_provisional') }} as is_provisional,
        max(release_key) filter (where measure = 'internal') as internal_release_key,
        max(release_key) filter (where measure = 'interregional') as interregional_release_key,
        max(release_key) filter (where measure = 'all_flows') as all_flows_release_key,
        array_agg(release_key) as release_keys,
        string_agg(measure || ': ' || derivation, '; ' order by measure) as derivation
    from measures
    group by area_key, period_key
),

known_areas as (
    select distinct area_key
    from gathered
),

known_years as (
    select
        period_key,
        array_agg(distinct release_key) as release_keys
    from measures
    group by period_key
),

-- each area that has a figure, in each year that has one: where there is none, the row says so
promised as (
    select
        known_areas.area_key,
        known_years.period_key,
        gathered.internal_arrivals,
        gathered.internal_departures,
        gathered.internal_balance,
        gathered.interregional_arrivals,
        gathered.interregional_departures,
        gathered.interregional_balance,
        gathered.all_flows_balance,
        gathered.is_provisional,
        gathered.internal_release_key,
        gathered.interregional_release_key,
        gathered.all_flows_release_key,
        coalesce(gathered.release_keys, known_years.release_keys) as release_keys,
        gathered.derivation
    from known_areas
    cross join known_years
    left join gathered on known_areas.area_key = gathered.area_key and known_years.period_key = gathered.period_key
),

populations as (
    select * from {{ ref('int_population__yearly') }}
    where is_latest
),

-- the matrix is cut on the territory of today: no population of an older territory is its denominator
territory as (
    select
        breaks.area_code,
        breaks.territory_cut,
        max(breaks.break_date) as present_since_date
    from ({{ series_breaks(by_cut=true) }}) as breaks
    where breaks.dataset = 'population' and breaks.break_kind like '%territory%'
    group by breaks.area_code, breaks.territory_cut
),

measured as (
    select
        promised.*,
        periods.period_start_date,
        populations.population_start,
        populations.population_end,
        populations.population_mean,
        populations.break_kind,
        populations.edition as population_edition,
        populations.start_release_key,
        populations.end_release_key,
        case
            when periods.period_start_date >= coalesce(territory.present_since_date, periods.period_start_date)
                then populations.population_mean
        end as mean_of_today
    from promised
    inner join periods on promised.period_key = periods.period_key
    left join populations
        on promised.area_key = populations.area_key and periods.period_start_date = populations.period_start_date
    left join territory
        on {{ member_key('area', 'territory.area_code') }} = promised.area_key and populations.territory_cut = territory.territory_cut
)

select
    {{ labels('areas', 'area') }},
    areas.area_kind,
    {{ period_columns('periods') }},
    case areas.area_kind when 'region' then 'leaf' else 'total' end as row_kind,
    measured.internal_arrivals::bigint as internal_arrivals_persons,
    measured.internal_departures::bigint as internal_departures_persons,
    measured.internal_balance::bigint as internal_balance_persons,
    case when measured.internal_balance is null then 'no table of internal moves of this year and area' end as internal_missing_reason,
    measured.interregional_arrivals::bigint as interregional_arrivals_persons,
    measured.interregional_departures::bigint as interregional_departures_persons,
    measured.interregional_balance::bigint as interregional_balance_persons,
    case when measured.interregional_balance is null then 'no accepted matrix of this year' end as interregional_missing_reason,
    measured.all_flows_balance::bigint as all_flows_balance_persons,
    case when measured.all_flows_balance is null then 'no balance of all flows published for this year and area' end
        as all_flows_missing_reason,
    measured.population_start::bigint as population_start_persons,
    measured.population_end::bigint as population_end_persons,
    measured.population_mean::numeric(20, 1) as population_mean_persons,
    measured.break_kind as population_break_kind,
    {{ per_10000('measured.internal_arrivals', 'measured.population_mean') }} as internal_arrivals_per_10000,
    {{ per_10000('measured.internal_departures', 'measured.population_mean') }} as internal_departures_per_10000,
    {{ per_10000('measured.internal_balance', 'measured.population_mean') }} as internal_balance_per_10000,
    {{ per_10000('measured.interregional_balance', 'measured.mean_of_today') }} as interregional_balance_per_10000,
    {{ per_10000('measured.all_flows_balance', 'measured.population_mean') }} as all_flows_balance_per_10000,
    nullif(
        concat_ws(
            '; ',
            case
                when measured.break_kind like '%territory%' then 'the two populations are of different territories'
                when measured.population_mean is null
                    then
                        'no population of one edition for ' || periods.period_start_date || ' and ' || (periods.period_end_date + 1)
                when measured.interregional_balance is not null and measured.mean_of_today is null
                    then 'interregional: the population is of an older territory than the matrix'
            end,
            case when measured.internal_balance is null then 'internal: no figure' end,
            case when measured.interregional_balance is null then 'interregional: no figure' end,
            case when measured.all_flows_balance is null then 'all flows: no figure' end
        ),
        ''
    ) as rate_missing_reason,
    measured.is_provisional,
    origin.edition,
    origin.edition_label,
    origin.edition_date,
    measured.population_edition,
    origin.capture,
    origin.sources,
    {{ key_text('measured.internal_release_key') }} as internal_release_key,
    {{ key_text('measured.interregional_release_key') }} as interregional_release_key,
    {{ key_text('measured.all_flows_release_key') }} as all_flows_release_key,
    {{ key_text('measured.start_release_key') }} as population_start_release_key,
    {{ key_text('measured.end_release_key') }} as population_end_release_key,
    measured.derivation
from measured
inner join areas on measured.area_key = areas.area_key
inner join periods on measured.period_key = periods.period_key
left join lateral (
    {{ provenance('measured.release_keys || measured.start_release_key || measured.end_release_key', 'measured.period_key') }}
) as origin on true
order by areas.area_sort_order, areas.area_code, periods.period_start_date
