{{ config(tags=['pub'], meta={'reads': ['bns.population']}) }}
-- M + F of bns.population.region_sex = bns.population.region, within one edition: across editions a revision may lie between.
with stocks as (
    select
        fact.area_key,
        fact.period_key,
        fact.cube_key,
        releases.edition,
        fact.value
    from {{ ref('pub_fct_population_vintage') }} as fact
    inner join {{ ref('dim_release') }} as releases on fact.release_key = releases.release_key
    where fact.value is not null
),

whole as (
    select
        area_key,
        period_key,
        edition,
        value
    from stocks
    where cube_key = {{ member_key('cube', "'bns.population.region'") }}
),

parts as (
    select
        area_key,
        period_key,
        edition,
        sum(value) as value
    from stocks
    where cube_key = {{ member_key('cube', "'bns.population.region_sex'") }}
    group by area_key, period_key, edition
)

select
    whole.area_key,
    whole.period_key,
    whole.edition,
    whole.value as whole_persons,
    parts.value as men_and_women_persons
from whole
inner join parts
    on whole.area_key = parts.area_key and whole.period_key = parts.period_key and whole.edition = parts.edition
where whole.value <> parts.value
