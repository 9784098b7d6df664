with areas as (
    select
        area_key,
        area_code,
        area_kind,
        parent_area_key,
        area_name_kk,
        area_name_ru,
        area_name_en,
        area_sort_order,
        kato_code,
        iso_subdivision_code,
        region_kind,
        legal_from_date,
        legal_to_date,
        extent_from_date,
        population_from_year,
        population_to_year
    from {{ ref('dim_area') }}
)

select
    area_key as region_key,
    area_code as region_code,
    parent_area_key as country_key,
    area_name_kk as region_name_kk,
    area_name_ru as region_name_ru,
    area_name_en as region_name_en,
    area_sort_order as sort_order,
    kato_code,
    iso_subdivision_code,
    region_kind,
    legal_from_date,
    legal_to_date,
    extent_from_date,
    population_from_year,
    population_to_year
from areas
where area_kind = 'region'
