{{ config(indexes=[
    {'columns': ['year', 'origin_code', 'residence_code', 'sex_code', 'persons']},
    {'columns': ['origin_name_kk', 'year', 'persons']}, {'columns': ['residence_name_kk']},
    {'columns': ['origin_name_ru', 'year', 'persons']}, {'columns': ['residence_name_ru']},
    {'columns': ['origin_name_en', 'year', 'persons']}, {'columns': ['residence_name_en']},
]) }}

-- Editions stand side by side and are never chained (undesa.md 7.1). Diaspora ratio: 100 × stock abroad / population at home, of the same
-- edition, date and sex (classifications.md g.11). The sum of a part of the residences is no figure: it is NULL with its reason.
{% set world = member_key('area', "'WLD'") %}

with areas as (
    select * from {{ ref('dim_area') }}
),

periods as (
    select * from {{ ref('dim_period') }}
),

sexes as (
    select * from {{ ref('dim_sex') }}
),

releases as (
    select * from {{ ref('dim_release') }}
),

-- both tables give the stock of a residence from all origins: that by destination is the agency's own total
ranked as (
    select
        fact.*,
        releases.edition,
        row_number() over (
            partition by releases.edition, fact.residence_area_key, fact.origin_area_key, fact.period_key, fact.sex_key
            order by case releases.dataset when 'stock_by_destination' then 1 else 2 end, releases.rank desc
        ) as preference
    from {{ ref('fct_migrant_stock') }} as fact
    inner join releases on fact.release_key = releases.release_key
),

stocks as (
    select * from ranked
    where preference = 1
),

pairs as (
    select * from stocks
    where residence_area_key <> {{ world }} and origin_area_key <> {{ world }}
),

-- each pair belongs to a total of its origin and one of its residence, at hand or not
expected as (
    select
        edition,
        {{ world }} as residence_area_key,
        origin_area_key,
        period_key,
        sex_key,
        max(release_key) as release_key,
        max(capture) as capture
    from pairs
    group by edition, origin_area_key, period_key, sex_key
    union all
    select
        edition,
        residence_area_key,
        {{ world }} as origin_area_key,
        period_key,
        sex_key,
        max(release_key) as release_key,
        max(capture) as capture
    from pairs
    group by edition, residence_area_key, period_key, sex_key
),

cells as (
    select
        edition,
        residence_area_key,
        origin_area_key,
        period_key,
        sex_key,
        value,
        value_missing_reason,
        obs_status,
        population_basis,
        definition,
        estimate_kind,
        is_provisional,
        capture,
        release_key
    from stocks
    union all
    select
        expected.edition,
        expected.residence_area_key,
        expected.origin_area_key,
        expected.period_key,
        expected.sex_key,
        null::numeric as value,
        'the set at hand is partial, and a part has no total' as value_missing_reason,
        'L'::text as obs_status,
        '_Z'::text as population_basis,
        'mixed'::text as definition,
        'estimated'::text as estimate_kind,
        null::boolean as is_provisional,
        expected.capture,
        expected.release_key
    from expected
    left join stocks
        on
            expected.edition = stocks.edition
            and expected.residence_area_key = stocks.residence_area_key
            and expected.origin_area_key = stocks.origin_area_key
            and expected.period_key = stocks.period_key
            and expected.sex_key = stocks.sex_key
    where stocks.edition is null
),

home as (
    select
        fact.area_key,
        fact.period_key,
        fact.sex_key,
        releases.edition,
        fact.value,
        fact.release_key,
        row_number() over (
            partition by releases.edition, fact.area_key, fact.period_key, fact.sex_key order by releases.rank desc
        ) as preference
    from {{ ref('fct_area_indicator') }} as fact
    inner join releases on fact.release_key = releases.release_key
    where fact.indicator_key = {{ member_key('indicator', "'undesa.population'") }}
),

measured as (
    select
        cells.*,
        cells.residence_area_key = {{ world }} as is_world_residence,
        cells.origin_area_key = {{ world }} as is_world_origin,
        origin_total.value as origin_total,
        home.value as home_population,
        home.release_key as home_population_release_key,
        max(cells.edition) over () as newest_edition
    from cells
    left join stocks as origin_total
        on
            cells.edition = origin_total.edition
            and cells.origin_area_key = origin_total.origin_area_key
            and cells.period_key = origin_total.period_key
            and cells.sex_key = origin_total.sex_key
            and origin_total.residence_area_key = {{ world }}
    left join home
        on
            cells.residence_area_key = {{ world }}
            and cells.edition = home.edition
            and cells.origin_area_key = home.area_key
            and cells.period_key = home.period_key
            and cells.sex_key = home.sex_key
            and home.preference = 1
)

select
    residence.area_code as residence_code,
    residence.area_name_kk as residence_name_kk,
    residence.area_name_ru as residence_name_ru,
    residence.area_name_en as residence_name_en,
    residence.area_sort_order as residence_sort_order,
    origin.area_code as origin_code,
    origin.area_name_kk as origin_name_kk,
    origin.area_name_ru as origin_name_ru,
    origin.area_name_en as origin_name_en,
    origin.area_sort_order as origin_sort_order,
    sexes.sex_code,
    sexes.sex_name_kk,
    sexes.sex_name_ru,
    sexes.sex_name_en,
    sexes.sort_order as sex_sort_order,
    periods.period_label,
    periods.period_kind,
    periods.period_start_date,
    periods.period_end_date,
    periods.year,
    case
        when measured.is_world_residence or measured.is_world_origin then 'total'
        when sexes.sex_code = '_T' then 'subtotal'
        else 'leaf'
    end as row_kind,
    measured.value::bigint as persons,
    measured.value_missing_reason,
    measured.origin_total::bigint as origin_total_persons,
    case
        when not measured.is_world_residence then round(100 * measured.value / nullif(measured.origin_total, 0), 4)
    end::numeric(12, 4) as share_of_origin_total_pct,
    case
        when measured.is_world_residence then 'the total has no share in itself'
        when measured.value is null then 'the figure is missing'
        when measured.origin_total is null then 'no total of this origin at hand'
        when measured.origin_total = 0 then 'the total is zero'
    end as share_missing_reason,
    measured.home_population::bigint as home_population_persons,
    round(100 * measured.value / nullif(measured.home_population, 0), 4)::numeric(12, 4) as ratio_to_home_population_pct,
    case
        when not measured.is_world_residence then 'given for all residences together only'
        when measured.value is null then 'the figure is missing'
        when coalesce(measured.home_population, 0) = 0 then 'no population of the origin in this edition at hand'
    end as ratio_missing_reason,
    measured.population_basis,
    measured.definition,
    measured.estimate_kind,
    measured.obs_status,
    measured.is_provisional,
    measured.edition,
    releases.is_current,
    measured.edition = measured.newest_edition as is_current_edition,
    measured.capture,
    releases.licence,
    releases.attribution,
    measured.release_key,
    measured.home_population_release_key
from measured
inner join areas as residence on measured.residence_area_key = residence.area_key
inner join areas as origin on measured.origin_area_key = origin.area_key
inner join sexes on measured.sex_key = sexes.sex_key
inner join periods on measured.period_key = periods.period_key
inner join releases on measured.release_key = releases.release_key
order by measured.edition, periods.period_start_date, origin.area_sort_order, residence.area_sort_order, sexes.sort_order
