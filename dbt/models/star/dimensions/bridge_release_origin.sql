with releases as (
    select
        release_key,
        source_code,
        dataset,
        capture
    from {{ ref('dim_release') }}
),

periods as (
    select
        release_key,
        period_key,
        period_start_date,
        period_end_date
    from {{ ref('release_period') }}
),

origins as (
    select
        source_code,
        dataset,
        capture,
        from_year,
        to_year,
        made_by,
        licence,
        attribution,
        source
    from {{ ref('series_origin') }}
)

select
    releases.release_key,
    periods.period_key,
    origins.made_by as source_code,
    origins.licence,
    origins.attribution,
    origins.source as code_source
from releases
inner join periods on releases.release_key = periods.release_key
inner join origins
    on
        releases.source_code = origins.source_code
        and releases.dataset = origins.dataset
        and releases.capture = origins.capture
        and periods.period_start_date >= make_date(origins.from_year, 1, 1)
        and periods.period_end_date <= make_date(origins.to_year, 12, 31)
