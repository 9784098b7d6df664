-- Moves from region to region, on the territory of today; region_migration has all internal moves, those inside a region as well.
with moves as (
    select * from {{ ref('fct_internal_move') }}
    where is_current
),

areas as (
    select * from {{ ref('dim_area') }}
),

periods as (
    select * from {{ ref('dim_period') }}
    where period_kind = 'year'
)

select
    {{ labels('origins', 'area', 'origin') }},
    {{ labels('destinations', 'area', 'destination') }},
    {{ period_columns('periods') }},
    moves.value::bigint as persons,
    moves.value_missing_reason,
    sum(moves.value) over (partition by moves.period_key)::bigint as total_persons,
    {{ share_pct('moves.value', 'sum(moves.value) over (partition by moves.period_key)') }} as share_pct,
    {{ share_pct('moves.value', 'sum(moves.value) over (partition by moves.period_key, moves.origin_area_key)') }} as share_of_origin_pct,
    case
        when moves.value is not null then rank() over (partition by moves.period_key order by moves.value desc nulls last)
    end::integer as persons_rank,
    count(moves.value) over (partition by moves.period_key)::integer as ranked_corridors,
    moves.obs_status,
    moves.is_provisional,
    origin.edition,
    origin.edition_label,
    origin.edition_date,
    origin.capture,
    origin.sources,
    {{ key_text('moves.release_key') }} as release_key
from moves
inner join areas as origins on moves.origin_area_key = origins.area_key
inner join areas as destinations on moves.destination_area_key = destinations.area_key
inner join periods on moves.period_key = periods.period_key
left join lateral (
    {{ provenance('array[moves.release_key]', 'moves.period_key') }}
) as origin on true
order by periods.period_start_date, origins.area_sort_order, destinations.area_sort_order
