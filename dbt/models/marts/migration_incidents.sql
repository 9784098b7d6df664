-- Equal objects that are filed again are no further incidents: they stand aside, and what the agency counts of them, each time, is the
-- measure as published, in the row of the first.
with areas as (
    select * from {{ ref('dim_area') }}
),

periods as (
    select * from {{ ref('dim_period') }}
),

releases as (
    select * from {{ ref('dim_release') }}
),

incidents as (
    select
        fact.*,
        sum(fact.value) over (partition by fact.release_key, fact.incident_code, fact.content_hash) as published
    from {{ ref('fct_migration_incident') }} as fact
    where fact.is_current
)

select
    incidents.incident_code,
    incidents.occurrence,
    incidents.occurrence > 1 as is_duplicate,
    {{ labels('areas', 'area') }},
    periods.period_label,
    periods.period_kind,
    periods.period_start_date,
    periods.period_end_date,
    periods.year,
    case when incidents.occurrence > 1 then 'subtotal' else 'leaf' end as row_kind,
    incidents.dead_persons::bigint as dead_persons,
    incidents.missing_persons::bigint as missing_persons,
    incidents.value::bigint as dead_and_missing_persons,
    case when incidents.occurrence = 1 then incidents.published end::bigint as published_dead_and_missing_persons,
    incidents.value_missing_reason,
    incidents.survivors_persons::bigint as survivors_persons,
    incidents.females_persons::bigint as females_persons,
    incidents.males_persons::bigint as males_persons,
    incidents.children_persons::bigint as children_persons,
    incidents.latitude,
    incidents.longitude,
    incidents.incident_region,
    incidents.migration_route,
    incidents.source_quality,
    incidents.obs_status,
    incidents.is_provisional,
    releases.edition,
    releases.edition_label,
    releases.edition_date,
    incidents.capture,
    releases.source_code as sources,
    {{ key_text('incidents.release_key') }} as release_key,
    {{ key_text('incidents.series_key') }} as incident_key
from incidents
inner join areas on incidents.area_key = areas.area_key
inner join periods on incidents.period_key = periods.period_key
inner join releases on incidents.release_key = releases.release_key
order by periods.period_start_date, incidents.incident_code, incidents.occurrence
