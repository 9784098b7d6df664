with cells as (
    select
        _release_key,
        _snapshot_key,
        _row,
        sheet,
        block,
        destination,
        destination_code,
        data_type,
        origin,
        origin_code,
        period,
        value
    from {{ source('raw', 'undesa_stock') }}
),

releases as (
    {{ release_rows('undesa') }}
),

cubes as (
    select
        dataset,
        code,
        source_table_id,
        unit_as_sourced
    from {{ ref('cube') }}
    where source_code = 'undesa'
),

-- location codes are M49 without leading zeros; the world and "others" have numbers of the agency's own
locations as (
    select
        ltrim(m49_code, '0') as location_code,
        code as area_code
    from {{ ref('area') }}
    where area_kind = 'country' and m49_code is not null
    union all
    select
        alias as location_code,
        area_code
    from {{ ref('area_alias') }}
    where scheme = 'undesa'
),

names as (
    select
        {{ normalised('alias') }} as alias,
        area_code
    from {{ ref('area_alias') }}
    where scheme in ('un_name', 'undesa_name')
),

resolved as (
    select
        releases.source,
        releases.dataset,
        releases.slice,
        cells._release_key,
        cells._snapshot_key,
        cells._row,
        cells.sheet,
        cells.block,
        cells.destination,
        cells.destination_code,
        cells.origin,
        cells.origin_code,
        cells.period,
        cells.value as value_as_sourced,
        cubes.code as cube_code,
        cubes.unit_as_sourced,
        residence.area_code as residence_area_code,
        origin.area_code as origin_area_code,
        residence_name.area_code as named_residence_area_code,
        origin_name.area_code as named_origin_area_code,
        nullif(btrim(cells.data_type), '') as population_basis,
        {{ year_in('cells.period', '^YYYY$') }} as year,
        -- groups of areas overlap each other, and 927 stands in the table twice (undesa.md 7.3): only areas are taken
        coalesce(residence.area_code is null and cells.destination_code ~ '^(9|1[5-8]|55)\d\d$', false) as is_group_of_residences,
        coalesce(origin.area_code is null and cells.origin_code ~ '^(9|1[5-8]|55)\d\d$', false) as is_group_of_origins,
        case
            when cells.block ~* ', both sexes combined( \(thousands\))?$' then '_T'
            when cells.block ~* ', males( \(thousands\))?$' then 'M'
            when cells.block ~* ', females( \(thousands\))?$' then 'F'
        end as sex_code,
        case when cells.block like '%(thousands)' then 'thousands' else 'persons' end as unit,
        {{ plain_number('cells.value') }} as number
    from cells
    inner join releases on cells._release_key = releases.release_key
    left join cubes on releases.dataset = cubes.dataset and cells.sheet = cubes.source_table_id
    left join locations as residence on cells.destination_code = residence.location_code
    -- a table by destination counts migrants of all origins
    left join locations as origin on coalesce(cells.origin_code, '900') = origin.location_code
    -- a star leads to the notes
    left join names as residence_name on {{ normalised("rtrim(cells.destination, ' *')") }} = residence_name.alias
    left join names as origin_name on {{ normalised("rtrim(cells.origin, ' *')") }} = origin_name.alias
),

-- `..` not available, `~` suppressed, an em dash less than half of the unit (undesa.md 4.3)
judged as (
    select
        *,
        is_group_of_residences or is_group_of_origins as is_group,
        -- a group has no name that we know, and never that of an area
        destination is not null
        and coalesce(named_residence_area_code, '') <> coalesce(residence_area_code, '') as is_another_residence,
        origin is not null
        and origin_code is not null
        and coalesce(named_origin_area_code, '') <> coalesce(origin_area_code, '') as is_another_origin,
        case
            when value_as_sourced = '..' or value_as_sourced is null then 'O'
            when value_as_sourced = '~' then 'Q'
            when value_as_sourced = '—' then 'N'
            when number < 0 then null
            -- persons are whole, in thousands as well
            when unit = 'persons' and not {{ is_whole_number('value_as_sourced') }} then null
            when unit = 'thousands' and (1000 * number) % 1 <> 0 then null
            when number = 0 then 'A'
            when 'I' = any(string_to_array(population_basis, ' ')) then 'I'
            when number is not null then 'E'
        end as status
    from resolved
)

select
    {{ address() }},
    cube_code,
    is_group,
    residence_area_code,
    case when is_group then null else origin_area_code end as origin_area_code,
    'instant'::text as period_kind,
    make_date(year, 7, 1) as period_start_date,
    make_date(year, 7, 1) as period_end_date,
    year,
    sex_code,
    coalesce(population_basis, '_Z') as population_basis,
    -- a world of countries with either basis has both
    case
        when population_basis ~ 'B' and population_basis !~ 'C' then 'country_of_birth'
        when population_basis ~ 'C' and population_basis !~ 'B' then 'citizenship'
        else 'mixed'
    end as definition,
    'estimated'::text as estimate_kind,
    (
        case when status is null then null when status = 'N' then 0 when unit = 'thousands' then 1000 * number else number end
    )::numeric(20, 6) as value,
    status as obs_status,
    case status when 'O' then 'not_available' when 'Q' then 'suppressed' end as value_missing_reason,
    destination_code as area_as_sourced,
    period as period_as_sourced,
    value_as_sourced,
    case
        when status is null
            then
                'found ' || quote_literal(value_as_sourced) || ', expected whole persons, in ' || unit
                || ', not negative, .. or ~ or an em dash'
    end as value_issue,
    case
        when residence_area_code is null and not is_group
            then 'found location ' || quote_nullable(destination_code) || ', expected an M49 number of seed area, 900 or a group'
        when origin_area_code is null and not is_group
            then
                'found location of origin ' || quote_nullable(origin_code)
                || ', expected an M49 number of seed area, 900, 2003 or a group'
        when residence_area_code = origin_area_code and residence_area_code <> 'WLD'
            then 'found location ' || destination_code || ' at both ends, expected none of its own migrants'
        when is_another_residence
            then
                'found location ' || destination_code || ' named ' || quote_literal(btrim(destination))
                || ', expected a name of that area'
        when is_another_origin
            then
                'found location of origin ' || origin_code || ' named ' || quote_literal(btrim(origin))
                || ', expected a name of that area'
    end as area_issue,
    case when year is null then 'found ' || quote_nullable(period) || ', expected a year YYYY, meaning its 1 July' end
        as period_issue,
    case
        when unit <> unit_as_sourced then 'found ' || unit || ' in ' || quote_nullable(block) || ', expected ' || unit_as_sourced
    end as unit_issue,
    case
        when cube_code is null then 'found ' || quote_nullable(sheet) || ', expected the table that seed cube has for this dataset'
        when sex_code is null then 'found block ' || quote_nullable(block) || ', expected one for both sexes, males or females'
        when population_basis !~ '^[BCRI]( [BCRI])*$'
            then 'found type of data ' || quote_literal(population_basis) || ', expected B, C, R and I joined by blanks'
    end as member_issue,
    case when is_group then {{ drop_rule('group_of_areas') }} end as dropped_because
from judged
