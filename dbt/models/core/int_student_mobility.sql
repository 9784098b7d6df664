{{ config(indexes=[{'columns': ['release_key']}, {'columns': ['origin_area_key', 'host_area_key', 'period_key']}]) }}

with releases as (
    {{ releases_to_load() }}
),

students as (
    select
        release_key,
        snapshot_key,
        source_row,
        cube_code,
        origin_area_code,
        host_area_code,
        period_kind,
        period_start_date,
        period_end_date,
        measure,
        estimate_kind,
        derivation,
        value,
        obs_status,
        value_missing_reason
    from {{ ref('stg_uis__observation') }}
    where measure = 'students' and dropped_because is null
)

select
    students.release_key,
    {{ member_key('cube', 'students.cube_code') }} as cube_key,
    {{ content_key([
        "'series'", 'students.cube_code', 'students.origin_area_code', 'students.host_area_code', 'students.measure',
    ]) }} as series_key,
    students.snapshot_key,
    students.source_row,
    {{ member_key('area', 'students.origin_area_code') }} as origin_area_key,
    {{ member_key('area', 'students.host_area_code') }} as host_area_key,
    {{ period_key('students.period_kind', 'students.period_start_date', 'students.period_end_date') }} as period_key,
    students.measure,
    students.estimate_kind,
    students.value,
    students.obs_status,
    students.value_missing_reason,
    false as is_break,
    null::text as break_kind,
    -- the agency does not say which figures are final
    null::boolean as is_provisional,
    releases.capture,
    students.derivation
from students
inner join releases on {{ is_loaded('students') }}
where {{ not_quarantined('students') }}
order by students.period_end_date, origin_area_key, series_key
