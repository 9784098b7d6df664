{{ config(indexes=[{'columns': ['release_key']}, {'columns': ['area_key', 'departure_area_key', 'period_key']}]) }}

with releases as (
    {{ releases_to_load() }}
),

figures as (
    select
        release_key,
        snapshot_key,
        source_row,
        cube_code,
        slice,
        measure,
        area_code,
        departure_area_code,
        period_kind,
        period_start_date,
        period_end_date,
        age_group_code,
        education_code,
        admission,
        value,
        tolerance,
        qualifier,
        remark,
        null::text as printed_by,
        null::text as printed_at,
        null::text as finding,
        obs_status,
        value_missing_reason
    from {{ ref('stg_bns__kandas') }}
    where dropped_because is null
    union all
    select
        release_key,
        snapshot_key,
        source_row,
        cube_code,
        slice,
        measure,
        area_code,
        departure_area_code,
        period_kind,
        period_start_date,
        period_end_date,
        age_group_code,
        education_code,
        '_T' as admission,
        value,
        tolerance,
        qualifier,
        remark,
        printed_by,
        printed_at,
        nullif(concat_ws('; ', base_finding, sum_finding, repeat_finding), '') as finding,
        obs_status,
        value_missing_reason
    from {{ ref('stg_mol__kandas') }}
    where dropped_because is null
)

select
    figures.release_key,
    {{ member_key('cube', 'figures.cube_code') }} as cube_key,
    -- documents print the same thing differently: a series stays inside one document, which is the slice
    {{ content_key([
        "'series'", 'figures.cube_code', 'figures.slice', 'figures.measure', 'figures.area_code', 'figures.departure_area_code',
        'figures.age_group_code', 'figures.education_code', 'figures.admission',
    ]) }} as series_key,
    figures.snapshot_key,
    figures.source_row,
    figures.measure,
    {{ member_key('area', 'figures.area_code') }} as area_key,
    {{ member_key('area', 'figures.departure_area_code') }} as departure_area_key,
    {{ period_key('figures.period_kind', 'figures.period_start_date', 'figures.period_end_date') }} as period_key,
    {{ member_key('age_group', 'figures.age_group_code') }} as age_group_key,
    {{ member_key('education', 'figures.education_code') }} as education_key,
    figures.admission,
    figures.value,
    figures.tolerance,
    figures.qualifier,
    figures.remark,
    figures.printed_by,
    figures.printed_at,
    figures.finding,
    figures.obs_status,
    figures.value_missing_reason,
    false as is_break,
    null::text as break_kind,
    {{ provisional('figures.obs_status') }} as is_provisional,
    releases.capture,
    null::text as derivation
from figures
inner join releases on {{ is_loaded('figures') }}
where {{ not_quarantined('figures') }}
order by figures.period_end_date, area_key, series_key
