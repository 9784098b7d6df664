-- Births and natural increase, each in a column of its own. The republic is not delivered: it is the sum of its regions.
with areas as (
    select * from {{ ref('dim_area') }}
),

periods as (
    select * from {{ ref('dim_period') }}
    where period_kind = 'year'
),

regional as (
    select
        fact.area_key,
        fact.period_key,
        max(fact.value) filter (where fact.measure = 'births') as births,
        max(fact.value) filter (where fact.measure = 'natural_increase') as natural_increase,
        max(fact.value_missing_reason) filter (where fact.measure = 'births') as births_gap,
        max(fact.value_missing_reason) filter (where fact.measure = 'natural_increase') as natural_increase_gap,
        string_agg(distinct fact.break_kind, ', ') as break_kind,
        {{ preliminary('is_provisional') }} as is_provisional,
        max(fact.release_key) filter (where fact.measure = 'births') as births_release_key,
        max(fact.release_key) filter (where fact.measure = 'natural_increase') as natural_increase_release_key,
        string_agg(distinct fact.derivation, '; ') as derivation
    from {{ ref('fct_vital_event') }} as fact
    where fact.is_current and {{ totals('fact', ['sex', 'locality']) }}
    group by fact.area_key, fact.period_key
),

national as (
    select
        {{ member_key('area', "'KAZ'") }} as area_key,
        period_key,
        {{ complete_sum('births') }} as births,
        {{ complete_sum('natural_increase') }} as natural_increase,
        case when count(births) < count(*) then 'a region has no figure' end as births_gap,
        case when count(natural_increase) < count(*) then 'a region has no figure' end as natural_increase_gap,
        string_agg(distinct break_kind, ', ') as break_kind,
        {{ preliminary('is_provisional') }} as is_provisional,
        {{ only_one('births_release_key') }} as births_release_key,
        {{ only_one('natural_increase_release_key') }} as natural_increase_release_key,
        'sum of ' || count(*) || ' regions' as derivation
    from regional
    where area_key <> {{ member_key('area', "'KAZ'") }}
    group by period_key
),

events as (
    select
        regional.*,
        'leaf'::text as row_kind
    from regional
    where regional.area_key <> {{ member_key('area', "'KAZ'") }}
    union all
    select
        national.*,
        'total'::text as row_kind
    from national
)

select
    {{ labels('areas', 'area') }},
    areas.area_kind,
    {{ period_columns('periods') }},
    events.row_kind,
    events.births::bigint as births_persons,
    case when events.births is null then coalesce(events.births_gap, 'not published: births') end as births_missing_reason,
    events.natural_increase::bigint as natural_increase_persons,
    case when events.natural_increase is null then coalesce(events.natural_increase_gap, 'not published: natural increase') end
        as natural_increase_missing_reason,
    national.births::bigint as births_total_persons,
    national.natural_increase::bigint as natural_increase_total_persons,
    events.break_kind,
    events.is_provisional,
    events.derivation,
    origin.edition,
    origin.edition_label,
    origin.edition_date,
    origin.capture,
    origin.sources,
    {{ key_text('events.births_release_key') }} as births_release_key,
    {{ key_text('events.natural_increase_release_key') }} as natural_increase_release_key
from events
inner join national on events.period_key = national.period_key
inner join areas on events.area_key = areas.area_key
inner join periods on events.period_key = periods.period_key
left join lateral (
    {{ provenance('array[events.births_release_key, events.natural_increase_release_key]', 'events.period_key') }}
) as origin on true
order by areas.area_sort_order, areas.area_code, periods.period_start_date
