with releases as (
    select
        release_key,
        source,
        dataset,
        slice,
        edition,
        rank,
        rank_basis,
        capture,
        licence,
        attribution
    from {{ source('meta', 'release') }}
),

written as (
    select
        release_key,
        -- as agencies write it: 2026-04-30, 20250416-f6707727, with a time, or behind a word
        replace(substring(edition from '\d{4}-\d{2}-\d{2}|^\d{8}(?=-)'), '-', '') as digits
    from releases
),

-- digits are a date if month and day are some: PostgreSQL 15 cannot be asked for less
months as (
    select
        release_key,
        substring(digits from 7)::int as day_of_month,
        case
            when left(digits, 4) > '0000' and substring(digits from 5 for 2) between '01' and '12'
                then make_date(left(digits, 4)::int, substring(digits from 5 for 2)::int, 1)
        end as first_day
    from written
),

dated as (
    select
        release_key,
        case
            when day_of_month between 1 and extract(day from first_day + interval '1 month' - interval '1 day')
                then first_day + day_of_month - 1
        end as edition_date
    from months
),

candidate as (
    select
        release_key,
        is_current
    from {{ source('meta', 'candidate_release') }}
)

select
    releases.release_key,
    {{ key_text('releases.release_key') }} as release_code,
    releases.source as source_code,
    releases.dataset,
    releases.slice,
    releases.edition,
    case
        when dated.edition_date is null then releases.edition
        when releases.edition like 'retrieved %' then 'retrieved ' || to_char(dated.edition_date, 'YYYY-MM-DD')
        else to_char(dated.edition_date, 'YYYY-MM-DD')
    end as edition_label,
    dated.edition_date,
    releases.rank,
    releases.rank_basis,
    releases.capture,
    releases.licence,
    releases.attribution,
    candidate.is_current
from releases
inner join dated on releases.release_key = dated.release_key
inner join candidate on releases.release_key = candidate.release_key
