with cells as (
    select
        _release_key,
        _snapshot_key,
        _row,
        period,
        origin,
        destination,
        value
    from {{ source('raw', 'bns_matrix') }}
),

releases as (
    {{ release_rows('bns', ['internal_matrix']) }}
),

-- `Almaty` is the region here and `Almaty_city` the city: the spelling has a scheme of its own
aliases as (
    {{ territories('bns_internal_matrix') }}
),

cubes as (
    select
        code,
        dataset
    from {{ ref('cube') }}
    where source_code = 'bns' and dataset = 'internal_matrix'
),

declared as (
    select
        dataset,
        year,
        obs_status
    from {{ ref('declared_status') }}
    where source_code = 'bns'
),

typed as (
    select
        releases.source,
        releases.dataset,
        releases.slice,
        cells.*,
        {{ year_in(bns_text('cells.period'), '^YYYY\\*?$') }} as year
    from cells
    inner join releases on cells._release_key = releases.release_key
),

resolved as (
    select
        typed.*,
        cubes.code as cube_code,
        origin_alias.area_code as origin_area_code,
        destination_alias.area_code as destination_area_code,
        declared.obs_status as declared_status,
        -- the matrix is cut on the territory of today for every year
        {{ bns_obs_status('typed.value', 'typed.period', 'true') }} as obs_status
    from typed
    left join cubes on typed.dataset = cubes.dataset
    left join aliases as origin_alias on {{ is_named('origin_alias', 'typed.origin', 'typed.year') }}
    left join aliases as destination_alias on {{ is_named('destination_alias', 'typed.destination', 'typed.year') }}
    left join declared on typed.dataset = declared.dataset and typed.year = declared.year
)

select
    {{ address() }},
    cube_code,
    origin_area_code,
    destination_area_code,
    'year'::text as period_kind,
    make_date(year, 1, 1) as period_start_date,
    make_date(year, 12, 31) as period_end_date,
    year,
    {{ bns_number('value') }} as value,
    -- what the copy does not mark and is known to be preliminary all the same
    case when obs_status = 'A' then coalesce(declared_status, obs_status) else obs_status end as obs_status,
    {{ bns_missing_reason('value', 'true') }} as value_missing_reason,
    origin as origin_as_sourced,
    destination as destination_as_sourced,
    period as period_as_sourced,
    value as value_as_sourced,
    {{ bns_value_issue('value') }} as value_issue,
    case
        when origin_area_code is null or destination_area_code is null
            then
                'found ' || quote_nullable(origin) || ' to ' || quote_nullable(destination)
                || ', expected aliases of scheme bns_internal_matrix'
    end as area_issue,
    case when year is null then 'found ' || quote_nullable(period) || ', expected a year YYYY' end as period_issue,
    null::text as unit_issue,
    case
        when origin_area_code = destination_area_code
            then 'found a move from ' || quote_nullable(origin) || ' to itself, expected two regions'
    end as member_issue,
    null::text as dropped_because
from resolved
