{{ config(indexes=[{'columns': ['release_key']}, {'columns': ['area_key', 'counterpart_area_key', 'period_key']}]) }}

with releases as (
    {{ releases_to_load() }}
),

observed as (
    {% for view in [
        'stg_bns__external_migration', 'stg_bns__net_migration', 'stg_bns__internal_by_region', 'stg_bns__printed_flow',
        'stg_cisstat__external_flows',
    ] -%}
        select
            release_key,
            dataset,
            snapshot_key,
            source_row,
            cube_code,
            area_code,
            counterpart_area_code,
            period_kind,
            period_start_date,
            period_end_date,
            direction,
            scope,
            sex_code,
            age_group_code,
            education_code,
            specialty_code,
            ethnicity_code,
            locality_code,
            value,
            obs_status,
            value_missing_reason,
            null::text as derivation
        from {{ ref(view) }}
        where dropped_because is null
        {% if not loop.last -%}
            union all
        {% endif -%}
    {% endfor -%}
),

cities as (
    select code from {{ ref('region') }}
    where region_kind = 'city'
),

delivered as (
    select observed.*
    from observed
    inner join releases on {{ is_loaded('observed') }}
    where {{ not_quarantined('observed') }}
),

flows as (
    select * from delivered
    union all
    -- A city of republican significance has no rural part: where its total is not delivered, the urban part is the total.
    select
        release_key,
        dataset,
        snapshot_key,
        source_row,
        cube_code,
        area_code,
        counterpart_area_code,
        period_kind,
        period_start_date,
        period_end_date,
        direction,
        scope,
        sex_code,
        age_group_code,
        education_code,
        specialty_code,
        ethnicity_code,
        '_T'::text as locality_code,
        value,
        obs_status,
        value_missing_reason,
        'the urban part, for the city has no rural one' as derivation
    from delivered as urban
    where
        locality_code = 'U'
        and area_code in (select cities.code from cities)
        and not exists (
            select 1
            from observed as other
            where
                other.release_key = urban.release_key
                and other.cube_code = urban.cube_code
                and other.area_code = urban.area_code
                and other.period_start_date = urban.period_start_date
                and other.direction = urban.direction
                and other.locality_code in ('_T', 'R')
        )
),

breaks as (
    {{ series_breaks() }}
)

select
    flows.release_key,
    {{ member_key('cube', 'flows.cube_code') }} as cube_key,
    {{ content_key([
        "'series'", 'flows.cube_code', 'flows.area_code', 'flows.counterpart_area_code', 'flows.direction', 'flows.scope',
        'flows.sex_code', 'flows.age_group_code', 'flows.education_code', 'flows.specialty_code', 'flows.ethnicity_code',
        'flows.locality_code',
    ]) }} as series_key,
    flows.snapshot_key,
    flows.source_row,
    {{ member_key('area', 'flows.area_code') }} as area_key,
    {{ member_key('area', 'flows.counterpart_area_code') }} as counterpart_area_key,
    {{ period_key('flows.period_kind', 'flows.period_start_date', 'flows.period_end_date') }} as period_key,
    flows.direction,
    flows.scope,
    {{ member_key('sex', 'flows.sex_code') }} as sex_key,
    {{ member_key('age_group', 'flows.age_group_code') }} as age_group_key,
    {{ member_key('education', 'flows.education_code') }} as education_key,
    {{ member_key('specialty', 'flows.specialty_code') }} as specialty_key,
    {{ member_key('ethnicity', 'flows.ethnicity_code') }} as ethnicity_key,
    {{ member_key('locality', 'flows.locality_code') }} as locality_key,
    flows.value,
    flows.obs_status,
    flows.value_missing_reason,
    breaks.break_kind is not null as is_break,
    breaks.break_kind,
    {{ provisional('flows.obs_status') }} as is_provisional,
    releases.capture,
    flows.derivation
from flows
inner join releases on {{ is_loaded('flows') }}
left join breaks
    on
        flows.dataset = breaks.dataset
        and flows.area_code = breaks.area_code
        and flows.period_start_date = breaks.break_date
        and flows.value is not null
order by flows.period_end_date, area_key, series_key
