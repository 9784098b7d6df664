{{ config(indexes=[{'columns': ['release_key']}, {'columns': ['origin_area_key', 'destination_area_key', 'period_key']}]) }}

with releases as (
    {{ releases_to_load() }}
),

moves as (
    select
        release_key,
        snapshot_key,
        source_row,
        cube_code,
        origin_area_code,
        destination_area_code,
        period_kind,
        period_start_date,
        period_end_date,
        value,
        obs_status,
        value_missing_reason
    from {{ ref('stg_bns__internal_matrix') }}
    where dropped_because is null
)

select
    moves.release_key,
    {{ member_key('cube', 'moves.cube_code') }} as cube_key,
    {{ content_key(["'series'", 'moves.cube_code', 'moves.origin_area_code', 'moves.destination_area_code']) }} as series_key,
    moves.snapshot_key,
    moves.source_row,
    {{ member_key('area', 'moves.origin_area_code') }} as origin_area_key,
    {{ member_key('area', 'moves.destination_area_code') }} as destination_area_key,
    {{ period_key('moves.period_kind', 'moves.period_start_date', 'moves.period_end_date') }} as period_key,
    moves.value,
    moves.obs_status,
    moves.value_missing_reason,
    -- every year is cut on the territory of today: the series has no break of its own
    false as is_break,
    null::text as break_kind,
    {{ provisional('moves.obs_status') }} as is_provisional,
    releases.capture,
    null::text as derivation
from moves
inner join releases on {{ is_loaded('moves') }}
where {{ not_quarantined('moves') }}
order by moves.period_end_date, origin_area_key, series_key
