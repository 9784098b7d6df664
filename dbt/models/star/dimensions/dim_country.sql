with areas as (
    select
        area_key,
        area_code,
        area_kind,
        area_name_kk,
        area_name_ru,
        area_name_en,
        area_sort_order,
        iso2_code,
        iso3_code,
        m49_code,
        un_region_code,
        un_region_name_kk,
        un_region_name_ru,
        un_region_name_en,
        un_subregion_code,
        un_subregion_name_kk,
        un_subregion_name_ru,
        un_subregion_name_en
    from {{ ref('dim_area') }}
)

select
    area_key as country_key,
    area_code as country_code,
    area_name_kk as country_name_kk,
    area_name_ru as country_name_ru,
    area_name_en as country_name_en,
    area_sort_order as sort_order,
    iso2_code,
    iso3_code,
    m49_code,
    un_region_code,
    un_region_name_kk,
    un_region_name_ru,
    un_region_name_en,
    un_subregion_code,
    un_subregion_name_kk,
    un_subregion_name_ru,
    un_subregion_name_en
from areas
where area_kind = 'country'
