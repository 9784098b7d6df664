{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='release_key',
    on_schema_change='fail',
) }}

with releases as (
    {{ releases_to_load() }}
),

observed as (
    select
        release_key,
        snapshot_key,
        source_row,
        period_kind,
        period_start_date,
        period_end_date
    from {{ ref('stg_bns__external_migration') }}
    union all
    select
        release_key,
        snapshot_key,
        source_row,
        period_kind,
        period_start_date,
        period_end_date
    from {{ ref('stg_bns__population') }}
),

final as (
    select distinct
        observed.release_key,
        {{ period_key('observed.period_kind', 'observed.period_start_date', 'observed.period_end_date') }} as period_key,
        observed.period_kind,
        observed.period_start_date,
        observed.period_end_date
    from observed
    inner join releases on observed.release_key = releases.release_key
    where {{ not_quarantined('observed') }}
)

select
    release_key,
    period_key,
    period_kind,
    period_start_date,
    period_end_date
from final
order by period_end_date, period_key
