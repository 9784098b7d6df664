-- The agency's own totals of a country, as each edition has them, side by side (undesa.md 7.1). The ratio is of those born in the country
-- who live elsewhere to the population of the country, of the same edition and date (classifications.md g.11).
with areas as (
    select * from {{ ref('dim_area') }}
),

periods as (
    select * from {{ ref('dim_period') }}
),

releases as (
    select * from {{ ref('dim_release') }}
),

totals as (
    select
        stocks.*,
        case when stocks.is_world_residence then stocks.origin_area_key else stocks.residence_area_key end as area_key
    from {{ ref('int_stock__by_edition') }} as stocks
    where stocks.is_world_residence <> stocks.is_world_origin and {{ totals('stocks', ['sex']) }}
),

gathered as (
    select
        edition,
        is_newest_edition,
        area_key,
        period_key,
        max(value) filter (where is_world_residence) as living_abroad,
        max(value_missing_reason) filter (where is_world_residence) as living_abroad_gap,
        max(value) filter (where is_world_origin) as living_here,
        max(value_missing_reason) filter (where is_world_origin) as living_here_gap,
        string_agg(distinct definition, ', ') filter (where is_world_origin) as definition,
        {{ preliminary('is_provisional') }} as is_provisional,
        max(release_key) filter (where is_world_residence) as living_abroad_release_key,
        max(release_key) filter (where is_world_origin) as living_here_release_key
    from totals
    group by edition, is_newest_edition, area_key, period_key
),

home as (
    select
        fact.area_key,
        fact.period_key,
        releases.edition,
        fact.value,
        fact.release_key,
        row_number() over (partition by releases.edition, fact.area_key, fact.period_key order by releases.rank desc) as preference
    from {{ ref('fct_area_indicator') }} as fact
    inner join releases on fact.release_key = releases.release_key
    where fact.indicator_key = {{ member_key('indicator', "'undesa.population'") }} and {{ totals('fact', ['sex']) }}
)

select
    {{ labels('areas', 'area') }},
    areas.area_kind,
    {{ period_columns('periods') }},
    gathered.living_abroad::bigint as living_abroad_persons,
    case when gathered.living_abroad is null then coalesce(gathered.living_abroad_gap, 'no total of this origin at hand') end
        as living_abroad_missing_reason,
    gathered.living_here::bigint as living_here_persons,
    case when gathered.living_here is null then coalesce(gathered.living_here_gap, 'no total of this residence at hand') end
        as living_here_missing_reason,
    home.value::bigint as population_persons,
    round(100 * gathered.living_abroad / nullif(home.value, 0), 4)::numeric(12, 4) as living_abroad_to_population_pct,
    case
        when gathered.living_abroad is null then 'the figure is missing'
        when coalesce(home.value, 0) = 0 then 'no population of the country in this edition at hand'
    end as ratio_missing_reason,
    gathered.definition,
    'estimated'::text as estimate_kind,
    gathered.is_provisional,
    gathered.edition,
    origin.edition_label,
    origin.edition_date,
    gathered.is_newest_edition,
    origin.capture,
    origin.sources,
    {{ key_text('gathered.living_abroad_release_key') }} as living_abroad_release_key,
    {{ key_text('gathered.living_here_release_key') }} as living_here_release_key,
    {{ key_text('home.release_key') }} as population_release_key
from gathered
inner join areas on gathered.area_key = areas.area_key
inner join periods on gathered.period_key = periods.period_key
left join home
    on
        gathered.edition = home.edition
        and gathered.area_key = home.area_key
        and gathered.period_key = home.period_key
        and home.preference = 1
left join lateral (
    {{ provenance('array[gathered.living_abroad_release_key, gathered.living_here_release_key, home.release_key]', 'gathered.period_key') }}
) as origin on true
order by areas.area_sort_order, areas.area_code, periods.period_start_date, gathered.edition
