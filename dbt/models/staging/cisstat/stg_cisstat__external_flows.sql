with cells as (
    select
        _release_key,
        _snapshot_key,
        _row,
        fact,
        reporter,
        partner,
        period,
        locality,
        value,
        note,
        is_estimate,
        scale,
        {{ normalised('reporter') }} as reporter_name,
        {{ normalised('partner') }} as partner_name,
        {{ normalised('locality') }} as locality_name
    from {{ source('raw', 'cisstat_fact') }}
),

releases as (
    {{ release_rows('cisstat') }}
),

-- a table of the committee is two facts: that of arrivals, and that of departures
cubes as (
    select
        code,
        unit_as_sourced,
        string_to_array(source_table_id, ' / ') as facts
    from {{ ref('cube') }}
    where source_code = 'cisstat'
),

names as (
    select
        {{ normalised('alias') }} as name,
        area_code
    from {{ ref('area_alias') }}
    where scheme = 'cisstat'
),

resolved as (
    select
        releases.source,
        releases.dataset,
        releases.slice,
        cells._release_key,
        cells._snapshot_key,
        cells._row,
        cells.fact,
        cells.reporter,
        cells.partner,
        cells.period,
        cells.value,
        cells.note,
        cells.is_estimate,
        cells.scale,
        cells.locality,
        cubes.code as cube_code,
        cubes.unit_as_sourced,
        case array_position(cubes.facts, cells.fact) when 1 then 'arrival' when 2 then 'departure' end as direction,
        reporters.area_code,
        partners.area_code as counterpart_area_code,
        {{ year_in('btrim(cells.period)', '^YYYY$') }} as year,
        -- the totals know no town and country
        case coalesce(cells.locality_name, 'всего')
            when 'всего' then '_T'
            when 'городская местность' then 'U'
            when 'сельская местность' then 'R'
        end as locality_code,
        {{ plain_number('cells.value') }} as number,
        case
            when cells.partner_name in ('неизвестно', 'внутри страны') then {{ drop_rule('hidden_parent') }}
            when cells.partner_name = 'вся миграция' then {{ drop_rule('with_internal_moves') }}
            when reporters.area_code = 'CIS+UKR' then {{ drop_rule('reporters_together') }}
            when reporters.area_code <> 'KAZ' and partners.area_code <> 'KAZ' then {{ drop_rule('not_of_kazakhstan') }}
        end as dropped_because
    from cells
    inner join releases on cells._release_key = releases.release_key
    left join names as reporters on cells.reporter_name = reporters.name
    left join names as partners on cells.partner_name = partners.name
    left join cubes
        on
            cells.fact = any(cubes.facts)
            -- what another office counts of Kazakhstan is a table of its own, for it counts by a definition of its own (cisstat.md 7.5)
            and (cubes.code = 'cisstat.mirror_flows') = coalesce(reporters.area_code <> 'KAZ', false)
),

judged as (
    select
        *,
        coalesce(btrim(value), '') = '' as is_gap,
        case
            when coalesce(btrim(value), '') <> '' and number is null
                then 'found ' || quote_literal(value) || ', expected a plain number or nothing'
            when {{ could_be_thousands('btrim(value)') }}
                then 'found ' || value || ', expected no mark before three digits: it could be one of thousands'
            when number < 0 then 'found ' || value || ' persons, expected no negative number'
            when number is not null and (is_estimate in ('t', 'f')) is not true
                then 'found estimate flag ' || quote_nullable(is_estimate) || ', expected t or f'
        end as value_issue
    from resolved
)

select
    {{ address() }},
    cube_code,
    direction,
    'external'::text as scope,
    area_code,
    counterpart_area_code,
    'year'::text as period_kind,
    make_date(year, 1, 1) as period_start_date,
    make_date(year, 12, 31) as period_end_date,
    year,
    '_T'::text as sex_code,
    '_T'::text as age_group_code,
    '_T'::text as education_code,
    '_T'::text as specialty_code,
    '_T'::text as ethnicity_code,
    locality_code,
    (case when value_issue is null then number end)::numeric(20, 6) as value,
    case
        when value_issue is not null then null
        when is_gap then 'O'
        when is_estimate = 't' then 'E'
        else 'A'
    end as obs_status,
    case when value_issue is null and is_gap then 'not_available' end as value_missing_reason,
    concat_ws(' / ', reporter, partner) as area_as_sourced,
    period as period_as_sourced,
    value as value_as_sourced,
    nullif(btrim(note), '') as remark,
    case when dropped_because is null then value_issue end as value_issue,
    case
        when dropped_because is null and (area_code is null or counterpart_area_code is null)
            then
                'found ' || quote_nullable(reporter) || ' and ' || quote_nullable(partner)
                || ', expected names of scheme cisstat in seed area_alias'
    end as area_issue,
    case
        when dropped_because is null and year is null then 'found ' || quote_nullable(period) || ', expected a year YYYY'
    end as period_issue,
    case
        when dropped_because is null and unit_as_sourced is not null and (scale = unit_as_sourced) is not true
            then 'found scale ' || quote_nullable(scale) || ', expected ' || unit_as_sourced || ': persons one by one'
    end as unit_issue,
    case
        when dropped_because is not null then null
        when cube_code is null
            then 'found fact ' || quote_nullable(fact) || ' of ' || quote_nullable(reporter) || ', expected one of seed cube'
        when locality_code is null
            then 'found ' || quote_nullable(locality) || ', expected Всего, Городская местность or Сельская местность'
    end as member_issue,
    dropped_because
from judged
