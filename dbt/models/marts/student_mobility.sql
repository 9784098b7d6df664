-- Two measures that are never one series (uis.md 1): what hosts report by partner, and the total that the agency estimates.
-- What hosts leave out of the total is shown as not attributed; a breakdown that covers less than 0.9 of it is incomplete (uis.md 8.3).
{% set rest_of_world = member_key('area', "'W1'") %}

with areas as (
    select * from {{ ref('dim_area') }}
),

periods as (
    select * from {{ ref('dim_period') }}
),

releases as (
    select * from {{ ref('dim_release') }}
),

figures as not materialized (
    select
        'outbound'::text as direction,
        fact.origin_area_key as area_key,
        fact.host_area_key as partner_area_key,
        fact.period_key,
        fact.value,
        fact.value_missing_reason,
        fact.obs_status,
        fact.estimate_kind,
        fact.derivation,
        fact.capture,
        fact.is_provisional,
        fact.release_key,
        releases.edition,
        fact.is_current
    from {{ ref('fct_student_mobility') }} as fact
    inner join releases on fact.release_key = releases.release_key
    where releases.dataset in ('students_from_kazakhstan', 'outbound_totals')
    union all
    select
        'inbound'::text as direction,
        fact.host_area_key as area_key,
        fact.origin_area_key as partner_area_key,
        fact.period_key,
        fact.value,
        fact.value_missing_reason,
        fact.obs_status,
        fact.estimate_kind,
        fact.derivation,
        fact.capture,
        fact.is_provisional,
        fact.release_key,
        releases.edition,
        fact.is_current
    from {{ ref('fct_student_mobility') }} as fact
    inner join releases on fact.release_key = releases.release_key
    where releases.dataset in ('students_to_kazakhstan', 'inbound_and_net_flow')
    union all
    select
        'net_flow'::text as direction,
        fact.area_key,
        {{ rest_of_world }} as partner_area_key,
        fact.period_key,
        fact.value,
        fact.value_missing_reason,
        fact.obs_status,
        fact.estimate_kind,
        fact.derivation,
        fact.capture,
        fact.is_provisional,
        fact.release_key,
        releases.edition,
        fact.is_current
    from {{ ref('fct_area_indicator') }} as fact
    inner join releases on fact.release_key = releases.release_key
    where fact.indicator_key = {{ member_key('indicator', "'uis.net_flow'") }}
),

partners as (
    select
        figures.*,
        periods.year,
        sum(figures.value) over (partition by figures.area_key, figures.direction, figures.period_key) as attributed
    from figures
    inner join periods on figures.period_key = periods.period_key
    where figures.is_current and figures.partner_area_key <> {{ rest_of_world }}
),

breakdowns as (
    select
        area_key,
        direction,
        period_key,
        year,
        attributed,
        string_agg(distinct edition, '; ') as edition,
        string_agg(distinct capture, '; ') as capture
    from partners
    group by area_key, direction, period_key, year, attributed
),

totals as (
    select
        figures.*,
        breakdowns.attributed,
        breakdowns.edition as breakdown_edition,
        breakdowns.capture as breakdown_capture,
        breakdowns.area_key is not null as is_broken_down
    from figures
    left join breakdowns
        on
            figures.area_key = breakdowns.area_key
            and figures.direction = breakdowns.direction
            and figures.period_key = breakdowns.period_key
    where figures.partner_area_key = {{ rest_of_world }}
),

-- who held a tenth of a complete breakdown the year before or after cannot have fallen among the others: it did not report
lacking as (
    select
        breakdowns.area_key,
        breakdowns.direction,
        breakdowns.period_key,
        string_agg(distinct areas.area_code, ', ' order by areas.area_code) as codes
    from breakdowns
    inner join partners as neighbour
        on
            breakdowns.area_key = neighbour.area_key
            and breakdowns.direction = neighbour.direction
            and abs(breakdowns.year - neighbour.year) = 1
            and neighbour.value >= 0.1 * neighbour.attributed
    inner join totals as neighbour_total
        on
            neighbour.area_key = neighbour_total.area_key
            and neighbour.direction = neighbour_total.direction
            and neighbour.period_key = neighbour_total.period_key
            and neighbour_total.is_current
            and neighbour.attributed >= 0.9 * neighbour_total.value
    inner join areas on neighbour.partner_area_key = areas.area_key and areas.area_kind = 'country'
    left join partners as own
        on
            breakdowns.area_key = own.area_key
            and breakdowns.direction = own.direction
            and breakdowns.period_key = own.period_key
            and neighbour.partner_area_key = own.partner_area_key
    where own.value is null
    group by breakdowns.area_key, breakdowns.direction, breakdowns.period_key
),

cells as (
    select
        direction,
        area_key,
        partner_area_key,
        period_key,
        'leaf'::text as row_kind,
        value,
        value_missing_reason,
        obs_status,
        estimate_kind,
        capture,
        is_provisional,
        release_key,
        edition,
        is_current,
        derivation
    from partners
    union all
    select
        direction,
        area_key,
        {{ member_key('area', "'_X'") }} as partner_area_key,
        period_key,
        'leaf'::text as row_kind,
        case when value >= attributed then value - attributed end as value,
        case when value < attributed then 'what partners report exceeds the total' end as value_missing_reason,
        case when value < attributed then 'O' else 'E' end as obs_status,
        'derived'::text as estimate_kind,
        concat_ws('; ', breakdown_capture, nullif(capture, breakdown_capture)) as capture,
        is_provisional,
        release_key,
        concat_ws('; ', edition, nullif(breakdown_edition, edition)) as edition,
        is_current,
        'total less what partners report' || coalesce('; the total: ' || derivation, '') as derivation
    from totals
    where is_current and is_broken_down and value <> attributed
    union all
    select
        direction,
        area_key,
        partner_area_key,
        period_key,
        -- a figure that nothing breaks down is itself the smallest part; an older vintage is for comparison only
        case when is_current and not is_broken_down and direction <> 'net_flow' then 'leaf' else 'total' end as row_kind,
        value,
        value_missing_reason,
        obs_status,
        estimate_kind,
        capture,
        is_provisional,
        release_key,
        edition,
        is_current,
        derivation
    from totals
),

measured as (
    select
        cells.*,
        breakdowns.attributed,
        lacking.codes as lacking_codes,
        current_total.value as total,
        current_total.release_key as total_release_key,
        breakdowns.attributed / nullif(current_total.value, 0) as coverage,
        case
            when cells.row_kind = 'total' or breakdowns.area_key is null then 'a total has no share'
            when current_total.value is null then 'the agency has no total of this year in the current release'
            when breakdowns.attributed < 0.9 * current_total.value
                then
                    'incomplete: partners report ' || round(breakdowns.attributed / current_total.value, 3) || ' of the total'
                    || coalesce(', no figure of ' || lacking.codes, '')
            when current_total.value = 0 then 'the total is zero'
            when cells.value is null then 'the figure is missing'
        end as share_missing_reason
    from cells
    left join breakdowns
        on
            cells.area_key = breakdowns.area_key
            and cells.direction = breakdowns.direction
            and cells.period_key = breakdowns.period_key
    left join lacking
        on cells.area_key = lacking.area_key and cells.direction = lacking.direction and cells.period_key = lacking.period_key
    left join totals as current_total
        on
            cells.area_key = current_total.area_key
            and cells.direction = current_total.direction
            and cells.period_key = current_total.period_key
            and current_total.is_current
)

select
    areas.area_code,
    areas.area_name_kk,
    areas.area_name_ru,
    areas.area_name_en,
    areas.area_sort_order,
    measured.direction,
    partner.area_code as partner_code,
    partner.area_name_kk as partner_name_kk,
    partner.area_name_ru as partner_name_ru,
    partner.area_name_en as partner_name_en,
    partner.area_kind as partner_kind,
    partner.area_sort_order as partner_sort_order,
    periods.period_label,
    periods.period_kind,
    periods.period_start_date,
    periods.period_end_date,
    periods.year,
    measured.row_kind,
    measured.value::numeric(20, 6) as students,
    measured.value_missing_reason,
    measured.total::numeric(20, 6) as total_students,
    case
        when measured.share_missing_reason is null then round(100 * measured.value / measured.total, 4)
    end::numeric(12, 4) as share_pct,
    measured.share_missing_reason,
    measured.attributed::numeric(20, 6) as attributed_students,
    round(measured.coverage, 4)::numeric(12, 4) as breakdown_coverage,
    case when measured.attributed is not null then measured.coverage >= 0.9 end as is_breakdown_complete,
    measured.lacking_codes as breakdown_lacks,
    measured.estimate_kind,
    measured.obs_status,
    measured.is_provisional,
    measured.edition,
    measured.is_current,
    measured.derivation,
    measured.capture,
    concat_ws('; ', releases.licence, nullif(total_release.licence, releases.licence)) as licence,
    concat_ws('; ', releases.attribution, nullif(total_release.attribution, releases.attribution)) as attribution,
    measured.release_key,
    measured.total_release_key
from measured
inner join areas on measured.area_key = areas.area_key
inner join areas as partner on measured.partner_area_key = partner.area_key
inner join periods on measured.period_key = periods.period_key
inner join releases on measured.release_key = releases.release_key
left join releases as total_release on measured.total_release_key = total_release.release_key
order by areas.area_sort_order, measured.direction, periods.year, partner.area_sort_order, measured.edition
