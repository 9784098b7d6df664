with cells as (
    select
        _release_key,
        _snapshot_key,
        _row,
        indicator,
        unit,
        section,
        territory,
        period,
        value
    from {{ source('raw', 'bns_table') }}
),

releases as (
    {{ release_rows('bns', ['internal_by_region']) }}
),

labels as (
    select
        {{ normalised('label') }} as label,
        code
    from {{ ref('bns_label') }}
    where scheme = 'bns_internal_by_region' and dimension = 'direction'
),

aliases as (
    {{ territories('bns_internal_by_region') }}
),

regions as (
    select
        code,
        population_from_year,
        population_to_year
    from {{ ref('region') }}
),

cubes as (
    select
        code,
        dataset,
        unit_as_sourced,
        scope
    from {{ ref('cube') }}
    where source_code = 'bns' and dataset = 'internal_by_region'
),

typed as (
    select
        releases.source,
        releases.dataset,
        releases.slice,
        cells.*,
        -- 0 for the whole year, 1 to 12 for a month, null for anything else
        array_position(
            array[
                'total', 'january', 'february', 'march', 'april', 'may', 'june', 'july', 'august', 'september', 'october', 'november',
                'december'
            ],
            {{ normalised('cells.section') }}
        ) - 1 as month,
        {{ year_in(bns_text('cells.period'), '^YYYY\\*?$') }} as year
    from cells
    inner join releases on cells._release_key = releases.release_key
),

resolved as (
    select
        typed.*,
        cubes.code as cube_code,
        cubes.unit_as_sourced,
        cubes.scope,
        labels.code as direction,
        aliases.area_code,
        {{ territory_exists('regions', 'typed.year') }} as territory_exists,
        make_date(typed.year, greatest(typed.month, 1), 1) as period_start_date,
        case
            when typed.month = 0 then make_date(typed.year, 12, 31)
            else (make_date(typed.year, typed.month, 1) + interval '1 month - 1 day')::date
        end as period_end_date
    from typed
    left join cubes on typed.dataset = cubes.dataset
    left join labels on {{ normalised('typed.indicator') }} = labels.label
    left join aliases on {{ is_named('aliases', 'typed.territory', 'typed.year') }}
    left join regions on aliases.area_code = regions.code
)

select
    {{ address() }},
    cube_code,
    direction,
    scope,
    area_code,
    -- all moves that stay inside the republic
    'KAZ'::text as counterpart_area_code,
    case when month = 0 then 'year' else 'month' end as period_kind,
    case when month is not null then period_start_date end as period_start_date,
    period_end_date,
    year,
    '_T'::text as sex_code,
    '_T'::text as age_group_code,
    '_T'::text as education_code,
    '_T'::text as specialty_code,
    '_T'::text as ethnicity_code,
    '_T'::text as locality_code,
    {{ bns_number('value') }} as value,
    {{ bns_obs_status('value', 'period', 'territory_exists') }} as obs_status,
    {{ bns_missing_reason('value', 'territory_exists') }} as value_missing_reason,
    territory as area_as_sourced,
    period as period_as_sourced,
    value as value_as_sourced,
    {{ bns_value_issue('value') }} as value_issue,
    case
        when area_code is null
            then 'found territory ' || quote_nullable(territory) || ', expected an alias of scheme bns_internal_by_region'
    end as area_issue,
    case
        when year is null or month is null
            then
                'found ' || quote_nullable(period) || ', ' || quote_nullable(section)
                || ', expected a year YYYY and Total or the English name of a month'
    end as period_issue,
    case
        when ({{ bns_text('unit') }} = unit_as_sourced) is not true
            then 'found ' || quote_nullable(unit) || ', expected ' || quote_nullable(unit_as_sourced)
    end as unit_issue,
    case
        when direction is null then 'found ' || quote_nullable(indicator) || ', expected arrivals, departures or net'
    end as member_issue,
    null::text as dropped_because
from resolved
