{{ config(indexes=[{'columns': ['release_key']}, {'columns': ['area_key', 'period_key']}]) }}

with releases as (
    {{ releases_to_load() }}
),

events as (
    select
        release_key,
        dataset,
        snapshot_key,
        source_row,
        cube_code,
        measure,
        area_code,
        period_kind,
        period_start_date,
        period_end_date,
        sex_code,
        locality_code,
        value,
        obs_status,
        value_missing_reason
    from {{ ref('stg_bns__vital_event') }}
    where dropped_because is null
),

breaks as (
    {{ series_breaks() }}
)

select
    events.release_key,
    {{ member_key('cube', 'events.cube_code') }} as cube_key,
    {{ content_key([
        "'series'", 'events.cube_code', 'events.measure', 'events.area_code', 'events.sex_code', 'events.locality_code',
    ]) }} as series_key,
    events.snapshot_key,
    events.source_row,
    events.measure,
    {{ member_key('area', 'events.area_code') }} as area_key,
    {{ period_key('events.period_kind', 'events.period_start_date', 'events.period_end_date') }} as period_key,
    {{ member_key('sex', 'events.sex_code') }} as sex_key,
    {{ member_key('locality', 'events.locality_code') }} as locality_key,
    events.value,
    events.obs_status,
    events.value_missing_reason,
    breaks.break_kind is not null as is_break,
    breaks.break_kind,
    {{ provisional('events.obs_status') }} as is_provisional,
    releases.capture,
    null::text as derivation
from events
inner join releases on {{ is_loaded('events') }}
left join breaks
    on
        events.dataset = breaks.dataset
        and events.area_code = breaks.area_code
        and events.period_start_date = breaks.break_date
        and events.value is not null
where {{ not_quarantined('events') }}
order by events.period_end_date, area_key, series_key
