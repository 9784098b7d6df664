-- Every year from the first to the last of which a release says something, and none left out: a series has a gap where it has no figure.
with bounds as (
    select
        extract(year from min(period_start_date))::int as first_year,
        extract(year from max(period_end_date))::int as last_year
    from {{ ref('dim_period') }}
),

years as (
    select generate_series(first_year, last_year) as year
    from bounds
)

select
    year,
    make_date(year, 1, 1) as year_start_date,
    make_date(year, 12, 31) as year_end_date,
    year::text as year_label
from years
