with successions as (
    select
        before_code,
        after_code,
        relation,
        event_kk,
        event_ru,
        event_en,
        legal_date,
        population_from_date,
        vital_events_from_date,
        internal_moves_recut_from_year,
        source
    from {{ ref('region_succession') }}
)

select
    {{ member_key('area', 'before_code') }} as before_area_key,
    {{ member_key('area', 'after_code') }} as after_area_key,
    before_code as before_area_code,
    after_code as after_area_code,
    relation,
    event_kk as event_name_kk,
    event_ru as event_name_ru,
    event_en as event_name_en,
    legal_date,
    population_from_date,
    vital_events_from_date,
    internal_moves_recut_from_year,
    source as code_source
from successions
