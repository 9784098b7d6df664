-- All international migrants of the world, as each edition has them: an edition replaces the whole history of the one before.
with periods as (
    select * from {{ ref('dim_period') }}
),

releases as (
    select * from {{ ref('dim_release') }}
),

stocks as (
    select
        stocks.edition,
        stocks.is_newest_edition,
        stocks.period_key,
        max(stocks.value) filter (where {{ totals('stocks', ['sex']) }}) as persons,
        max(stocks.value) filter (where sexes.sex_code = 'M') as men,
        max(stocks.value) filter (where sexes.sex_code = 'F') as women,
        max(stocks.value_missing_reason) filter (where {{ totals('stocks', ['sex']) }}) as gap,
        {{ preliminary('stocks.is_provisional') }} as is_provisional,
        max(stocks.release_key) filter (where {{ totals('stocks', ['sex']) }}) as release_key
    from {{ ref('int_stock__by_edition') }} as stocks
    inner join {{ ref('dim_sex') }} as sexes on stocks.sex_key = sexes.sex_key
    where stocks.is_world_residence and stocks.is_world_origin
    group by stocks.edition, stocks.is_newest_edition, stocks.period_key
),

populations as (
    select
        fact.period_key,
        releases.edition,
        max(fact.value) as value,
        max(fact.release_key) as release_key
    from {{ ref('fct_area_indicator') }} as fact
    inner join releases on fact.release_key = releases.release_key
    where
        fact.indicator_key = {{ member_key('indicator', "'undesa.population'") }}
        and fact.area_key = {{ member_key('area', "'WLD'") }}
        and {{ totals('fact', ['sex']) }}
    group by fact.period_key, releases.edition
)

select
    {{ period_columns('periods') }},
    stocks.edition,
    origin.edition_label,
    origin.edition_date,
    stocks.is_newest_edition,
    stocks.persons::bigint as persons,
    stocks.men::bigint as men_persons,
    stocks.women::bigint as women_persons,
    case when stocks.persons is null then coalesce(stocks.gap, 'no total of the world at hand') end as value_missing_reason,
    populations.value::bigint as population_persons,
    {{ share_pct('stocks.persons', 'populations.value') }} as share_of_population_pct,
    case
        when stocks.persons is null then 'the figure is missing'
        when populations.value is null then 'no population of the world in this edition at hand'
    end as share_missing_reason,
    'estimated'::text as estimate_kind,
    stocks.is_provisional,
    origin.capture,
    origin.sources,
    {{ key_text('stocks.release_key') }} as release_key,
    {{ key_text('populations.release_key') }} as population_release_key
from stocks
inner join periods on stocks.period_key = periods.period_key
left join populations on stocks.edition = populations.edition and stocks.period_key = populations.period_key
left join lateral (
    {{ provenance('array[stocks.release_key, populations.release_key]', 'stocks.period_key') }}
) as origin on true
order by periods.period_start_date, stocks.edition
