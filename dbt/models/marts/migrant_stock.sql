{{ config(indexes=[
    {'columns': ['year', 'origin_code', 'residence_code', 'sex_code', 'persons']},
    {'columns': ['origin_name_kk', 'year', 'persons']}, {'columns': ['residence_name_kk']},
    {'columns': ['origin_name_ru', 'year', 'persons']}, {'columns': ['residence_name_ru']},
    {'columns': ['origin_name_en', 'year', 'persons']}, {'columns': ['residence_name_en']},
]) }}

-- Who was born in one country and lives in another (where the residence counts citizens: who has that citizenship). The newest edition is
-- current; editions stand side by side and are never chained (undesa.md 7.1). The sum of a part of the residences is no figure: it is NULL
-- with its reason. What an edition no longer says of an origin, and the one before said, stands beside each of its figures.
{% set world = member_key('area', "'WLD'") %}
{% set both_sexes = member_key('sex', "'_T'") %}

with areas as (
    select * from {{ ref('dim_area') }}
),

periods as (
    select * from {{ ref('dim_period') }}
),

sexes as (
    select * from {{ ref('dim_sex') }}
),

stocks as (
    select * from {{ ref('int_stock__by_edition') }}
),

pairs as (
    select * from stocks
    where not is_world_residence and not is_world_origin
),

-- each pair belongs to a total of its origin and one of its residence, at hand or not
expected as (
    select
        edition,
        is_newest_edition,
        {{ world }} as residence_area_key,
        origin_area_key,
        period_key,
        sex_key,
        max(release_key) as release_key,
        max(capture) as capture
    from pairs
    group by edition, is_newest_edition, origin_area_key, period_key, sex_key
    union all
    select
        edition,
        is_newest_edition,
        residence_area_key,
        {{ world }} as origin_area_key,
        period_key,
        sex_key,
        max(release_key) as release_key,
        max(capture) as capture
    from pairs
    group by edition, is_newest_edition, residence_area_key, period_key, sex_key
),

cells as (
    select
        edition,
        is_newest_edition,
        residence_area_key,
        origin_area_key,
        period_key,
        sex_key,
        value,
        value_missing_reason,
        obs_status,
        population_basis,
        definition,
        estimate_kind,
        is_provisional,
        is_current,
        capture,
        release_key
    from stocks
    union all
    select
        expected.edition,
        expected.is_newest_edition,
        expected.residence_area_key,
        expected.origin_area_key,
        expected.period_key,
        expected.sex_key,
        null::numeric as value,
        'the set at hand is partial, and a part has no total' as value_missing_reason,
        'L'::text as obs_status,
        '_Z'::text as population_basis,
        'mixed'::text as definition,
        'estimated'::text as estimate_kind,
        null::boolean as is_provisional,
        true as is_current,
        expected.capture,
        expected.release_key
    from expected
    left join stocks
        on
            expected.edition = stocks.edition
            and expected.residence_area_key = stocks.residence_area_key
            and expected.origin_area_key = stocks.origin_area_key
            and expected.period_key = stocks.period_key
            and expected.sex_key = stocks.sex_key
    where stocks.edition is null
),

-- what part of the total of an origin its residences make
covered as (
    select
        pairs.edition,
        pairs.origin_area_key,
        pairs.period_key,
        sum(pairs.value) / nullif(max(total.value), 0) as coverage
    from pairs
    inner join stocks as total
        on
            total.is_world_residence
            and pairs.edition = total.edition
            and pairs.origin_area_key = total.origin_area_key
            and pairs.period_key = total.period_key
            and pairs.sex_key = total.sex_key
    where pairs.sex_key = {{ both_sexes }} and total.value is not null
    group by pairs.edition, pairs.origin_area_key, pairs.period_key
),

last_complete as (
    select max(periods.period_start_date) as period_start_date
    from stocks
    inner join periods on stocks.period_key = periods.period_key
    where
        stocks.is_newest_edition
        and not exists (
            select 1 from covered
            where covered.edition = stocks.edition and covered.period_key = stocks.period_key and covered.coverage is distinct from 1
        )
),

editions as (
    select
        edition,
        lag(edition) over (order by edition) as edition_before
    from stocks
    group by edition
),

origins as (
    select distinct
        edition,
        origin_area_key
    from pairs
    where (edition, origin_area_key) in (select
        covered.edition,
        covered.origin_area_key
    from covered)
),

last_dates as (
    select
        pairs.edition,
        max(periods.period_start_date) as period_start_date
    from pairs
    inner join periods on pairs.period_key = periods.period_key
    group by pairs.edition
),

-- residences of a whole origin that the edition before has, and this one does not
lacking as (
    select
        origins.edition,
        origins.origin_area_key,
        count(*) as residences,
        string_agg(areas.area_code, ', ' order by before.value desc, areas.area_code asc) as codes,
        sum(before.value) as persons,
        max(editions.edition_before) as edition_before,
        max(periods.period_label) as period_label
    from origins
    inner join editions on origins.edition = editions.edition
    inner join origins as earlier on editions.edition_before = earlier.edition and origins.origin_area_key = earlier.origin_area_key
    inner join pairs as before
        on
            editions.edition_before = before.edition
            and origins.origin_area_key = before.origin_area_key
            and before.sex_key = {{ both_sexes }}
    inner join last_dates on editions.edition_before = last_dates.edition
    inner join periods on before.period_key = periods.period_key and last_dates.period_start_date = periods.period_start_date
    inner join areas on before.residence_area_key = areas.area_key
    left join pairs as still
        on
            origins.edition = still.edition
            and before.origin_area_key = still.origin_area_key
            and before.residence_area_key = still.residence_area_key
    where still.edition is null
    group by origins.edition, origins.origin_area_key
),

measured as (
    select
        cells.*,
        origin_total.value as origin_total,
        residence_total.value as residence_total
    from cells
    left join stocks as origin_total
        on
            cells.edition = origin_total.edition
            and cells.origin_area_key = origin_total.origin_area_key
            and cells.period_key = origin_total.period_key
            and cells.sex_key = origin_total.sex_key
            and origin_total.is_world_residence
    left join stocks as residence_total
        on
            cells.edition = residence_total.edition
            and cells.residence_area_key = residence_total.residence_area_key
            and cells.period_key = residence_total.period_key
            and cells.sex_key = residence_total.sex_key
            and residence_total.is_world_origin
)

select
    {{ labels('residence', 'area', 'residence') }},
    {{ labels('origin', 'area', 'origin') }},
    sexes.sex_code,
    sexes.sex_name_kk,
    sexes.sex_name_ru,
    sexes.sex_name_en,
    sexes.sort_order as sex_sort_order,
    {{ period_columns('periods') }},
    case
        when {{ world }} in (measured.residence_area_key, measured.origin_area_key) then 'total'
        when measured.sex_key = {{ both_sexes }} then 'subtotal'
        else 'leaf'
    end as row_kind,
    measured.value::bigint as persons,
    measured.value_missing_reason,
    measured.origin_total::bigint as origin_total_persons,
    measured.residence_total::bigint as residence_total_persons,
    case
        when measured.residence_area_key <> {{ world }} then round(100 * measured.value / nullif(measured.origin_total, 0), 4)
    end::numeric(12, 4) as share_of_origin_total_pct,
    case
        when measured.residence_area_key = {{ world }} then 'the total has no share in itself'
        when measured.value is null then 'the figure is missing'
        when measured.origin_total is null then 'no total of this origin at hand'
        when measured.origin_total = 0 then 'the total is zero'
    end as share_missing_reason,
    round(covered.coverage, 4)::numeric(12, 4) as coverage,
    lacking.residences::integer as lacks_count,
    lacking.codes as lacks,
    lacking.persons::bigint as lacks_persons,
    'edition ' || lacking.edition_before || ', ' || lacking.period_label as lacks_of,
    measured.is_newest_edition and periods.period_start_date = last_complete.period_start_date as is_latest,
    measured.population_basis,
    measured.definition,
    measured.estimate_kind,
    measured.obs_status,
    measured.is_provisional,
    measured.edition,
    releases.edition_label,
    releases.edition_date,
    measured.is_newest_edition and measured.is_current as is_current,
    measured.capture,
    releases.source_code as sources,
    {{ key_text('measured.release_key') }} as release_key
from measured
cross join last_complete
inner join areas as residence on measured.residence_area_key = residence.area_key
inner join areas as origin on measured.origin_area_key = origin.area_key
inner join sexes on measured.sex_key = sexes.sex_key
inner join periods on measured.period_key = periods.period_key
inner join {{ ref('dim_release') }} as releases on measured.release_key = releases.release_key
left join covered
    on
        measured.edition = covered.edition
        and measured.origin_area_key = covered.origin_area_key
        and measured.period_key = covered.period_key
left join lacking on measured.edition = lacking.edition and measured.origin_area_key = lacking.origin_area_key
order by measured.edition, periods.period_start_date, origin.area_sort_order, residence.area_sort_order, sexes.sort_order
