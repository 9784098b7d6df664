-- Students of a country by host, and those that a country hosts by origin. What partners leave out of the total is not attributed to any;
-- a breakdown that covers less than 0.9 of the total is incomplete (uis.md 8.3). Where no total is at hand, parts make no whole.
{% set all_countries = member_key('area', "'W1'") %}

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
        directions.direction,
        case directions.direction when 'outbound' then fact.origin_area_key else fact.host_area_key end as area_key,
        case directions.direction when 'outbound' then fact.host_area_key else fact.origin_area_key end as partner_area_key,
        fact.period_key,
        round(fact.value, 1) as value,
        fact.value_missing_reason,
        fact.obs_status,
        fact.estimate_kind,
        fact.derivation,
        fact.is_provisional,
        fact.release_key,
        directions.is_total
    from {{ ref('fct_student_mobility') }} as fact
    inner join releases on fact.release_key = releases.release_key
    inner join (
        values
        ('students_from_kazakhstan', 'outbound', false),
        ('outbound_totals', 'outbound', true),
        ('students_to_kazakhstan', 'inbound', false),
        ('inbound_and_net_flow', 'inbound', true)
    ) as directions (dataset, direction, is_total) on releases.dataset = directions.dataset
    where fact.is_current
),

partners as (
    select
        figures.*,
        periods.year,
        sum(figures.value) over (partition by figures.direction, figures.area_key, figures.period_key) as reported
    from figures
    inner join periods on figures.period_key = periods.period_key
    where not figures.is_total
),

parts as (
    select
        direction,
        area_key,
        period_key,
        max(reported) as reported,
        max(release_key) as release_key
    from partners
    group by direction, area_key, period_key
),

totals as (
    select * from figures
    where is_total and partner_area_key = {{ all_countries }} and (direction, area_key) in (select
        parts.direction,
        parts.area_key
    from parts)
),

-- of the countries that are broken down at all, each year that has a total or a part
years as (
    select
        coalesce(totals.direction, parts.direction) as direction,
        coalesce(totals.area_key, parts.area_key) as area_key,
        coalesce(totals.period_key, parts.period_key) as period_key,
        totals.value as total,
        totals.value_missing_reason,
        totals.obs_status,
        totals.estimate_kind,
        totals.derivation,
        totals.is_provisional,
        totals.release_key,
        parts.reported,
        parts.release_key as parts_release_key,
        parts.reported / nullif(totals.value, 0) as coverage
    from totals
    full join parts
        on totals.direction = parts.direction and totals.area_key = parts.area_key and totals.period_key = parts.period_key
),

-- who held a tenth of a complete breakdown the year before or after cannot have fallen among the others: it did not report
lacking as materialized (
    select
        years.direction,
        years.area_key,
        years.period_key,
        string_agg(distinct areas.area_code, ', ' order by areas.area_code) as codes
    from years
    inner join periods on years.period_key = periods.period_key
    inner join partners as neighbour
        on
            years.direction = neighbour.direction
            and years.area_key = neighbour.area_key
            and abs(periods.year - neighbour.year) = 1
            and neighbour.value >= 0.1 * neighbour.reported
    inner join years as neighbour_year
        on
            neighbour.direction = neighbour_year.direction
            and neighbour.area_key = neighbour_year.area_key
            and neighbour.period_key = neighbour_year.period_key
            and neighbour_year.coverage >= 0.9
    inner join areas on neighbour.partner_area_key = areas.area_key and areas.area_kind = 'country'
    left join partners as own
        on
            years.direction = own.direction
            and years.area_key = own.area_key
            and years.period_key = own.period_key
            and neighbour.partner_area_key = own.partner_area_key
    where own.value is null
    group by years.direction, years.area_key, years.period_key
),

cells as (
    select
        direction,
        area_key,
        partner_area_key,
        period_key,
        false as is_total,
        value,
        value_missing_reason,
        obs_status,
        estimate_kind,
        derivation,
        is_provisional,
        release_key
    from partners
    union all
    select
        direction,
        area_key,
        {{ member_key('area', "'_X'") }} as partner_area_key,
        period_key,
        false as is_total,
        case when total >= coalesce(reported, 0) then total - coalesce(reported, 0) end as value,
        case when total < reported then 'what partners report exceeds the total' end as value_missing_reason,
        case when total < reported then 'O' else 'E' end as obs_status,
        'derived' as estimate_kind,
        'total less what partners report' || coalesce('; the total: ' || derivation, '') as derivation,
        is_provisional,
        release_key
    from years
    where total is not null and total is distinct from reported
    union all
    select
        direction,
        area_key,
        {{ all_countries }} as partner_area_key,
        period_key,
        true as is_total,
        total as value,
        value_missing_reason,
        obs_status,
        estimate_kind,
        derivation,
        is_provisional,
        release_key
    from years
    where release_key is not null
)

select
    cells.direction,
    cells.area_key,
    cells.partner_area_key,
    cells.period_key,
    case
        when cells.is_total then 'total'
        when years.total is null then 'subtotal'
        else 'leaf'
    end as row_kind,
    cells.value,
    cells.value_missing_reason,
    years.total,
    case when not cells.is_total and years.coverage >= 0.9 then 100 * cells.value / years.total end as share,
    case
        when cells.is_total then 'a total has no share'
        when years.total is null then 'the agency has no total of this year in the current release'
        when years.total = 0 then 'the total is zero'
        when coalesce(years.coverage, 0) < 0.9
            then
                'incomplete: partners report ' || round(coalesce(years.coverage, 0), 3) || ' of the total'
                || coalesce(', no figure of ' || lacking.codes, '')
        when cells.value is null then 'the figure is missing'
    end as share_missing_reason,
    years.reported,
    years.coverage,
    lacking.codes as lacks,
    coalesce(
        periods.year = max(periods.year) filter (where years.coverage >= 0.9) over (partition by cells.direction, cells.area_key), false
    ) as is_latest,
    cells.estimate_kind,
    cells.obs_status,
    cells.is_provisional,
    cells.derivation,
    cells.release_key,
    years.release_key as total_release_key,
    years.parts_release_key
from cells
inner join years on cells.direction = years.direction and cells.area_key = years.area_key and cells.period_key = years.period_key
inner join periods on cells.period_key = periods.period_key
left join lacking
    on cells.direction = lacking.direction and cells.area_key = lacking.area_key and cells.period_key = lacking.period_key
