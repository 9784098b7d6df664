with cells as (
    select
        _release_key,
        _snapshot_key,
        _row,
        element_id,
        unit,
        territory,
        locality,
        ethnicity,
        sex,
        age,
        period,
        value
    from {{ source('raw', 'bns_table') }}
),

releases as (
    {{ release_rows('bns', ['net_migration']) }}
),

labels as (
    select
        {{ normalised('label') }} as label,
        dimension,
        code
    from {{ ref('bns_label') }}
    where scheme = 'bns_6567'
),

aliases as (
    {{ territories('bns_6567') }}
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
        source_table_id,
        unit_as_sourced,
        direction,
        scope
    from {{ ref('cube') }}
    where source_code = 'bns' and dataset = 'net_migration'
),

typed as (
    select
        releases.source,
        releases.dataset,
        releases.slice,
        cells.*,
        {{ year_in(bns_text('cells.period'), '^YYYY12\\*?$') }} as year
    from cells
    inner join releases on cells._release_key = releases.release_key
),

resolved as (
    select
        typed.*,
        cubes.code as cube_code,
        cubes.unit_as_sourced,
        cubes.direction,
        cubes.scope,
        aliases.area_code,
        locality_label.code as locality_code,
        ethnicity_label.code as ethnicity_code,
        sex_label.code as sex_code,
        {{ territory_exists('regions', 'typed.year') }} as territory_exists
    from typed
    left join cubes on typed.element_id = cubes.source_table_id
    left join aliases on {{ is_named('aliases', 'typed.territory', 'typed.year') }}
    left join regions on aliases.area_code = regions.code
    left join labels as locality_label
        on locality_label.dimension = 'locality' and {{ normalised('typed.locality') }} = locality_label.label
    left join labels as ethnicity_label
        on ethnicity_label.dimension = 'ethnicity' and {{ normalised('typed.ethnicity') }} = ethnicity_label.label
    left join labels as sex_label on sex_label.dimension = 'sex' and {{ normalised('typed.sex') }} = sex_label.label
)

select
    {{ address() }},
    cube_code,
    direction,
    scope,
    area_code,
    -- all flows: abroad and the rest of the republic together
    'WLD'::text as counterpart_area_code,
    'year'::text as period_kind,
    make_date(year, 1, 1) as period_start_date,
    make_date(year, 12, 31) as period_end_date,
    year,
    sex_code,
    '_T'::text as age_group_code,
    '_T'::text as education_code,
    '_T'::text as specialty_code,
    ethnicity_code,
    locality_code,
    {{ bns_number('value') }} as value,
    {{ bns_obs_status('value', 'period', 'territory_exists') }} as obs_status,
    {{ bns_missing_reason('value', 'territory_exists') }} as value_missing_reason,
    territory as area_as_sourced,
    period as period_as_sourced,
    value as value_as_sourced,
    {{ bns_value_issue('value') }} as value_issue,
    case
        when area_code is null then 'found territory ' || quote_nullable(territory) || ', expected an alias of scheme bns_6567'
    end as area_issue,
    case
        when year is null then 'found ' || quote_nullable(period) || ', expected YYYYMM with month 12 (year)'
    end as period_issue,
    case
        when ({{ bns_text('unit') }} = unit_as_sourced) is not true
            then 'found ' || quote_nullable(unit) || ', expected ' || quote_nullable(unit_as_sourced)
    end as unit_issue,
    case
        when cube_code is null
            then 'found element ' || quote_nullable(element_id) || ', expected the element of seed cube for this dataset'
        when sex_code is null or ethnicity_code is null or locality_code is null or age is not null
            then
                'found locality ' || quote_nullable(locality) || ', ethnicity ' || quote_nullable(ethnicity) || ', sex '
                || quote_nullable(sex) || ', age ' || quote_nullable(age) || ', expected labels of scheme bns_6567 and no age'
    end as member_issue,
    null::text as dropped_because
from resolved
