-- The populations at both ends of a year as one edition has them: each vintage beside the others, never mixed with another one.
with confirmations as (
    select
        release_key,
        edition,
        rank
    from {{ source('meta', 'confirmation') }}
),

releases as (
    select
        release_key,
        edition,
        rank,
        rank_basis
    from {{ ref('dim_release') }}
),

-- a slice that an edition says again stands under the release that said it first: it is of both editions
editions as (
    select
        release_key,
        edition,
        rank,
        rank_basis
    from releases
    union
    select
        releases.release_key,
        confirmations.edition,
        confirmations.rank,
        'agency'::text as rank_basis
    from releases
    inner join confirmations on releases.release_key = confirmations.release_key
),

-- an edition that its agency corrected, or that is read anew, says its last word
stocks as (
    select distinct on (fact.area_key, fact.period_key, editions.edition)
        fact.area_key,
        fact.period_key,
        periods.period_start_date as reference_date,
        fact.value,
        fact.is_provisional,
        fact.capture,
        fact.derivation,
        fact.break_kind,
        fact.release_key,
        editions.edition,
        editions.rank,
        editions.rank_basis,
        {{ territory_cut('editions') }} as territory_cut
    from {{ ref('fct_population') }} as fact
    inner join {{ ref('dim_period') }} as periods on fact.period_key = periods.period_key
    inner join editions on fact.release_key = editions.release_key
    where
        fact.value is not null
        and fact.cube_key = {{ member_key('cube', "'bns.population.region'") }}
        and {{ totals('fact', ['sex', 'age_group', 'ethnicity', 'locality']) }}
    order by fact.area_key asc, fact.period_key asc, editions.edition asc, editions.rank_basis = 'agency' desc, editions.rank desc
)

select
    at_start.area_key,
    at_start.reference_date as period_start_date,
    at_end.reference_date - 1 as period_end_date,
    at_start.value as population_start,
    at_end.value as population_end,
    -- the mean of two territories is no population of either
    case when coalesce(at_end.break_kind, '') not like '%territory%' then (at_start.value + at_end.value) / 2 end as population_mean,
    at_end.break_kind,
    case
        when at_start.is_provisional or at_end.is_provisional then true
        when at_start.is_provisional is false and at_end.is_provisional is false then false
    end as is_provisional,
    at_start.release_key as start_release_key,
    at_end.release_key as end_release_key,
    at_start.period_key as start_period_key,
    at_end.period_key as end_period_key,
    at_start.is_provisional as start_is_provisional,
    at_end.is_provisional as end_is_provisional,
    at_start.capture as start_capture,
    at_end.capture as end_capture,
    at_start.derivation as start_derivation,
    at_end.derivation as end_derivation,
    at_start.edition,
    at_start.territory_cut,
    row_number() over (
        partition by at_start.area_key, at_start.reference_date
        order by at_start.rank_basis = 'agency' desc, greatest(at_start.rank, at_end.rank) desc
    ) = 1 as is_latest
from stocks as at_start
inner join stocks as at_end
    on
        at_start.area_key = at_end.area_key
        and at_start.edition = at_end.edition
        and at_end.reference_date = (at_start.reference_date + interval '1 year')::date
