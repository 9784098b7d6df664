with cubes as (
    select
        code,
        source_code,
        dataset,
        source_table_id,
        unit_as_sourced,
        universe,
        parent_code,
        complete_partitions,
        name_kk,
        name_ru,
        name_en,
        sort_order,
        source
    from {{ ref('cube') }}
    {{ cubes_of_contracts() }}
)

select
    {{ member_key('cube', 'code') }} as cube_key,
    code as cube_code,
    name_kk as cube_name_kk,
    name_ru as cube_name_ru,
    name_en as cube_name_en,
    sort_order,
    source_code,
    dataset,
    source_table_id,
    unit_as_sourced,
    universe,
    {{ member_key('cube', 'parent_code') }} as parent_cube_key,
    complete_partitions,
    source as code_source
from cubes
