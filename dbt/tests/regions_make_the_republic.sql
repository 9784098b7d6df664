{{ config(tags=['pub'], meta={'reads': ['bns.population']}) }}
-- Within a release the regions sum to the republic; rural tables have no rows for the three cities, and the sum still holds.
with stocks as (
    select
        fact.release_key,
        fact.period_key,
        fact.sex_key,
        fact.locality_key,
        areas.area_kind,
        fact.value
    from {{ ref('pub_fct_population_vintage') }} as fact
    inner join {{ ref('dim_area') }} as areas on fact.area_key = areas.area_key
)

select
    release_key,
    period_key,
    sex_key,
    locality_key,
    sum(value) filter (where area_kind = 'country') as republic_persons,
    sum(value) filter (where area_kind = 'region') as regions_persons
from stocks
group by release_key, period_key, sex_key, locality_key
-- a missing part makes the comparison void, not false
having
    count(*) filter (where area_kind = 'country') = 1
    and sum(value) filter (where area_kind = 'country') <> sum(value) filter (where area_kind = 'region')
