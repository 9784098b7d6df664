{{ config(materialized='view', alias='fct_migration_flow') }}

with fact as (
    select
        release_key,
        cube_key,
        series_key,
        snapshot_key,
        source_row,
        area_key,
        counterpart_area_key,
        period_key,
        direction,
        scope,
        sex_key,
        age_group_key,
        education_key,
        specialty_key,
        ethnicity_key,
        locality_key,
        value,
        obs_status,
        value_missing_reason,
        is_break,
        break_kind,
        is_provisional,
        capture,
        derivation
    from {{ ref('fct_migration_flow') }}
),

releases as (
    select
        release_key,
        is_current
    from {{ ref('dim_release') }}
)

select
    fact.release_key,
    fact.cube_key,
    fact.series_key,
    fact.snapshot_key,
    fact.source_row,
    fact.area_key,
    fact.counterpart_area_key,
    fact.period_key,
    fact.direction,
    fact.scope,
    fact.sex_key,
    fact.age_group_key,
    fact.education_key,
    fact.specialty_key,
    fact.ethnicity_key,
    fact.locality_key,
    fact.value,
    fact.obs_status,
    fact.value_missing_reason,
    fact.is_break,
    fact.break_kind,
    fact.is_provisional,
    fact.capture,
    fact.derivation
from fact
inner join releases on fact.release_key = releases.release_key
where releases.is_current
