-- Two agencies, side by side and never mixed in one sum: the bureau's printed tables, and the committee's facts by partner, in which all
-- countries outside the CIS and Ukraine are one cell. Groups are figures of the agency, with the members that they have there
-- (bridge_area_group); the CIS stands with and without Ukraine, the one that the agency does not print is derived. The total is the
-- committee's own, and for the bureau, which prints none, the sum of its rows.
with areas as (
    select * from {{ ref('dim_area') }}
),

periods as (
    select * from {{ ref('dim_period') }}
),

paired as (
    select
        flows.*,
        cubes.source_code,
        counterparts.area_kind as counterpart_kind,
        counterparts.area_code as counterpart_code
    from {{ ref('int_flow__paired') }} as flows
    inner join {{ ref('dim_cube') }} as cubes on flows.cube_code = cubes.cube_code
    inner join areas as counterparts on flows.counterpart_area_key = counterparts.area_key
    where flows.cube_code in ('bns.external_by_country', 'cisstat.external_by_partner', 'cisstat.external_flows')
),

tables as (
    select * from paired
    where cube_code <> 'cisstat.external_flows'
),

flows as (
    select
        source_code,
        area_key,
        counterpart_area_key,
        counterpart_kind,
        counterpart_code,
        period_key,
        case counterpart_kind when 'group' then 'subtotal' else 'leaf' end as row_kind,
        arrivals,
        departures,
        balance,
        value_missing_reason,
        is_provisional,
        release_key,
        arrivals_release_key,
        departures_release_key,
        derivation
    from tables
    where counterpart_code not in ('W1', 'NON_CIS')
    union all
    -- the other countries stand in another table of the committee: where they are missing there, the breakdown lacks them and says so
    select
        tables.source_code,
        tables.area_key,
        {{ member_key('area', "'NON_CIS'") }} as counterpart_area_key,
        'residual'::text as counterpart_kind,
        'NON_CIS'::text as counterpart_code,
        tables.period_key,
        'leaf'::text as row_kind,
        rest.arrivals,
        rest.departures,
        rest.balance,
        case when rest.area_key is null then 'no figure in the current releases' else rest.value_missing_reason end as value_missing_reason,
        coalesce(rest.is_provisional, tables.is_provisional) as is_provisional,
        rest.release_key,
        coalesce(rest.arrivals_release_key, tables.arrivals_release_key) as arrivals_release_key,
        coalesce(rest.departures_release_key, tables.departures_release_key) as departures_release_key,
        rest.derivation
    from tables
    left join paired as rest
        on
            rest.cube_code = 'cisstat.external_flows'
            and rest.counterpart_code = 'NON_CIS'
            and tables.area_key = rest.area_key
            and tables.period_key = rest.period_key
    where tables.source_code = 'cisstat' and tables.counterpart_code = 'W1'
),

sums as (
    {{ sum_of_leaves('flows', ['source_code', 'area_key', 'period_key']) }}
),

totals as (
    select
        source_code,
        area_key,
        period_key,
        arrivals,
        departures,
        balance,
        case when arrivals is null or departures is null then 'a country has no figure' end as value_missing_reason,
        is_provisional,
        release_key,
        release_key as arrivals_release_key,
        release_key as departures_release_key,
        derivation
    from sums
    where source_code = 'bns'
    union all
    select
        source_code,
        area_key,
        period_key,
        arrivals,
        departures,
        balance,
        value_missing_reason,
        is_provisional,
        release_key,
        arrivals_release_key,
        departures_release_key,
        derivation
    from tables
    where source_code = 'cisstat' and counterpart_code = 'W1'
),

-- the CIS as the agency does not print it: the bureau's with Ukraine, the committee's without
other_cis as (
    select
        cis.source_code,
        cis.area_key,
        case cis.counterpart_code when 'CIS' then {{ member_key('area', "'CIS+UKR'") }} else {{ member_key('area', "'CIS'") }} end
            as counterpart_area_key,
        cis.period_key,
        case cis.counterpart_code
            when 'CIS' then cis.arrivals + ukraine.arrivals
            else cis.arrivals - ukraine.arrivals
        end as arrivals,
        case cis.counterpart_code
            when 'CIS' then cis.departures + ukraine.departures
            else cis.departures - ukraine.departures
        end as departures,
        coalesce(cis.is_provisional, ukraine.is_provisional) as is_provisional,
        cis.release_key,
        cis.arrivals_release_key,
        cis.departures_release_key,
        case cis.counterpart_code when 'CIS' then 'the CIS and Ukraine' else 'the CIS with Ukraine less Ukraine' end as derivation
    from flows as cis
    inner join flows as ukraine
        on
            ukraine.counterpart_code = 'UKR'
            and cis.source_code = ukraine.source_code
            and cis.area_key = ukraine.area_key
            and cis.period_key = ukraine.period_key
    where cis.counterpart_code in ('CIS', 'CIS+UKR')
),

cells as (
    select
        source_code,
        area_key,
        counterpart_area_key,
        period_key,
        row_kind,
        arrivals,
        departures,
        balance,
        value_missing_reason,
        is_provisional,
        release_key,
        arrivals_release_key,
        departures_release_key,
        derivation
    from flows
    union all
    select
        source_code,
        area_key,
        counterpart_area_key,
        period_key,
        'subtotal'::text as row_kind,
        arrivals,
        departures,
        arrivals - departures as balance,
        case when arrivals is null or departures is null then 'the CIS or Ukraine has no figure' end as value_missing_reason,
        is_provisional,
        release_key,
        arrivals_release_key,
        departures_release_key,
        derivation
    from other_cis
    union all
    select
        source_code,
        area_key,
        {{ member_key('area', "'W1'") }} as counterpart_area_key,
        period_key,
        'total'::text as row_kind,
        arrivals,
        departures,
        balance,
        value_missing_reason,
        is_provisional,
        release_key,
        arrivals_release_key,
        departures_release_key,
        derivation
    from totals
),

-- of each year the declared agency; where that one has no figures, another one
agencies as (
    select
        totals.source_code,
        totals.area_key,
        totals.period_key,
        row_number() over (
            partition by totals.area_key, totals.period_key order by preferred.source_code is null, totals.source_code
        ) = 1 as is_preferred
    from totals
    inner join periods on totals.period_key = periods.period_key
    left join {{ ref('preferred_agency') }} as preferred
        on
            preferred.mart = 'migration_by_country'
            and totals.source_code = preferred.source_code
            and periods.year between preferred.from_year and coalesce(preferred.to_year, periods.year)
),

-- cells of several countries: what they hold the breakdown does not tell apart
lacking as (
    select
        source_code,
        area_key,
        period_key,
        string_agg(distinct counterpart_code, ', ') as breakdown_lacks
    from flows
    where row_kind = 'leaf' and counterpart_kind = 'residual'
    group by source_code, area_key, period_key
),

-- places among the countries that the table tells apart: cells of several countries, and what is not listed, have none
places as (
    select
        source_code,
        area_key,
        period_key,
        counterpart_area_key,
        case when arrivals is not null then rank() over (of_year order by arrivals desc nulls last) end as arrivals_rank,
        case when departures is not null then rank() over (of_year order by departures desc nulls last) end as departures_rank,
        count(*) over of_year as ranked_countries
    from flows
    where row_kind = 'leaf' and counterpart_kind = 'country'
    window of_year as (partition by source_code, area_key, period_key)
),

-- the groups that an agency prints, with the members that they had there
memberships as (
    select
        printed.source_code,
        printed.area_key,
        printed.period_key,
        groups.member_area_key,
        groups.group_area_code,
        groups.group_version
    from flows as printed
    inner join periods on printed.period_key = periods.period_key
    inner join {{ ref('bridge_area_group') }} as groups
        on
            printed.counterpart_area_key = groups.group_area_key
            and periods.period_start_date between groups.valid_from_date and coalesce(groups.valid_to_date, periods.period_start_date)
    where printed.row_kind = 'subtotal'
)

select
    {{ labels('areas', 'area') }},
    {{ labels('counterparts', 'area', 'counterpart') }},
    counterparts.area_kind as counterpart_kind,
    memberships.group_area_code as group_code,
    memberships.group_version,
    {{ period_columns('periods') }},
    cells.row_kind,
    cells.arrivals::bigint as arrivals_persons,
    cells.departures::bigint as departures_persons,
    cells.balance::bigint as balance_persons,
    cells.value_missing_reason,
    places.arrivals_rank::integer as arrivals_rank,
    places.departures_rank::integer as departures_rank,
    places.ranked_countries::integer as ranked_countries,
    totals.arrivals::bigint as arrivals_total_persons,
    totals.departures::bigint as departures_total_persons,
    {{ share_pct('cells.arrivals', 'totals.arrivals') }} as arrivals_share_pct,
    {{ share_pct('cells.departures', 'totals.departures') }} as departures_share_pct,
    case
        when cells.arrivals is null or cells.departures is null or totals.arrivals is null or totals.departures is null
            then 'a flow or its total is missing'
    end as share_missing_reason,
    cells.is_provisional,
    origin.edition,
    origin.edition_label,
    origin.edition_date,
    origin.capture,
    origin.sources,
    {{ key_text('cells.release_key') }} as release_key,
    cells.derivation,
    cells.source_code,
    agencies.is_preferred,
    lacking.breakdown_lacks,
    {{ key_text('cells.arrivals_release_key') }} as arrivals_release_key,
    {{ key_text('cells.departures_release_key') }} as departures_release_key
from cells
inner join totals
    on cells.source_code = totals.source_code and cells.area_key = totals.area_key and cells.period_key = totals.period_key
inner join agencies
    on cells.source_code = agencies.source_code and cells.area_key = agencies.area_key and cells.period_key = agencies.period_key
inner join areas on cells.area_key = areas.area_key
inner join areas as counterparts on cells.counterpart_area_key = counterparts.area_key
inner join periods on cells.period_key = periods.period_key
left join lacking
    on cells.source_code = lacking.source_code and cells.area_key = lacking.area_key and cells.period_key = lacking.period_key
left join memberships
    on
        cells.source_code = memberships.source_code
        and cells.area_key = memberships.area_key
        and cells.period_key = memberships.period_key
        and cells.counterpart_area_key = memberships.member_area_key
left join places
    on
        cells.source_code = places.source_code
        and cells.area_key = places.area_key
        and cells.period_key = places.period_key
        and cells.counterpart_area_key = places.counterpart_area_key
left join lateral (
    {{ provenance('array[cells.arrivals_release_key, cells.departures_release_key]', 'cells.period_key') }}
) as origin on true
order by areas.area_sort_order, periods.period_start_date, cells.source_code, counterparts.area_sort_order, counterparts.area_code
