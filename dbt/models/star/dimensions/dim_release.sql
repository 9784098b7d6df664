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

dated as (
    select
        release_key,
        -- as agencies write it: 2026-04-30, 20250416-f6707727, with a time, or behind a word
        replace(substring(edition from '\d{4}-\d{2}-\d{2}|^\d{8}(?=-)'), '-', '') as digits
    from releases
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
        when not pg_input_is_valid(dated.digits, 'date') or dated.digits is null then releases.edition
        when releases.edition like 'retrieved %' then 'retrieved ' || to_char(dated.digits::date, 'YYYY-MM-DD')
        else to_char(dated.digits::date, 'YYYY-MM-DD')
    end as edition_label,
    case when pg_input_is_valid(dated.digits, 'date') then dated.digits::date end as edition_date,
    releases.rank,
    releases.rank_basis,
    releases.capture,
    releases.licence,
    releases.attribution,
    candidate.is_current
from releases
inner join dated on releases.release_key = dated.release_key
inner join candidate on releases.release_key = candidate.release_key
