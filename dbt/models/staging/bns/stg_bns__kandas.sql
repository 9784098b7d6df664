with figures as (
    select
        _release_key,
        _snapshot_key,
        _row,
        figure_id,
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
        qualifier,
        tolerance,
        remark
    from {{ source('raw', 'printed_figure') }}
),

releases as (
    {{ release_rows('bns', ['kandas']) }}
),

cubes as (
    select
        code,
        dataset
    from {{ ref('cube') }}
    where source_code = 'bns' and dataset = 'kandas'
),

labels as (
    select
        label,
        code
    from {{ ref('bns_label') }}
    where scheme = 'print' and dimension = 'age_group'
),

aliases as (
    select
        alias,
        area_code
    from {{ ref('area_alias') }}
    where scheme = 'print_kandas'
),

areas as (
    select code from {{ ref('area') }}
),

education as (
    select code from {{ ref('education') }}
),

resolved as (
    select
        releases.source,
        releases.dataset,
        releases.slice,
        figures.*,
        {{ printed_first_day('figures.period_start') }} as period_start_date,
        {{ printed_last_day('figures.period_end') }} as period_end_date,
        cubes.code as cube_code,
        case
            when figures.measure = 'repatriates' and figures.unit = 'persons' then 'persons'
            when figures.measure = 'repatriates_share' and figures.unit = 'percent' then 'share_pct'
            when figures.measure = 'repatriate_families' and figures.unit = 'families' then 'families'
            when figures.measure = 'repatriate_families' and figures.unit = 'families per year' then 'families_per_year'
        end as measure_code,
        area.code as area_code,
        case
            when figures.counterpart_area is null then 'W1'
            else coalesce(aliases.area_code, departure.code)
        end as departure_area_code,
        case
            when figures.breakdown = 'age_group' then labels.code
            -- levels of education are printed of those of working age only
            when figures.breakdown = 'education_working_age' then 'WA'
            else '_T'
        end as age_group_code,
        case when figures.breakdown = 'education_working_age' then education.code else '_T' end as education_code,
        case when figures.breakdown = 'admission' then figures.category else '_T' end as admission
    from figures
    inner join releases on figures._release_key = releases.release_key
    left join cubes on releases.dataset = cubes.dataset
    left join areas as area on figures.reporting_area = area.code and figures.region is null
    left join aliases on figures.counterpart_area = aliases.alias
    left join areas as departure on figures.counterpart_area = departure.code
    left join labels on figures.category = labels.label
    left join education on figures.category = education.code
)

select
    {{ address() }},
    figure_id,
    cube_code,
    measure_code as measure,
    area_code,
    departure_area_code,
    case
        when extract(doy from period_start_date) = 1 and period_end_date = period_start_date + interval '1 year - 1 day' then 'year'
        when period_end_date = period_start_date + interval '1 month - 1 day' then 'month'
        when extract(doy from period_start_date) = 1 and extract(year from period_start_date) = extract(year from period_end_date)
            then 'year-to-date'
        else 'range'
    end as period_kind,
    period_start_date,
    period_end_date,
    extract(year from period_end_date)::int as year,
    age_group_code,
    education_code,
    admission,
    -- a share is measured, all else is counted
    (
        case
            when measure_code = 'share_pct' then {{ bns_number('value', 'decimal') }} else {{ bns_number('value') }}
        end
    )::numeric(20, 6) as value,
    {{ bns_number('tolerance', 'decimal') }} as tolerance,
    qualifier,
    remark,
    case
        when measure_code = 'share_pct' then {{ bns_obs_status('value', 'period_end', 'true', 'decimal') }}
        else {{ bns_obs_status('value', 'period_end', 'true') }}
    end as obs_status,
    {{ bns_missing_reason('value', 'true') }} as value_missing_reason,
    concat_ws(' / ', reporting_area, region, counterpart_area) as area_as_sourced,
    concat_ws('/', period_start, period_end) as period_as_sourced,
    value as value_as_sourced,
    case
        when value_high is not null or coalesce(qualifier, '') not in ('exact', 'about')
            then
                'found ' || quote_nullable(qualifier) || ' ' || quote_nullable(value) || ' to ' || quote_nullable(value_high)
                || ', expected one figure, exact or about'
        when tolerance is not null and {{ bns_number('tolerance', 'decimal') }} is null
            then 'tolerance: ' || coalesce({{ bns_value_issue('tolerance', 'decimal') }}, 'found a gap, expected a number')
        when measure_code = 'share_pct' then {{ bns_value_issue('value', 'decimal') }}
        else {{ bns_value_issue('value') }}
    end as value_issue,
    case
        when area_code is null or departure_area_code is null
            then
                'found ' || quote_nullable(reporting_area) || ', region ' || quote_nullable(region) || ', counterpart '
                || quote_nullable(counterpart_area) || ', expected codes of seed area and no region'
    end as area_issue,
    {{ printed_period_issue() }} as period_issue,
    case
        when measure_code is null
            then
                'found ' || quote_nullable(measure) || ' in ' || quote_nullable(unit)
                || ', expected persons, their shares, families or families per year'
    end as unit_issue,
    case
        when coalesce(direction, 'arrivals') <> 'arrivals' or scope is not null
            then 'found ' || quote_nullable(direction) || ', scope ' || quote_nullable(scope) || ', expected arrivals without a scope'
        when
            coalesce(breakdown, 'admission') not in ('age_group', 'education_working_age', 'admission')
            or (breakdown is null) <> (category is null)
            or age_group_code is null
            or education_code is null
            or admission not in ('_T', 'quota')
            then
                'found ' || quote_nullable(breakdown) || ' ' || quote_nullable(category)
                || ', expected an age group, a level of education or the quota'
    end as member_issue,
    null::text as dropped_because
from resolved
