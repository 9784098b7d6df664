with cells as (
    select
        _release_key,
        _snapshot_key,
        _row,
        element_id,
        unit,
        sheet,
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
    select
        release_key,
        source,
        dataset,
        slice,
        {{ territory_cut('release') }} as territory_cut
    from {{ source('meta', 'release') }} as release
    where source = 'bns' and dataset = 'population'
),

labels as (
    select
        {{ normalised('label') }} as label,
        dimension,
        code
    from {{ ref('bns_label') }}
    where scheme = 'bns_6584'
),

-- a name means another area by year, and the year depends on the edition
aliases as (
    select
        'earlier'::text as territory_cut,
        named.*
    from ({{ territories('bns_6584') }}) as named
    union all
    select
        '2026-04-30'::text as territory_cut,
        named.*
    from ({{ territories('bns_6584/2026-04-30') }}) as named
),

regions as (
    select
        territory_cut,
        area_code as code,
        from_year as population_from_year,
        to_year as population_to_year
    from {{ ref('region_extent') }}
),

cubes as (
    select
        code,
        source_table_id,
        unit_as_sourced
    from {{ ref('cube') }}
    where source_code = 'bns' and dataset = 'population'
),

typed as (
    select
        releases.source,
        releases.dataset,
        releases.slice,
        releases.territory_cut,
        cells._release_key,
        cells._snapshot_key,
        cells._row,
        cells.element_id,
        cells.unit,
        cells.sheet,
        cells.territory,
        cells.locality,
        cells.ethnicity,
        cells.sex,
        cells.age,
        cells.period,
        cells.value,
        sheet_label.code as sex_code,
        -- the sheets print a section title for urban and rural only: no title is the total
        case when coalesce({{ bns_text('cells.locality') }}, '') = '' then '_T' else locality_label.code end as locality_code,
        {{ year_in(bns_text('cells.period'), '^YYYY\\*?$') }} as year
    from cells
    inner join releases on cells._release_key = releases.release_key
    left join labels as sheet_label on sheet_label.dimension = 'sex' and {{ normalised('cells.sheet') }} = sheet_label.label
    left join labels as locality_label
        on locality_label.dimension = 'locality' and {{ normalised('cells.locality') }} = locality_label.label
),

resolved as (
    select
        typed.*,
        cubes.code as cube_code,
        cubes.unit_as_sourced,
        aliases.area_code,
        make_date(typed.year, 1, 1) as reference_date,
        {{ territory_exists('regions', 'typed.year') }} as territory_exists
    from typed
    left join cubes
        on
            typed.element_id = cubes.source_table_id
            and cubes.code = 'bns.population.' || case
                when typed.sex_code = '_T' and typed.locality_code = '_T' then 'region'
                when typed.sex_code in ('M', 'F') and typed.locality_code = '_T' then 'region_sex'
                when typed.sex_code in ('M', 'F') and typed.locality_code in ('U', 'R') then 'region_sex_locality'
            end
    left join aliases
        on
            typed.territory_cut = aliases.territory_cut
            and typed.year is not null
            and {{ is_named('aliases', 'typed.territory', 'typed.year') }}
    left join regions on aliases.area_code = regions.code and typed.territory_cut = regions.territory_cut
)

select
    {{ address() }},
    cube_code,
    area_code,
    territory_cut,
    'instant'::text as period_kind,
    reference_date as period_start_date,
    reference_date as period_end_date,
    year,
    sex_code,
    '_T'::text as age_group_code,
    '_T'::text as ethnicity_code,
    locality_code,
    {{ bns_number('value') }} as value,
    {{ bns_obs_status('value', 'period', 'territory_exists') }} as obs_status,
    {{ bns_missing_reason('value', 'territory_exists') }} as value_missing_reason,
    territory as area_as_sourced,
    period as period_as_sourced,
    value as value_as_sourced,
    {{ bns_value_issue('value') }} as value_issue,
    case
        when year is not null and area_code is null
            then
                'found territory ' || quote_nullable(territory) || ', expected an alias of scheme bns_6584'
                || case when territory_cut <> 'earlier' then '/' || territory_cut else '' end || ' valid in ' || year
    end as area_issue,
    case
        when year is null
            then 'found ' || quote_nullable(period) || ', expected a year YYYY, meaning its 1 January'
    end as period_issue,
    -- the sheet of the whole population prints no unit
    case
        when {{ bns_text('unit') }} <> unit_as_sourced
            then 'found ' || quote_literal(unit) || ', expected ' || quote_literal(unit_as_sourced) || ' or none printed'
    end as unit_issue,
    case
        when cube_code is null
            then
                'found element ' || quote_nullable(element_id) || ', sheet ' || quote_nullable(sheet) || ', locality '
                || quote_nullable(locality) || ', expected a table of seed cube (labels: seed bns_label)'
        when coalesce(ethnicity, sex, age) is not null
            then 'found a breakdown ' || quote_literal(coalesce(ethnicity, sex, age)) || ', expected none in this table'
    end as member_issue,
    null::text as dropped_because
from resolved
