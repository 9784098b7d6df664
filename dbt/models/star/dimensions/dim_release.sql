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

candidate as (
    select
        release_key,
        is_current
    from {{ source('meta', 'candidate_release') }}
)

select
    releases.release_key,
    releases.source as source_code,
    releases.dataset,
    releases.slice,
    releases.edition,
    releases.rank,
    releases.rank_basis,
    releases.capture,
    releases.licence,
    releases.attribution,
    candidate.is_current
from releases
inner join candidate on releases.release_key = candidate.release_key
