-- Every day from the first to the last year of which a release says something, and no day left out.
with bounds as (
    select
        date_trunc('year', min(period_start_date))::date as first_date,
        (date_trunc('year', max(period_end_date)) + interval '1 year - 1 day')::date as last_date
    from {{ ref('dim_period') }}
),

days as (
    select generate_series(first_date, last_date, interval '1 day')::date as date
    from bounds
)

select
    date,
    to_char(date, 'YYYYMMDD')::int as date_key,
    extract(year from date)::int as year,
    extract(quarter from date)::int as quarter,
    extract(month from date)::int as month,
    extract(day from date)::int as day,
    extract(isodow from date)::int as weekday,
    date_trunc('month', date)::date as month_start_date,
    date_trunc('year', date)::date as year_start_date
from days
