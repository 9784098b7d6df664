-- The ministry's releases as the press quotes them, and what follows from them: a stock at the start of each year, and of a year that no
-- release counts whole the difference of two stocks. Stocks are printed to 0.1 thousand, so that a difference is good to ± 0.1 thousand.
-- Whole years may be summed; parts of a year, cumulative figures, and persons by origin or age are subtotals.
with areas as (
    select * from {{ ref('dim_area') }}
),

periods as (
    select * from {{ ref('dim_period') }}
),

ages as (
    select * from {{ ref('dim_age_group') }}
),

education as (
    select * from {{ ref('dim_education') }}
),

figures as (
    select
        fact.release_key,
        fact.source_row,
        fact.measure,
        fact.area_key,
        fact.departure_area_key,
        fact.age_group_key,
        fact.education_key,
        periods.period_label,
        periods.period_kind,
        periods.period_start_date,
        periods.period_end_date,
        extract(year from periods.period_end_date)::int as year,
        fact.value,
        fact.tolerance,
        fact.qualifier,
        fact.remark,
        fact.printed_by,
        fact.printed_at,
        fact.finding,
        fact.value_missing_reason,
        fact.departure_area_key = {{ member_key('area', "'W1'") }} and fact.area_key = {{ member_key('area', "'KAZ'") }}
        and {{ totals('fact', ['age_group', 'education']) }} as is_whole
    from {{ ref('fct_repatriation') }} as fact
    inner join periods on fact.period_key = periods.period_key
    where fact.is_current and fact.cube_key = {{ member_key('cube', "'mol.kandas'") }}
),

-- both totals of one release; what is odd or of an unknown day says nothing of the start of the year
pairs as (
    select
        since_year.release_key,
        since_year.year,
        since_year.period_end_date,
        since_1991.source_row || '; ' || since_year.source_row as source_row,
        since_1991.value - since_year.value / 1000 as stock,
        since_1991.qualifier = 'about' or since_year.qualifier = 'about' as is_about
    from figures as since_year
    inner join figures as since_1991
        on
            since_year.release_key = since_1991.release_key
            and since_year.period_end_date = since_1991.period_end_date
            and since_1991.period_kind = 'range'
            and since_1991.measure = 'thousand_persons'
    where
        since_year.is_whole and since_1991.is_whole and since_year.period_kind <> 'range' and since_year.measure = 'persons'
        and num_nonnulls(since_year.finding, since_1991.finding, since_year.remark, since_1991.remark) = 0
),

-- a figure that is printed as about counts only where the year has no other
years_of_exact_pairs as (
    select distinct
        release_key,
        year
    from pairs
    where not is_about
),

derived_stocks as (
    select
        pairs.release_key,
        pairs.year,
        string_agg(pairs.source_row, '; ' order by pairs.period_end_date) as source_row,
        round(avg(pairs.stock), 1) as stock,
        bool_or(pairs.is_about) as is_about,
        'since 1991 less since the start of the year, mean of ' || count(*) || ' releases of the year' as derivation
    from pairs
    left join years_of_exact_pairs as exact on pairs.release_key = exact.release_key and pairs.year = exact.year
    where not pairs.is_about or exact.year is null
    group by pairs.release_key, pairs.year
),

printed_stocks as (
    select
        release_key,
        year + 1 as year,
        source_row,
        value as stock
    from figures
    where
        is_whole and period_kind = 'range' and measure = 'thousand_persons' and qualifier = 'exact' and finding is null and remark is null
        and to_char(period_end_date, 'MMDD') = '1231'
),

stocks as (
    select
        release_key,
        year,
        source_row,
        stock,
        is_about,
        derivation
    from derived_stocks
    where (release_key, year) not in (select
        printed.release_key,
        printed.year
    from printed_stocks as printed)
    union all
    select
        release_key,
        year,
        source_row,
        stock,
        false as is_about,
        null as derivation
    from printed_stocks
),

-- every year between the first and the last that a release counts, whether or not one counts it whole
years as (
    select
        release_key,
        generate_series(min(year), max(year)) as year
    from figures
    where period_kind <> 'range'
    group by release_key
),

unprinted_years as (
    select
        years.release_key,
        years.year,
        later.source_row || '; ' || stocks.source_row as source_row,
        later.stock - stocks.stock as value,
        later.is_about or stocks.is_about as is_about,
        'stock at the start of ' || later.year || ' (' || trim_scale(later.stock) || ') less that of ' || years.year || ' ('
        || trim_scale(stocks.stock) || ')'
            as derivation,
        exists(
            select 1
            from figures as part
            where part.release_key = years.release_key and part.year = years.year and part.period_kind <> 'range'
        ) as has_parts
    from years
    left join stocks on years.release_key = stocks.release_key and years.year = stocks.year
    left join stocks as later on years.release_key = later.release_key and years.year + 1 = later.year
    where not exists (
        select 1
        from figures as whole
        where
            whole.release_key = years.release_key and whole.year = years.year and whole.period_kind = 'year' and whole.is_whole
            and whole.measure in ('persons', 'thousand_persons') and whole.value is not null
    )
),

derived as (
    select
        release_key,
        '1991–' || (year - 1) as period_label,
        'range' as period_kind,
        make_date(1991, 1, 1) as period_start_date,
        make_date(year - 1, 12, 31) as period_end_date,
        year - 1 as year,
        source_row,
        stock as value,
        is_about,
        derivation,
        null as value_missing_reason
    from stocks
    where derivation is not null
    union all
    select
        release_key,
        year::text as period_label,
        'year' as period_kind,
        make_date(year, 1, 1) as period_start_date,
        make_date(year, 12, 31) as period_end_date,
        year,
        source_row,
        value,
        is_about,
        case when value is not null then derivation end as derivation,
        case
            when value is not null then null
            when has_parts then 'the releases at hand count parts of the year only, and say no total at its end'
            else 'no release at hand counts this year'
        end as value_missing_reason
    from unprinted_years
),

collected as (
    select
        release_key,
        source_row,
        measure,
        area_key,
        departure_area_key,
        age_group_key,
        education_key,
        period_label,
        period_kind,
        period_start_date,
        period_end_date,
        year,
        case
            when period_kind <> 'year' or (measure = 'persons' and not is_whole) then 'subtotal'
            else 'leaf'
        end as row_kind,
        value,
        tolerance,
        qualifier,
        case when value is not null then 'observed' end as estimate_kind,
        null as derivation,
        value_missing_reason,
        remark,
        printed_by,
        printed_at,
        finding
    from figures
    union all
    select
        release_key,
        source_row,
        'thousand_persons' as measure,
        {{ member_key('area', "'KAZ'") }} as area_key,
        {{ member_key('area', "'W1'") }} as departure_area_key,
        {{ member_key('age_group', "'_T'") }} as age_group_key,
        {{ member_key('education', "'_T'") }} as education_key,
        period_label,
        period_kind,
        period_start_date,
        period_end_date,
        year,
        case when period_kind = 'range' then 'subtotal' else 'leaf' end as row_kind,
        value,
        case when value is not null then 0.1 end as tolerance,
        case when value is not null then case when is_about then 'about' else 'exact' end end as qualifier,
        case when value is not null then 'derived' end as estimate_kind,
        derivation,
        value_missing_reason,
        null as remark,
        null as printed_by,
        null as printed_at,
        null as finding
    from derived
)

select
    {{ labels('areas', 'area') }},
    {{ labels('departures', 'area', 'departure_area') }},
    {{ labels('ages', 'age_group') }},
    {{ labels('education', 'education') }},
    collected.period_label,
    collected.period_kind,
    collected.period_start_date,
    collected.period_end_date,
    collected.period_end_date + 1 as as_of_date,
    collected.year,
    collected.row_kind,
    collected.measure,
    collected.period_kind = 'range' as is_cumulative,
    case when collected.measure = 'persons' then collected.value end::bigint as persons,
    case when collected.measure = 'thousand_persons' then collected.value end::numeric(12, 1) as thousand_persons,
    case when collected.measure = 'families' then collected.value end::bigint as families,
    case when collected.measure = 'thousand_families' then collected.value end::numeric(12, 1) as thousand_families,
    case when collected.measure = 'share_pct' then collected.value end::numeric(12, 4) as share_pct,
    collected.tolerance::numeric(12, 2) as tolerance,
    collected.qualifier,
    collected.estimate_kind,
    collected.derivation,
    collected.value_missing_reason,
    collected.remark,
    collected.finding,
    collected.printed_by,
    collected.printed_at,
    case
        when collected.printed_by is not null and collected.printed_at is null then 'seen in an index of pages, its address was not kept'
    end as address_missing_reason,
    collected.source_row,
    origin.edition,
    origin.edition_label,
    origin.edition_date,
    origin.capture,
    origin.sources,
    {{ key_text('collected.release_key') }} as release_key
from collected
inner join areas on collected.area_key = areas.area_key
inner join areas as departures on collected.departure_area_key = departures.area_key
inner join ages on collected.age_group_key = ages.age_group_key
inner join education on collected.education_key = education.education_key
left join lateral (
    {{ provenance('array[collected.release_key]', 'null') }}
) as origin on true
order by
    collected.period_end_date, collected.measure, departures.area_sort_order, areas.area_sort_order, ages.sort_order, education.sort_order
