with members as (
    select
        group_code,
        group_version,
        member_code,
        valid_from,
        valid_to,
        source
    from {{ ref('area_group') }}
)

select
    {{ member_key('area', 'group_code') }} as group_area_key,
    {{ member_key('area', 'member_code') }} as member_area_key,
    group_code as group_area_code,
    member_code as member_area_code,
    group_version,
    valid_from as valid_from_date,
    valid_to as valid_to_date,
    source as code_source
from members
