-- Net migration of a region is what its population changed by beyond births and deaths; its external part is what the internal moves
-- leave over (bns.md 8.4, 8.6, 8.7). Once for each vintage of the populations: the later one need not reproduce what was printed.
-- Each edition has a row for each of its years: of every region that it has, of the composites and of the republic.
with areas as (
    select * from {{ ref('dim_area') }}
),

periods as (
    select * from {{ ref('dim_period') }}
    where period_kind = 'year'
),

populations as (
    select * from {{ ref('int_population__yearly') }}
),

increase as (
    select
        fact.area_key,
        fact.period_key,
        fact.value,
        fact.is_provisional,
        fact.release_key
    from {{ ref('fct_vital_event') }} as fact
    where fact.is_current and fact.measure = 'natural_increase' and {{ totals('fact', ['sex', 'locality']) }}
),

internal as (
    select
        area_key,
        period_key,
        balance,
        is_provisional,
        release_key
    from {{ ref('int_flow__paired') }}
    where cube_code = 'bns.internal_by_region'
),

regions as (
    select
        area_key,
        parent_area_key,
        extent.territory_cut,
        coalesce(extent.from_year, 0) as from_year,
        coalesce(extent.to_year, 9999) as to_year
    from areas
    inner join {{ ref('region_extent') }} as extent on areas.area_code = extent.area_code
    where areas.area_kind = 'region'
),

-- a region is made of itself, a composite of its members, the republic of the regions that the edition has at both ends of the year
members as (
    select
        area_key,
        area_key as member_area_key,
        'leaf'::text as area_level,
        territory_cut,
        from_year,
        to_year
    from regions
    union all
    select
        groups.group_area_key as area_key,
        groups.member_area_key,
        'subtotal'::text as area_level,
        regions.territory_cut,
        regions.from_year,
        regions.to_year
    from {{ ref('bridge_area_group') }} as groups
    inner join regions on groups.member_area_key = regions.area_key
    union all
    select
        parent_area_key as area_key,
        area_key as member_area_key,
        'total'::text as area_level,
        territory_cut,
        from_year,
        to_year
    from regions
),

-- once, and not for each row that is promised
sums as materialized (
    select
        members.area_key,
        members.area_level,
        periods.period_key,
        populations.edition as population_edition,
        sum(populations.population_start) as population_start,
        sum(populations.population_end) as population_end,
        string_agg(distinct populations.break_kind, ', ') as break_kind,
        {{ complete_sum('increase.value') }} as natural_increase,
        {{ complete_sum('internal.balance') }} as internal_balance,
        {{ preliminary('populations.is_provisional or increase.is_provisional or internal.is_provisional') }} as is_provisional,
        {{ only_one('populations.start_release_key') }} as population_start_release_key,
        {{ only_one('populations.end_release_key') }} as population_end_release_key,
        {{ only_one('increase.release_key') }} as natural_increase_release_key,
        {{ only_one('internal.release_key') }} as internal_release_key
    from members
    inner join populations on members.member_area_key = populations.area_key and members.territory_cut = populations.territory_cut
    inner join periods
        on populations.period_start_date = periods.period_start_date and populations.period_end_date = periods.period_end_date
    left join increase on members.member_area_key = increase.area_key and periods.period_key = increase.period_key
    left join internal on members.member_area_key = internal.area_key and periods.period_key = internal.period_key
    group by members.area_key, members.area_level, periods.period_key, periods.year, populations.edition, members.territory_cut
    having
        count(*) = (
            select count(*)
            from members as expected
            where
                expected.area_key = members.area_key
                and expected.territory_cut = members.territory_cut
                -- the closed and the new regions of a year of division count, so that it makes no sum
                and expected.from_year <= periods.year + 1
                and expected.to_year >= periods.year
        )
),

editions as (
    select
        populations.edition,
        populations.territory_cut,
        populations.period_start_date,
        periods.period_key,
        periods.year,
        array_agg(distinct populations.start_release_key) || array_agg(distinct populations.end_release_key) as release_keys
    from populations
    inner join periods
        on populations.period_start_date = periods.period_start_date and populations.period_end_date = periods.period_end_date
    group by populations.edition, populations.territory_cut, populations.period_start_date, periods.period_key, periods.year
),

promised as (
    select distinct
        members.area_key,
        members.area_level,
        editions.edition,
        editions.period_key,
        editions.period_start_date,
        editions.release_keys
    from editions
    inner join members
        on
            editions.territory_cut = members.territory_cut
            and (members.area_level <> 'leaf' or editions.year between members.from_year and members.to_year)
),

-- one edition a year, that of the republic, whatever a region has in another one
current_editions as (
    select
        populations.period_start_date,
        populations.edition
    from populations
    inner join areas on populations.area_key = areas.area_key
    where areas.area_kind = 'country' and populations.is_latest
),

derived as (
    select
        promised.area_key,
        promised.area_level,
        promised.period_key,
        promised.period_start_date,
        promised.edition as population_edition,
        promised.release_keys,
        sums.area_key is not null as is_whole,
        coalesce(promised.edition = current_editions.edition, own.is_latest, false) as is_current,
        coalesce(sums.population_start, own.population_start) as population_start,
        coalesce(sums.population_end, own.population_end) as population_end,
        coalesce(sums.break_kind, own.break_kind) as break_kind,
        sums.natural_increase,
        sums.internal_balance,
        sums.is_provisional,
        coalesce(sums.population_start_release_key, own.start_release_key) as population_start_release_key,
        coalesce(sums.population_end_release_key, own.end_release_key) as population_end_release_key,
        sums.natural_increase_release_key,
        sums.internal_release_key
    from promised
    left join sums
        on promised.area_key = sums.area_key and promised.period_key = sums.period_key and promised.edition = sums.population_edition
    left join populations as own
        on
            promised.area_key = own.area_key
            and promised.edition = own.edition
            and promised.period_start_date = own.period_start_date
    left join current_editions on promised.period_start_date = current_editions.period_start_date
),

measured as (
    select
        derived.*,
        case
            when coalesce(derived.break_kind, '') not like '%territory%' then (derived.population_start + derived.population_end) / 2
        end as population_mean,
        case
            when derived.is_whole and derived.break_kind is null
                then derived.population_end - derived.population_start - derived.natural_increase
        end as net_migration
    from derived
)

select
    {{ labels('areas', 'area') }},
    areas.area_kind,
    {{ period_columns('periods') }},
    measured.population_edition,
    measured.is_current,
    measured.area_level as row_kind,
    measured.population_start::bigint as population_start_persons,
    measured.population_end::bigint as population_end_persons,
    measured.population_mean::numeric(20, 1) as population_mean_persons,
    measured.break_kind as population_break_kind,
    measured.natural_increase::bigint as natural_increase_persons,
    measured.net_migration::bigint as net_migration_persons,
    case
        when not measured.is_whole and measured.area_level = 'leaf'
            then
                'the edition has no population of the area on ' || measured.period_start_date || ' or on '
                || (measured.period_start_date + interval '1 year')::date
        when not measured.is_whole then 'the regions that make the area are not the same at both ends of the year'
        when measured.break_kind is not null then 'the population series breaks within the year: ' || measured.break_kind
        when measured.natural_increase is null then 'no natural increase by region for this year'
    end as value_missing_reason,
    measured.internal_balance::bigint as internal_balance_persons,
    (measured.net_migration - measured.internal_balance)::bigint as external_balance_persons,
    case
        when measured.net_migration is null then 'no net migration'
        when measured.internal_balance is null then 'no table of internal moves of this year'
    end as external_missing_reason,
    {{ per_10000('measured.net_migration', 'measured.population_mean') }} as net_migration_per_10000,
    case when measured.net_migration is not null then {{ per_10000('measured.internal_balance', 'measured.population_mean') }} end
        as internal_balance_per_10000,
    {{ per_10000('(measured.net_migration - measured.internal_balance)', 'measured.population_mean') }} as external_balance_per_10000,
    case
        when measured.net_migration is null then 'no net migration'
        when measured.internal_balance is null then 'internal and external: no table of internal moves of this year'
    end as rate_missing_reason,
    case when measured.net_migration is not null then 'derived' end as estimate_kind,
    measured.is_provisional,
    -- a part that has come and is not known to be of the edition of the populations
    (measured.natural_increase is not null and increases.edition is distinct from measured.population_edition)
    or (measured.internal_balance is not null and moves.edition is distinct from measured.population_edition) as is_across_vintages,
    origin.edition,
    origin.edition_label,
    origin.edition_date,
    origin.capture,
    origin.sources,
    {{ key_text('measured.population_start_release_key') }} as population_start_release_key,
    {{ key_text('measured.population_end_release_key') }} as population_end_release_key,
    {{ key_text('measured.natural_increase_release_key') }} as natural_increase_release_key,
    {{ key_text('measured.internal_release_key') }} as internal_release_key
from measured
inner join areas on measured.area_key = areas.area_key
inner join periods on measured.period_key = periods.period_key
left join {{ ref('dim_release') }} as increases
    on measured.natural_increase_release_key = increases.release_key and increases.rank_basis = 'agency'
left join {{ ref('dim_release') }} as moves on measured.internal_release_key = moves.release_key and moves.rank_basis = 'agency'
left join lateral (
    {{ provenance('case when measured.population_start is null then measured.release_keys end || array[
        measured.population_start_release_key, measured.population_end_release_key, measured.natural_increase_release_key,
        measured.internal_release_key
    ]', 'measured.period_key') }}
) as origin on true
order by areas.area_sort_order, areas.area_code, periods.period_start_date, measured.population_edition
