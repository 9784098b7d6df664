with observed as (
    select
        periods.period_kind,
        periods.period_start_date,
        periods.period_end_date
    from {{ ref('release_period') }} as periods
    inner join {{ ref('dim_release') }} as releases on periods.release_key = releases.release_key
),

ranges as (
    select
        'range'::text as period_kind,
        make_date(start_year, 1, 1) as period_start_date,
        make_date(end_year, 12, 31) as period_end_date
    from {{ ref('period_range') }}
),

-- what has come since a year, less what came of the year that it ends in, is what had come at its start (repatriation_by_year)
until_the_year as (
    select
        period_kind,
        period_start_date,
        make_date(extract(year from period_end_date)::int - 1, 12, 31) as period_end_date
    from observed
    where
        period_kind = 'range' and to_char(period_start_date, 'MMDD') = '0101'
        and extract(year from period_end_date) > extract(year from period_start_date)
),

members as (
    select
        period_kind,
        period_start_date,
        period_end_date
    from observed
    union
    select
        period_kind,
        period_start_date,
        period_end_date
    from ranges
    union
    select
        period_kind,
        period_start_date,
        period_end_date
    from until_the_year
)

select
    {{ period_key('period_kind', 'period_start_date', 'period_end_date') }} as period_key,
    {{ key_text(period_key('period_kind', 'period_start_date', 'period_end_date')) }} as period_code,
    period_kind,
    period_start_date,
    period_end_date,
    -- a range belongs to no single year
    case when period_kind <> 'range' then extract(year from period_end_date)::int end as year,
    case
        when period_kind = 'year' then to_char(period_end_date, 'YYYY')
        when period_kind = 'instant' then to_char(period_end_date, 'YYYY-MM-DD')
        when period_kind = 'month' then to_char(period_start_date, 'YYYY-MM')
        -- whole months: a range that begins or ends with a year names that year alone
        when extract(day from period_start_date) = 1 and extract(day from period_end_date + 1) = 1
            then
                to_char(
                    period_start_date,
                    case when period_kind = 'range' and to_char(period_start_date, 'MMDD') = '0101' then 'YYYY' else 'YYYY-MM' end
                )
                || '–'
                || to_char(
                    period_end_date,
                    case when period_kind = 'range' and to_char(period_end_date, 'MMDD') = '1231' then 'YYYY' else 'YYYY-MM' end
                )
        else to_char(period_start_date, 'YYYY-MM-DD') || '/' || to_char(period_end_date, 'YYYY-MM-DD')
    end as period_label
from members
