with figures as (
    select
        _release_key,
        _snapshot_key,
        _row,
        measure,
        unit,
        period_start,
        period_end,
        reporting_area,
        counterpart_area,
        region,
        direction,
        scope,
        breakdown,
        category,
        value,
        value_high,
        qualifier
    from {{ source('raw', 'printed_figure') }}
),

releases as (
    {{ release_rows('bns', ['external_by_country', 'all_flows_by_education', 'flows_by_specialty']) }}
),

cubes as (
    select
        code,
        dataset,
        unit_as_sourced,
        scope
    from {{ ref('cube') }}
    where source_code = 'bns'
),

labels as (
    select
        label,
        code
    from {{ ref('bns_label') }}
    where scheme = 'print' and dimension = 'direction'
),

aliases as (
    select
        scheme,
        alias,
        area_code
    from {{ ref('area_alias') }}
),

areas as (
    select code from {{ ref('area') }}
),

education as (
    select code from {{ ref('education') }}
),

specialty as (
    select code from {{ ref('specialty') }}
),

resolved as (
    select
        releases.source,
        releases.dataset,
        releases.slice,
        figures._release_key,
        figures._snapshot_key,
        figures._row,
        figures.measure,
        figures.unit,
        figures.period_start,
        figures.period_end,
        figures.reporting_area,
        figures.counterpart_area,
        figures.region,
        figures.direction as direction_as_sourced,
        figures.scope as scope_as_sourced,
        figures.breakdown,
        figures.category,
        figures.value,
        figures.value_high,
        figures.qualifier,
        {{ printed_first_day('figures.period_start') }} as period_start_date,
        {{ printed_last_day('figures.period_end') }} as period_end_date,
        cubes.code as cube_code,
        cubes.unit_as_sourced,
        labels.code as direction,
        case
            when figures.scope in ('total', 'external', 'internal') and figures.scope = coalesce(cubes.scope, figures.scope)
                then figures.scope
        end as scope,
        area.code as area_code,
        -- no counterpart is every counterpart of the scope
        case
            when figures.counterpart_area is not null then coalesce(aliases.area_code, counterpart.code)
            when figures.scope = 'external' then 'W1'
            when figures.scope = 'internal' then 'KAZ'
            when figures.scope = 'total' then 'WLD'
        end as counterpart_area_code,
        case
            when figures.breakdown is null then '_T'
            when figures.breakdown in ('education_15plus', 'specialty_15plus') then 'Y_GE15'
        end as age_group_code,
        case when figures.breakdown = 'education_15plus' then education.code else '_T' end as education_code,
        case when figures.breakdown = 'specialty_15plus' then specialty.code else '_T' end as specialty_code
    from figures
    inner join releases on figures._release_key = releases.release_key
    left join cubes on releases.dataset = cubes.dataset
    left join labels on figures.direction = labels.label
    left join areas as area on figures.reporting_area = area.code and figures.region is null
    left join aliases on aliases.scheme = 'print_' || releases.dataset and figures.counterpart_area = aliases.alias
    left join areas as counterpart on figures.counterpart_area = counterpart.code
    left join education on figures.category = education.code
    left join specialty on figures.category = specialty.code
)

select
    {{ address() }},
    cube_code,
    direction,
    scope,
    area_code,
    counterpart_area_code,
    'year'::text as period_kind,
    period_start_date,
    period_end_date,
    extract(year from period_end_date)::int as year,
    '_T'::text as sex_code,
    age_group_code,
    education_code,
    specialty_code,
    '_T'::text as ethnicity_code,
    '_T'::text as locality_code,
    {{ bns_number('value') }} as value,
    {{ bns_obs_status('value', 'period_end', 'true') }} as obs_status,
    {{ bns_missing_reason('value', 'true') }} as value_missing_reason,
    concat_ws(' / ', reporting_area, region, counterpart_area) as area_as_sourced,
    concat_ws('/', period_start, period_end) as period_as_sourced,
    value as value_as_sourced,
    case
        when value_high is not null or (qualifier = 'exact') is not true
            then
                'found ' || quote_nullable(qualifier) || ' ' || quote_nullable(value) || ' to ' || quote_nullable(value_high)
                || ', expected one exact figure'
        else {{ bns_value_issue('value') }}
    end as value_issue,
    case
        when area_code is null or counterpart_area_code is null
            then
                'found ' || quote_nullable(reporting_area) || ', region ' || quote_nullable(region) || ', counterpart '
                || quote_nullable(counterpart_area) || ', expected codes of seed area and no region'
    end as area_issue,
    coalesce(
        {{ printed_period_issue() }},
        case
            when extract(doy from period_start_date) <> 1 or period_end_date <> period_start_date + interval '1 year - 1 day'
                then 'found ' || quote_nullable(period_start) || ' to ' || quote_nullable(period_end) || ', expected one year'
        end
    ) as period_issue,
    case
        when (unit = unit_as_sourced) is not true
            then 'found ' || quote_nullable(unit) || ', expected ' || quote_nullable(unit_as_sourced)
    end as unit_issue,
    case
        when (measure = 'migration') is not true or direction is null or scope is null
            then
                'found measure ' || quote_nullable(measure) || ', direction ' || quote_nullable(direction_as_sourced) || ', scope '
                || quote_nullable(scope_as_sourced) || ', expected migration with a known direction and scope'
        when age_group_code is null or education_code is null or specialty_code is null or (breakdown is null) <> (category is null)
            then
                'found ' || quote_nullable(breakdown) || ' ' || quote_nullable(category)
                || ', expected a level of seed education or a field of seed specialty'
    end as member_issue,
    null::text as dropped_because
from resolved
