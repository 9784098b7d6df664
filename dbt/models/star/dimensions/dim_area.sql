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
    {{ member_key('area', 'members.code') }} as area_key,
    members.code as area_code,
    members.area_kind,
    {{ member_key('area', 'members.parent_code') }} as parent_area_key,
    members.parent_code as parent_area_code,
    members.name_kk as area_name_kk,
    members.name_ru as area_name_ru,
    members.name_en as area_name_en,
    members.sort_order as area_sort_order,
    members.iso2_code,
    members.iso3_code,
    members.m49_code,
    members.kato_code,
    members.iso_subdivision_code,
    members.ref_area_code,
    members.region_kind,
    members.legal_from_date,
    members.legal_to_date,
    members.extent_from_date,
    members.population_from_year,
    members.population_to_year,
    coalesce(members.iso_subdivision_code, members.iso3_code) as area_iso_code,
    regions_of_un.code as un_region_code,
    regions_of_un.name_kk as un_region_name_kk,
    regions_of_un.name_ru as un_region_name_ru,
    regions_of_un.name_en as un_region_name_en,
    subregions.code as un_subregion_code,
    subregions.name_kk as un_subregion_name_kk,
    subregions.name_ru as un_subregion_name_ru,
    subregions.name_en as un_subregion_name_en,
    members.source as code_source
from members
left join {{ ref('country_un_region') }} as places on members.code = places.code
left join {{ ref('un_region') }} as subregions on places.un_subregion_code = subregions.code
left join {{ ref('un_region') }} as regions_of_un on subregions.parent_code = regions_of_un.code
