{{ config(indexes=[{'columns': ['release_key']}, {'columns': ['area_key', 'period_key']}]) }}

with releases as (
    {{ releases_to_load() }}
),

regions as (
    select
        territory_cut,
        area_code as code,
        from_year as population_from_year,
        to_year as population_to_year
    from {{ ref('region_extent') }}
),

breaks as (
    {{ series_breaks(by_cut=true) }}
),

delivered as (
    select
        stock.release_key,
        stock.snapshot_key,
        stock.source_row,
        stock.cube_code,
        stock.area_code,
        stock.territory_cut,
        stock.period_kind,
        stock.period_start_date,
        stock.period_end_date,
        stock.year,
        stock.sex_code,
        stock.age_group_code,
        stock.ethnicity_code,
        stock.locality_code,
        stock.value,
        stock.obs_status,
        stock.value_missing_reason,
        {{ provisional('stock.obs_status') }} as is_provisional,
        releases.capture,
        {{ not_quarantined('stock') }} as is_usable
    from {{ ref('stg_bns__population') }} as stock
    inner join releases on {{ is_loaded('stock') }}
    where stock.dropped_because is null
),

-- Where the source gives no republic, the complete partition of the regions makes one. A republic row in quarantine
-- is a doubtful figure, not a missing one: nothing takes its place.
derived as (
    select
        parts.release_key,
        min(parts.snapshot_key) as snapshot_key,
        string_agg(parts.source_row, '; ' order by parts.area_code) as source_row,
        parts.cube_code,
        'KAZ'::text as area_code,
        parts.territory_cut,
        parts.period_kind,
        parts.period_start_date,
        parts.period_end_date,
        parts.year,
        parts.sex_code,
        parts.age_group_code,
        parts.ethnicity_code,
        parts.locality_code,
        sum(parts.value)::numeric(20, 6) as value,
        'A'::text as obs_status,
        null::text as value_missing_reason,
        case when bool_or(parts.is_provisional) then true end as is_provisional,
        parts.capture,
        'sum of the complete partition of ' || count(*) || ' regions' as derivation
    from delivered as parts
    inner join regions
        on
            parts.area_code = regions.code
            and parts.territory_cut = regions.territory_cut
            and parts.year between coalesce(regions.population_from_year, parts.year) and coalesce(regions.population_to_year, parts.year)
    where
        parts.is_usable
        and parts.value is not null
        and not exists (
            select 1
            from delivered as republic
            where
                republic.area_code = 'KAZ'
                and republic.release_key = parts.release_key
                and republic.cube_code = parts.cube_code
                and republic.period_start_date = parts.period_start_date
                and republic.sex_code = parts.sex_code
                and republic.locality_code = parts.locality_code
        )
    group by
        parts.release_key,
        parts.cube_code,
        parts.territory_cut,
        parts.period_kind,
        parts.period_start_date,
        parts.period_end_date,
        parts.year,
        parts.sex_code,
        parts.age_group_code,
        parts.ethnicity_code,
        parts.locality_code,
        parts.capture
    -- a doubled part must not pass for a missing one
    having
        count(*) = count(distinct parts.area_code)
        and count(*) = (
            select count(*)
            from regions as expected
            where
                expected.territory_cut = parts.territory_cut
                and parts.year >= coalesce(expected.population_from_year, parts.year)
                and parts.year <= coalesce(expected.population_to_year, parts.year)
        )
),

stocks as (
    select
        release_key,
        snapshot_key,
        source_row,
        cube_code,
        area_code,
        territory_cut,
        period_kind,
        period_start_date,
        period_end_date,
        sex_code,
        age_group_code,
        ethnicity_code,
        locality_code,
        value,
        obs_status,
        value_missing_reason,
        is_provisional,
        capture,
        null::text as derivation
    from delivered
    where is_usable
    union all
    select
        release_key,
        snapshot_key,
        source_row,
        cube_code,
        area_code,
        territory_cut,
        period_kind,
        period_start_date,
        period_end_date,
        sex_code,
        age_group_code,
        ethnicity_code,
        locality_code,
        value,
        obs_status,
        value_missing_reason,
        is_provisional,
        capture,
        derivation
    from derived
)

select
    stocks.release_key,
    {{ member_key('cube', 'stocks.cube_code') }} as cube_key,
    {{ content_key([
        "'series'", 'stocks.cube_code', 'stocks.area_code', 'stocks.sex_code', 'stocks.age_group_code', 'stocks.ethnicity_code',
        'stocks.locality_code',
    ]) }} as series_key,
    stocks.snapshot_key,
    stocks.source_row,
    {{ member_key('area', 'stocks.area_code') }} as area_key,
    {{ period_key('stocks.period_kind', 'stocks.period_start_date', 'stocks.period_end_date') }} as period_key,
    {{ member_key('sex', 'stocks.sex_code') }} as sex_key,
    {{ member_key('age_group', 'stocks.age_group_code') }} as age_group_key,
    {{ member_key('ethnicity', 'stocks.ethnicity_code') }} as ethnicity_key,
    {{ member_key('locality', 'stocks.locality_code') }} as locality_key,
    stocks.value,
    stocks.obs_status,
    stocks.value_missing_reason,
    breaks.break_kind is not null as is_break,
    breaks.break_kind,
    stocks.is_provisional,
    stocks.capture,
    stocks.derivation
from stocks
-- a gap is no point after a break
left join breaks
    on
        breaks.dataset = 'population'
        and stocks.area_code = breaks.area_code
        and stocks.territory_cut = breaks.territory_cut
        and stocks.period_start_date = breaks.break_date
        and stocks.value is not null
order by stocks.period_end_date, area_key, series_key
