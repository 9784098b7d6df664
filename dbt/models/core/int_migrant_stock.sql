{{ config(indexes=[{'columns': ['release_key']}, {'columns': ['origin_area_key', 'residence_area_key', 'period_key', 'value']}]) }}

with releases as (
    {{ releases_to_load() }}
),

stocks as (
    select
        release_key,
        snapshot_key,
        source_row,
        cube_code,
        residence_area_code,
        origin_area_code,
        period_kind,
        period_start_date,
        period_end_date,
        sex_code,
        '_T'::text as age_group_code,
        population_basis,
        definition,
        estimate_kind,
        value,
        obs_status,
        value_missing_reason
    from {{ ref('stg_undesa__stock') }}
    where
        dataset in ('stock_by_destination_and_origin', 'stock_by_destination')
        and dropped_because is null
)

select
    stocks.release_key,
    {{ member_key('cube', 'stocks.cube_code') }} as cube_key,
    {{ content_key([
        "'series'", 'stocks.cube_code', 'stocks.residence_area_code', 'stocks.origin_area_code', 'stocks.sex_code',
        'stocks.age_group_code',
    ]) }} as series_key,
    stocks.snapshot_key,
    stocks.source_row,
    {{ member_key('area', 'stocks.residence_area_code') }} as residence_area_key,
    {{ member_key('area', 'stocks.origin_area_code') }} as origin_area_key,
    {{ period_key('stocks.period_kind', 'stocks.period_start_date', 'stocks.period_end_date') }} as period_key,
    {{ member_key('sex', 'stocks.sex_code') }} as sex_key,
    {{ member_key('age_group', 'stocks.age_group_code') }} as age_group_key,
    stocks.population_basis,
    stocks.definition,
    stocks.estimate_kind,
    stocks.value,
    stocks.obs_status,
    stocks.value_missing_reason,
    false as is_break,
    null::text as break_kind,
    -- the agency does not say which figures are final
    null::boolean as is_provisional,
    releases.capture,
    null::text as derivation
from stocks
inner join releases on {{ is_loaded('stocks') }}
where {{ not_quarantined('stocks') }}
order by stocks.period_end_date, residence_area_key, series_key
