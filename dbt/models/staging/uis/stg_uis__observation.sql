with records as (
    select
        _release_key,
        _snapshot_key,
        _row,
        indicator_id,
        geo_unit,
        year,
        value,
        magnitude,
        qualifier
    from {{ source('raw', 'uis_observation') }}
),

releases as (
    {{ release_rows('uis') }}
),

indicators as (
    select
        indicator_id,
        measure,
        unit_role,
        partner_code,
        estimate_kind,
        derivation
    from {{ ref('uis_indicator') }}
),

cubes as (
    select
        code,
        source_table_id
    from {{ ref('cube') }}
    where source_code = 'uis'
),

units as (
    select
        code,
        area_kind
    from {{ ref('area') }}
    where area_kind = 'country' or code = '_O'
),

resolved as (
    select
        releases.source,
        releases.dataset,
        releases.slice,
        records._release_key,
        records._snapshot_key,
        records._row,
        records.indicator_id,
        records.geo_unit,
        records.year as year_as_sourced,
        records.value as value_as_sourced,
        records.magnitude,
        records.qualifier,
        indicators.measure,
        indicators.unit_role,
        indicators.partner_code,
        -- the credit line asked for says "Adapted from" in place of "Source" where values are derived (uis.md 9)
        case
            when releases.attribution like 'Adapted from:%'
                then coalesce(nullif(indicators.derivation, ''), 'derived: the note in the manifest of the snapshot says how')
        end as derivation,
        indicators.estimate_kind,
        cubes.code as cube_code,
        units.code as area_code,
        {{ year_in('records.year', '^YYYY$') }} as year,
        {{ plain_number('records.value') }} as number
    from records
    inner join releases on records._release_key = releases.release_key
    -- codes of copies made before 2023 mix upper and lower case (uis.md 7.15)
    left join indicators on upper(records.indicator_id) = indicators.indicator_id
    left join cubes
        on
            cubes.code = 'uis.' || releases.dataset || '.' || indicators.measure
            and cubes.source_table_id in (upper(records.indicator_id), 'codes of origin')
    left join units
        on
            records.geo_unit = units.code
            -- the remainder of a copy is a residual among hosts only, never a country
            and (units.area_kind = 'country' or releases.dataset = 'students_from_kazakhstan')
),

-- 0 with NA is "not applicable", 0 with NIL is nil (uis.md 4.1)
judged as (
    select
        *,
        case
            when magnitude not in ('NIL', 'NA', 'SUPP', 'LOWREL', 'INCLUDED', 'INCLUDES')
                then 'found magnitude ' || quote_literal(magnitude) || ', expected NIL, NA, SUPP, LOWREL, INCLUDED, INCLUDES or none'
            when qualifier not in ('NAT_EST', 'UIS_EST')
                then 'found qualifier ' || quote_literal(qualifier) || ', expected NAT_EST, UIS_EST or none'
            when value_as_sourced is not null and number is null
                then 'found ' || quote_literal(value_as_sourced) || ', expected a plain number or nothing'
            -- the agency's fractions come from estimates and from heads in part of a year; a mark of thousands is no fraction
            when {{ could_be_thousands('value_as_sourced') }}
                then 'found ' || value_as_sourced || ', expected no mark before three digits: it could be one of thousands'
            when magnitude in ('NIL', 'NA') and number <> 0
                then 'found ' || value_as_sourced || ' marked ' || magnitude || ', expected 0'
            when magnitude in ('SUPP', 'INCLUDED') and number is not null
                then 'found ' || value_as_sourced || ' marked ' || magnitude || ', expected nothing'
            when measure = 'students' and number < 0
                then 'found ' || value_as_sourced || ' students, expected no negative number'
        end as value_issue,
        case
            when magnitude = 'NA' then 'M'
            when magnitude = 'SUPP' then 'Q'
            when magnitude = 'INCLUDED' then 'K'
            when number is null then 'O'
            when magnitude = 'LOWREL' then 'U'
            when magnitude = 'INCLUDES' then 'W'
            when qualifier is not null then 'E'
            else 'A'
        end as status
    from resolved
)

select
    {{ address() }},
    cube_code,
    measure,
    area_code,
    partner_code as partner_area_code,
    case unit_role when 'host' then partner_code when 'origin' then area_code end as origin_area_code,
    case unit_role when 'host' then area_code when 'origin' then partner_code end as host_area_code,
    'year'::text as period_kind,
    make_date(year, 1, 1) as period_start_date,
    make_date(year, 12, 31) as period_end_date,
    year,
    case
        when derivation is not null then 'derived'
        when qualifier is not null then 'estimated'
        else estimate_kind
    end as estimate_kind,
    derivation,
    (case when value_issue is null and status not in ('M', 'Q', 'K') then number end)::numeric(20, 6) as value,
    case when value_issue is null then status end as obs_status,
    case
        when value_issue is null
            then
                case status
                    when 'M' then 'not_applicable'
                    when 'Q' then 'suppressed'
                    when 'K' then 'included_elsewhere'
                    when 'O' then 'not_available'
                end
    end as value_missing_reason,
    indicator_id as indicator_as_sourced,
    geo_unit as area_as_sourced,
    year_as_sourced as period_as_sourced,
    value_as_sourced,
    coalesce(magnitude = 'NIL', false) as is_stated_nil,
    value_issue,
    case
        when area_code is null
            then
                'found unit ' || quote_nullable(geo_unit)
                || ', expected an ISO 3166 alpha-3 code of seed area (regional units do not belong here)'
    end as area_issue,
    case when year is null then 'found ' || quote_nullable(year_as_sourced) || ', expected a year YYYY' end as period_issue,
    null::text as unit_issue,
    case
        when measure is null then 'found indicator ' || quote_nullable(indicator_id) || ', expected one of seed uis_indicator'
        when cube_code is null
            then 'found indicator ' || indicator_id || ', expected one of the tables that seed cube has for this dataset'
    end as member_issue,
    case
        when unit_role in ('host', 'origin') and area_code = partner_code then {{ drop_rule('studies_at_home') }}
    end as dropped_because
from judged
