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
        '_Z'::text as counterpart_area_code,
        'uis.net_flow'::text as indicator_code,
        period_kind,
        period_start_date,
        period_end_date,
        '_T'::text as sex_code,
        estimate_kind,
        value,
        obs_status,
        value_missing_reason,
        null::text as break_kind,
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
        '_Z'::text as counterpart_area_code,
        'undesa.population'::text as indicator_code,
        period_kind,
        period_start_date,
        period_end_date,
        sex_code,
        estimate_kind,
        value,
        obs_status,
        value_missing_reason,
        null::text as break_kind,
        null::text as derivation
    from {{ ref('stg_undesa__stock') }}
    where dataset = 'population_by_destination' and dropped_because is null
    {{ of_contracts([
        'release_key', 'snapshot_key', 'source_row', 'cube_code', 'area_code', 'counterpart_area_code', 'indicator_code', 'period_kind',
        'period_start_date', 'period_end_date', 'sex_code', 'estimate_kind', 'value', 'obs_status', 'value_missing_reason', 'break_kind',
        'null::text as derivation',
    ]) }}
)

select
    observed.release_key,
    {{ member_key('cube', 'observed.cube_code') }} as cube_key,
    {{ content_key([
        "'series'", 'observed.cube_code', "observed.area_code || coalesce('>' || nullif(observed.counterpart_area_code, '_Z'), '')",
        'observed.indicator_code', 'observed.sex_code',
    ]) }} as series_key,
    observed.snapshot_key,
    observed.source_row,
    {{ member_key('area', 'observed.area_code') }} as area_key,
    {{ member_key('area', 'observed.counterpart_area_code') }} as counterpart_area_key,
    {{ member_key('indicator', 'observed.indicator_code') }} as indicator_key,
    {{ period_key('observed.period_kind', 'observed.period_start_date', 'observed.period_end_date') }} as period_key,
    {{ member_key('sex', 'observed.sex_code') }} as sex_key,
    observed.estimate_kind,
    observed.value,
    observed.obs_status,
    observed.value_missing_reason,
    observed.break_kind is not null as is_break,
    observed.break_kind,
    {{ provisional('observed.obs_status') }} as is_provisional,
    releases.capture,
    observed.derivation
from observed
inner join releases on {{ is_loaded('observed') }}
where {{ not_quarantined('observed') }}
order by observed.period_end_date, area_key, series_key
