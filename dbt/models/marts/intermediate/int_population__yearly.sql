-- The populations at both ends of a year as they were known at one time: each vintage beside the others, never mixed with a later one.
with stocks as (
    select
        fact.area_key,
        periods.period_start_date as reference_date,
        fact.value,
        fact.is_provisional,
        fact.derivation,
        fact.break_kind,
        fact.release_key,
        releases.edition,
        releases.rank
    from {{ ref('fct_population') }} as fact
    inner join {{ ref('dim_period') }} as periods on fact.period_key = periods.period_key
    inner join {{ ref('dim_release') }} as releases on fact.release_key = releases.release_key
    where
        fact.value is not null
        and fact.cube_key = {{ member_key('cube', "'bns.population.region'") }}
        and {{ totals('fact', ['sex', 'age_group', 'ethnicity', 'locality']) }}
),

-- of each point the vintages, each valid until the next one
vintages as (
    select
        stocks.*,
        lead(stocks.rank) over (partition by stocks.area_key, stocks.reference_date order by stocks.rank, stocks.release_key) as next_rank
    from stocks
),

pairs as (
    select
        at_start.area_key,
        at_start.reference_date as period_start_date,
        (at_end.reference_date - 1) as period_end_date,
        at_start.value as population_start,
        at_end.value as population_end,
        at_end.break_kind,
        at_start.is_provisional as start_is_provisional,
        at_end.is_provisional as end_is_provisional,
        at_start.release_key as start_release_key,
        at_end.release_key as end_release_key,
        at_start.derivation as start_derivation,
        at_end.derivation as end_derivation,
        case
            when at_start.edition = at_end.edition then at_end.edition
            else at_start.edition || '; ' || at_end.edition
        end as edition,
        greatest(at_start.rank, at_end.rank) as rank
    from vintages as at_start
    inner join vintages as at_end
        on
            at_start.area_key = at_end.area_key
            and at_end.reference_date = (at_start.reference_date + interval '1 year')::date
            -- both were the latest word at one time
            and (at_end.next_rank is null or at_start.rank < at_end.next_rank)
            and (at_start.next_rank is null or at_end.rank < at_start.next_rank)
)

select
    area_key,
    period_start_date,
    period_end_date,
    population_start,
    population_end,
    (population_start + population_end) / 2 as population_mean,
    break_kind,
    case
        when start_is_provisional or end_is_provisional then true
        when start_is_provisional is false and end_is_provisional is false then false
    end as is_provisional,
    start_release_key,
    end_release_key,
    nullif(
        concat_ws(
            '; ',
            period_start_date::text || ': ' || start_derivation,
            (period_end_date + 1)::text || ': ' || end_derivation
        ),
        ''
    ) as derivation,
    edition,
    rank,
    row_number() over (partition by area_key, period_start_date order by rank desc) = 1 as is_latest
from pairs
