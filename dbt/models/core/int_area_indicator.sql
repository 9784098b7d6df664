{{ config(indexes=[{'columns': ['release_key']}, {'columns': ['area_key', 'indicator_key', 'period_key']}]) }}

with releases as (
    {{ releases_to_load() }}
),

observed as (
    select
        release_key,
        snapshot_key,
        source_row,
        cube_code,
        area_code,
        'uis.net_flow'::text as indicator_code,
        period_kind,
        period_start_date,
        period_end_date,
        '_T'::text as sex_code,
        estimate_kind,
        value,
        obs_status,
        value_missing_reason,
        derivation
    from {{ ref('stg_uis__observation') }}
    where measure = 'net_flow' and dropped_because is null
    union all
    select
        release_key,
        snapshot_key,
        source_row,
        cube_code,
        residence_area_code as area_code,
        'undesa.population'::text as indicator_code,
        period_kind,
        period_start_date,
        period_end_date,
        sex_code,
        estimate_kind,
        value,
        obs_status,
        value_missing_reason,
        null::text as derivation
    from {{ ref('stg_undesa__stock') }}
    where dataset = 'population_by_destination' and dropped_because is null
)

select
    observed.release_key,
    {{ member_key('cube', 'observed.cube_code') }} as cube_key,
    {{ content_key([
        "'series'", 'observed.cube_code', 'observed.area_code', 'observed.indicator_code', 'observed.sex_code',
    ]) }} as series_key,
    observed.snapshot_key,
    observed.source_row,
    {{ member_key('area', 'observed.area_code') }} as area_key,
    {{ member_key('indicator', 'observed.indicator_code') }} as indicator_key,
    {{ period_key('observed.period_kind', 'observed.period_start_date', 'observed.period_end_date') }} as period_key,
    {{ member_key('sex', 'observed.sex_code') }} as sex_key,
    observed.estimate_kind,
    observed.value,
    observed.obs_status,
    observed.value_missing_reason,
    false as is_break,
    null::text as break_kind,
    -- the agencies do not say which figures are final
    null::boolean as is_provisional,
    releases.capture,
    observed.derivation
from observed
inner join releases on {{ is_loaded('observed') }}
where {{ not_quarantined('observed') }}
order by observed.period_end_date, area_key, series_key
