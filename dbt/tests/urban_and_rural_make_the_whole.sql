{{ config(tags=['pub'], meta={'reads': ['bns.population']}) }}
-- U + R of each sex = the same sex in bns.population.region_sex, within one edition. The three cities have no rural part.
with stocks as (
    select
        fact.area_key,
        fact.period_key,
        fact.sex_key,
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
        sex_key,
        edition,
        value
    from stocks
    where cube_key = {{ member_key('cube', "'bns.population.region_sex'") }}
),

parts as (
    select
        area_key,
        period_key,
        sex_key,
        edition,
        sum(value) as value
    from stocks
    where cube_key = {{ member_key('cube', "'bns.population.region_sex_locality'") }}
    group by area_key, period_key, sex_key, edition
)

select
    whole.area_key,
    whole.period_key,
    whole.sex_key,
    whole.edition,
    whole.value as whole_persons,
    parts.value as urban_and_rural_persons
from whole
inner join parts
    on
        whole.area_key = parts.area_key
        and whole.period_key = parts.period_key
        and whole.sex_key = parts.sex_key
        and whole.edition = parts.edition
where whole.value <> parts.value
