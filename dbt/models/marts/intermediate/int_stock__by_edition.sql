-- Both tables of an edition give the stock of a residence from all origins: that by destination is the agency's own total.
with releases as (
    select * from {{ ref('dim_release') }}
),

ranked as (
    select
        fact.*,
        releases.edition,
        row_number() over (
            partition by releases.edition, fact.residence_area_key, fact.origin_area_key, fact.period_key, fact.sex_key
            order by case releases.dataset when 'stock_by_destination' then 1 else 2 end, releases.rank desc
        ) as preference
    from {{ ref('fct_migrant_stock') }} as fact
    inner join releases on fact.release_key = releases.release_key
)

select
    ranked.edition,
    ranked.residence_area_key,
    ranked.origin_area_key,
    ranked.period_key,
    ranked.sex_key,
    ranked.value,
    ranked.value_missing_reason,
    ranked.obs_status,
    ranked.population_basis,
    ranked.definition,
    ranked.estimate_kind,
    ranked.is_provisional,
    ranked.is_current,
    ranked.capture,
    ranked.release_key,
    ranked.edition = max(ranked.edition) over () as is_newest_edition,
    ranked.residence_area_key = {{ member_key('area', "'WLD'") }} as is_world_residence,
    ranked.origin_area_key = {{ member_key('area', "'WLD'") }} as is_world_origin
from ranked
where ranked.preference = 1
