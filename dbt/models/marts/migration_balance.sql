-- Rates per 10,000 of the mean of the populations of two consecutive 1 January (bns.md 8.7, classifications.md g.2, g.3);
-- turnover and effectiveness: classifications.md g.4, g.5. Nothing missing is ever counted as zero.
with areas as (
    select
        area_key,
        area_code,
        area_name_kk,
        area_name_ru,
        area_name_en,
        area_sort_order,
        area_iso_code
    from {{ ref('dim_area') }}
),

periods as (
    select
        period_key,
        period_kind,
        period_start_date,
        period_end_date,
        year,
        period_label
    from {{ ref('dim_period') }}
),

releases as (
    select
        release_key,
        edition,
        edition_label,
        edition_date,
        source_code
    from {{ ref('dim_release') }}
),

-- figures that another agency made than the one that delivered them
made as (
    select
        release_key,
        period_key,
        source_code
    from {{ ref('bridge_release_origin') }}
),

ranges as (
    select
        start_year,
        end_year
    from {{ ref('period_range') }}
    where mart = 'migration_balance'
),

preferences as (
    select
        source_code,
        from_year,
        to_year
    from {{ ref('preferred_agency') }}
    where mart = 'migration_balance'
),

reported as (
    select
        cubes.source_code,
        fact.area_key,
        fact.release_key,
        fact.period_key,
        case fact.direction when 'arrival' then 'arrivals' else 'departures' end as role,
        periods.period_start_date,
        periods.period_end_date,
        fact.value,
        fact.is_provisional,
        fact.capture
    from {{ ref('fct_migration_flow') }} as fact
    inner join periods on fact.period_key = periods.period_key
    inner join {{ ref('dim_cube') }} as cubes on fact.cube_key = cubes.cube_key
    where
        fact.is_current
        and cubes.cube_code in ('bns.external_arrivals', 'bns.external_departures', 'cisstat.external_flows')
        and periods.period_kind = 'year'
        and fact.direction in ('arrival', 'departure')
        and fact.scope = 'external'
        and fact.counterpart_area_key = {{ member_key('area', "'W1'") }}
        and fact.sex_key = {{ member_key('sex', "'_T'") }}
        and fact.age_group_key = {{ member_key('age_group', "'_T'") }}
        and fact.education_key = {{ member_key('education', "'_T'") }}
        and fact.specialty_key = {{ member_key('specialty', "'_T'") }}
        and fact.ethnicity_key = {{ member_key('ethnicity', "'_T'") }}
        and fact.locality_key = {{ member_key('locality', "'_T'") }}
),

-- of each year the declared agency; where that one has no figures, another one
ranked as (
    select
        reported.*,
        dense_rank() over (
            partition by reported.area_key, reported.period_start_date
            order by preferences.source_code is null, reported.source_code
        ) as precedence
    from reported
    left join preferences
        on
            reported.source_code = preferences.source_code
            and extract(year from reported.period_start_date)
            between preferences.from_year and coalesce(preferences.to_year, extract(year from reported.period_start_date))
),

flows as (
    select * from ranked
    where precedence = 1
),

-- a year of another agency than the year before begins another series
agencies as (
    select
        area_key,
        period_start_date,
        source_code <> lag(source_code) over (partition by area_key order by period_start_date) as is_another
    from flows
    group by area_key, period_start_date, source_code
),

stocks as (
    select
        fact.area_key,
        fact.release_key,
        fact.period_key,
        periods.period_start_date as reference_date,
        fact.value,
        fact.is_provisional,
        fact.capture,
        fact.derivation,
        fact.break_kind
    from {{ ref('fct_population') }} as fact
    inner join periods on fact.period_key = periods.period_key
    where
        fact.is_current
        and periods.period_kind = 'instant'
        and fact.cube_key = {{ member_key('cube', "'bns.population.region'") }}
        and fact.sex_key = {{ member_key('sex', "'_T'") }}
        and fact.age_group_key = {{ member_key('age_group', "'_T'") }}
        and fact.ethnicity_key = {{ member_key('ethnicity', "'_T'") }}
        and fact.locality_key = {{ member_key('locality', "'_T'") }}
),

-- of one edition, the latest that has both ends of the year
pairs as (
    select * from {{ ref('int_population__yearly') }}
    where is_latest
),

-- the grain: each area × each of its years, and each range the literature prints
spans as (
    select distinct
        flows.area_key,
        'leaf'::text as row_kind,
        1 as years,
        flows.period_start_date,
        flows.period_end_date
    from flows
    union all
    select distinct
        flows.area_key,
        'subtotal'::text as row_kind,
        ranges.end_year - ranges.start_year + 1 as years,
        make_date(ranges.start_year, 1, 1) as period_start_date,
        make_date(ranges.end_year, 12, 31) as period_end_date
    from flows
    cross join ranges
),

parts as (
    select
        spans.area_key,
        spans.period_start_date,
        spans.period_end_date,
        flows.role,
        flows.release_key,
        flows.period_key,
        flows.value,
        flows.is_provisional,
        flows.capture,
        null::text as derivation,
        null::text as break_kind,
        null::text as pair_edition,
        flows.source_code
    from spans
    inner join flows
        on
            spans.area_key = flows.area_key
            and flows.period_start_date >= spans.period_start_date
            and flows.period_end_date <= spans.period_end_date
    union all
    select
        spans.area_key,
        spans.period_start_date,
        spans.period_end_date,
        case when stocks.reference_date = spans.period_start_date then 'population_start' else 'population_end' end as role,
        stocks.release_key,
        stocks.period_key,
        stocks.value,
        stocks.is_provisional,
        stocks.capture,
        stocks.derivation,
        stocks.break_kind,
        null::text as pair_edition,
        null::text as source_code
    from spans
    inner join stocks
        on
            spans.area_key = stocks.area_key
            and stocks.reference_date in (spans.period_start_date, spans.period_end_date + 1)
    left join pairs on spans.area_key = pairs.area_key and spans.period_start_date = pairs.period_start_date
    where spans.row_kind = 'leaf' and pairs.area_key is null
    union all
    select
        spans.area_key,
        spans.period_start_date,
        spans.period_end_date,
        ends.role,
        ends.release_key,
        ends.period_key,
        ends.value,
        ends.is_provisional,
        ends.capture,
        ends.derivation,
        ends.break_kind,
        pairs.edition as pair_edition,
        null::text as source_code
    from spans
    inner join pairs on spans.area_key = pairs.area_key and spans.period_start_date = pairs.period_start_date
    cross join
        lateral (
            values
            (
                'population_start', pairs.start_release_key, pairs.start_period_key, pairs.population_start, pairs.start_is_provisional,
                pairs.start_capture, pairs.start_derivation, null
            ),
            (
                'population_end', pairs.end_release_key, pairs.end_period_key, pairs.population_end, pairs.end_is_provisional,
                pairs.end_capture, pairs.end_derivation, pairs.break_kind
            )
        ) as ends (role, release_key, period_key, value, is_provisional, capture, derivation, break_kind)
    where spans.row_kind = 'leaf'
),

gathered as (
    select
        spans.area_key,
        spans.row_kind,
        spans.years,
        spans.period_start_date,
        spans.period_end_date,
        -- a sum over part of the years is no figure of the range
        case
            when count(parts.value) filter (where parts.role = 'arrivals') = spans.years
                then sum(parts.value) filter (where parts.role = 'arrivals')
        end as arrivals,
        case
            when count(parts.value) filter (where parts.role = 'departures') = spans.years
                then sum(parts.value) filter (where parts.role = 'departures')
        end as departures,
        max(parts.value) filter (where parts.role = 'population_start') as population_start,
        max(parts.value) filter (where parts.role = 'population_end') as population_end,
        max(parts.derivation) filter (where parts.role = 'population_start') as start_derivation,
        max(parts.derivation) filter (where parts.role = 'population_end') as end_derivation,
        max(parts.break_kind) filter (where parts.role = 'population_end') as population_break_kind,
        -- preliminary as soon as one part is; unknown as soon as one part is unknown
        case
            when bool_or(parts.is_provisional) then true
            when count(parts.is_provisional) = count(parts.role) then false
        end as is_provisional,
        string_agg(distinct releases.edition, '; ') filter (where parts.role in ('arrivals', 'departures')) as edition,
        string_agg(distinct releases.edition_label, '; ') filter (where parts.role in ('arrivals', 'departures')) as edition_label,
        max(releases.edition_date) filter (where parts.role in ('arrivals', 'departures')) as edition_date,
        max(parts.pair_edition) is not null as is_of_one_edition,
        string_agg(distinct coalesce(parts.pair_edition, releases.edition), '; ')
        filter (where parts.role in ('population_start', 'population_end'))
            as population_edition,
        string_agg(distinct parts.source_code, '; ') as flows_source_code,
        count(distinct parts.source_code) as flows_sources,
        string_agg(distinct parts.capture, '; ') as capture,
        string_agg(distinct coalesce(made.source_code, releases.source_code), '; ') as sources,
        max(parts.release_key) filter (where parts.role = 'arrivals') as arrivals_release_key,
        max(parts.release_key) filter (where parts.role = 'departures') as departures_release_key,
        count(distinct parts.release_key) filter (where parts.role = 'arrivals') as arrivals_releases,
        count(distinct parts.release_key) filter (where parts.role = 'departures') as departures_releases,
        max(parts.release_key) filter (where parts.role = 'population_start') as population_start_release_key,
        max(parts.release_key) filter (where parts.role = 'population_end') as population_end_release_key
    from spans
    left join parts
        on
            spans.area_key = parts.area_key
            and spans.period_start_date = parts.period_start_date
            and spans.period_end_date = parts.period_end_date
    left join releases on parts.release_key = releases.release_key
    left join made on parts.release_key = made.release_key and parts.period_key = made.period_key
    group by spans.area_key, spans.row_kind, spans.years, spans.period_start_date, spans.period_end_date
),

measured as (
    select
        gathered.*,
        gathered.arrivals - gathered.departures as balance,
        gathered.arrivals + gathered.departures as turnover,
        case when gathered.is_of_one_edition then (gathered.population_start + gathered.population_end) / 2 end as population_mean
    from gathered
)

select
    {{ labels('areas', 'area') }},
    periods.period_label,
    periods.period_kind,
    measured.period_start_date,
    measured.period_end_date,
    periods.year,
    measured.row_kind,
    measured.arrivals::bigint as arrivals_persons,
    measured.departures::bigint as departures_persons,
    measured.balance::bigint as balance_persons,
    measured.turnover::bigint as turnover_persons,
    round(100 * measured.balance / nullif(measured.turnover, 0), 4)::numeric(12, 4) as effectiveness_pct,
    case
        when measured.balance is null
            then
                'not complete in the current releases: '
                || concat_ws(
                    ', ',
                    case when measured.arrivals is null then 'arrivals' end,
                    case when measured.departures is null then 'departures' end
                )
    end as value_missing_reason,
    measured.population_start::bigint as population_start_persons,
    measured.population_end::bigint as population_end_persons,
    measured.population_mean::numeric(20, 1) as population_mean_persons,
    measured.population_break_kind,
    round(10000 * measured.arrivals / measured.population_mean, 4)::numeric(12, 4) as arrivals_per_10000,
    round(10000 * measured.departures / measured.population_mean, 4)::numeric(12, 4) as departures_per_10000,
    round(10000 * measured.balance / measured.population_mean, 4)::numeric(12, 4) as balance_per_10000,
    case
        when measured.row_kind = 'subtotal' then 'a rate is given for single years only'
        when measured.population_start is not null and measured.population_end is not null and measured.population_mean is null
            then
                'the populations of ' || measured.period_start_date || ' and ' || (measured.period_end_date + 1)
                || ' are of no one edition'
        when measured.population_mean is null
            then
                'no population in the current releases for '
                || concat_ws(
                    ' and ',
                    case when measured.population_start is null then measured.period_start_date::text end,
                    case when measured.population_end is null then (measured.period_end_date + 1)::text end
                )
        when measured.balance is null then 'one of the flows is missing'
    end as rate_missing_reason,
    measured.is_provisional,
    measured.edition,
    measured.edition_label,
    measured.edition_date,
    measured.population_edition,
    measured.capture,
    measured.sources,
    -- a range over several releases has no single address
    case when measured.arrivals_releases = 1 then {{ key_text('measured.arrivals_release_key') }} end as arrivals_release_key,
    case when measured.departures_releases = 1 then {{ key_text('measured.departures_release_key') }} end as departures_release_key,
    {{ key_text('measured.population_start_release_key') }} as population_start_release_key,
    {{ key_text('measured.population_end_release_key') }} as population_end_release_key,
    nullif(
        concat_ws(
            '; ',
            measured.period_start_date::text || ': ' || measured.start_derivation,
            (measured.period_end_date + 1)::text || ': ' || measured.end_derivation
        ),
        ''
    ) as population_derivation,
    measured.flows_source_code,
    case when measured.flows_sources > 1 or (measured.row_kind = 'leaf' and agencies.is_another) then 'source' end as flows_break_kind
from measured
left join agencies on measured.area_key = agencies.area_key and measured.period_start_date = agencies.period_start_date
inner join areas on measured.area_key = areas.area_key
inner join periods
    on
        measured.period_start_date = periods.period_start_date
        and measured.period_end_date = periods.period_end_date
        and periods.period_kind in ('year', 'range')
order by areas.area_sort_order, measured.period_start_date, measured.period_end_date
