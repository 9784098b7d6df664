with areas as (
    select
        code,
        area_kind,
        parent_code,
        iso2_code,
        iso3_code,
        m49_code,
        null::text as kato_code,
        null::text as iso_subdivision_code,
        null::text as ref_area_code,
        null::text as region_kind,
        null::date as legal_from_date,
        null::date as legal_to_date,
        null::date as extent_from_date,
        null::int as population_from_year,
        null::int as population_to_year,
        name_kk,
        name_ru,
        name_en,
        sort_order,
        source
    from {{ ref('area') }}
),

regions as (
    select
        code,
        'region'::text as area_kind,
        'KAZ'::text as parent_code,
        null::text as iso2_code,
        null::text as iso3_code,
        null::text as m49_code,
        kato_code,
        iso_code as iso_subdivision_code,
        ref_area_code,
        region_kind,
        legal_from as legal_from_date,
        legal_to as legal_to_date,
        extent_from as extent_from_date,
        population_from_year,
        population_to_year,
        name_kk,
        name_ru,
        name_en,
        sort_order,
        source
    from {{ ref('region') }}
),

members as (
    select * from areas
    union all
    select * from regions
)

select
    {{ member_key('area', 'code') }} as area_key,
    code as area_code,
    area_kind,
    {{ member_key('area', 'parent_code') }} as parent_area_key,
    parent_code as parent_area_code,
    name_kk as area_name_kk,
    name_ru as area_name_ru,
    name_en as area_name_en,
    sort_order as area_sort_order,
    iso2_code,
    iso3_code,
    m49_code,
    kato_code,
    iso_subdivision_code,
    ref_area_code,
    region_kind,
    legal_from_date,
    legal_to_date,
    extent_from_date,
    population_from_year,
    population_to_year,
    source as code_source
from members
