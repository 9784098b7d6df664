{{ config(indexes=[{'columns': ['release_key']}, {'columns': ['area_key', 'period_key']}]) }}

with releases as (
    {{ releases_to_load() }}
),

incidents as (
    select
        release_key,
        snapshot_key,
        source_row,
        cube_code,
        area_code,
        period_kind,
        period_start_date,
        period_end_date,
        incident_code,
        content_hash,
        occurrence,
        incident_region,
        migration_route,
        dead_persons,
        missing_persons,
        survivors_persons,
        females_persons,
        males_persons,
        children_persons,
        latitude,
        longitude,
        source_quality,
        value,
        obs_status,
        value_missing_reason
    from {{ ref('stg_iom__missing_migrants') }}
    where dropped_because is null
)

select
    incidents.release_key,
    {{ member_key('cube', 'incidents.cube_code') }} as cube_key,
    {{ content_key([
        "'series'", 'incidents.cube_code', 'incidents.incident_code', 'incidents.content_hash', 'incidents.occurrence::text',
    ]) }} as series_key,
    incidents.snapshot_key,
    incidents.source_row,
    {{ member_key('area', 'incidents.area_code') }} as area_key,
    {{ period_key('incidents.period_kind', 'incidents.period_start_date', 'incidents.period_end_date') }} as period_key,
    incidents.incident_code,
    incidents.content_hash,
    incidents.occurrence,
    incidents.incident_region,
    incidents.migration_route,
    -- a sum or a case loses the scale, and an incremental run would then find another type than the first
    incidents.dead_persons::numeric(20, 6) as dead_persons,
    incidents.missing_persons::numeric(20, 6) as missing_persons,
    incidents.survivors_persons::numeric(20, 6) as survivors_persons,
    incidents.females_persons::numeric(20, 6) as females_persons,
    incidents.males_persons::numeric(20, 6) as males_persons,
    incidents.children_persons::numeric(20, 6) as children_persons,
    incidents.latitude,
    incidents.longitude,
    incidents.source_quality,
    incidents.value::numeric(20, 6) as value,
    incidents.obs_status,
    incidents.value_missing_reason,
    false as is_break,
    null::text as break_kind,
    -- the agency does not say which figures are final
    null::boolean as is_provisional,
    releases.capture,
    null::text as derivation
from incidents
inner join releases on {{ is_loaded('incidents') }}
where {{ not_quarantined('incidents') }}
order by incidents.period_end_date, area_key, series_key
