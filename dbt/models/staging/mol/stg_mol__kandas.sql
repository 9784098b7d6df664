-- What is odd in a release stays as printed and is named: a finding is no verdict, and no issue.
with figures as (
    select
        _release_key,
        _snapshot_key,
        _row,
        as_of,
        counted_since,
        breakdown,
        member,
        value,
        unit,
        qualifier,
        date_remark,
        printed_by,
        printed_at,
        -- cumulative figures are counted from 1991, all others from the start of a year
        counted_since = '1991' as is_cumulative,
        case
            when as_of ~ '^(19|20)\d\d-(0[1-9]|1[0-2])-01$' then make_date(left(as_of, 4)::int, substr(as_of, 6, 2)::int, 1)
        end as as_of_date,
        case when counted_since ~ '^(19|20)\d\d$' then make_date(counted_since::int, 1, 1) end as period_start_date,
        unit in ('percent', 'percent of those of working age') as is_share,
        (
            case
                when unit in ('persons', 'families') then {{ bns_number('value') }}
                else {{ bns_number('value', 'decimal') }}
            end
        )::numeric(20, 6) as number
    from {{ source('raw', 'mol_kandas') }}
),

releases as (
    {{ release_rows('mol', ['kandas']) }}
),

cubes as (
    select
        code,
        dataset
    from {{ ref('cube') }}
    where source_code = 'mol'
),

labels as (
    select
        label,
        code
    from {{ ref('bns_label') }}
    where scheme = 'print' and dimension = 'age_group'
),

aliases as (
    select
        scheme,
        alias,
        area_code
    from {{ ref('area_alias') }}
    where scheme in ('mol_origin', 'mol_region')
),

areas as (
    select code from {{ ref('area') }}
),

education as (
    select code from {{ ref('education') }}
),

-- both totals of one release: their difference is what was counted before the year began. What is about, or of an unknown day, makes none.
pairs as (
    select
        _release_key,
        as_of_date,
        extract(year from min(period_start_date) filter (where not is_cumulative))::int as year,
        max(number) filter (where is_cumulative and unit = 'thousand persons')
        - max(number) filter (where not is_cumulative and unit = 'persons') / 1000 as base
    from figures
    where breakdown = 'all' and qualifier = 'exact' and date_remark is null and as_of_date is not null
    group by _release_key, as_of_date
),

paired_years as (
    select
        _release_key,
        year,
        count(base) as releases
    from pairs
    group by _release_key, year
),

agreeing as (
    select
        pairs._release_key,
        pairs.year,
        pairs.as_of_date,
        count(*) as releases,
        round(avg(other.base), 1) as base
    from pairs
    inner join pairs as other
        on
            pairs._release_key = other._release_key
            and pairs.year = other.year
            and other.base between pairs.base - 0.15 and pairs.base + 0.15
    group by pairs._release_key, pairs.year, pairs.as_of_date
),

-- of each year the base that most of its releases agree on
bases as (
    select distinct on (agreeing._release_key, agreeing.year)
        agreeing._release_key,
        agreeing.year,
        agreeing.releases,
        whole.releases as of_releases,
        case when 2 * agreeing.releases > whole.releases then agreeing.base end as base
    from agreeing
    inner join paired_years as whole on agreeing._release_key = whole._release_key and agreeing.year = whole.year
    order by agreeing._release_key asc, agreeing.year asc, agreeing.releases desc, agreeing.as_of_date asc
),

base_findings as (
    select
        pairs._release_key,
        pairs.as_of_date,
        'since 1991 less since the start of the year is ' || round(pairs.base, 3)
        || coalesce(
            ' thousand, expected ' || bases.base || ' ± 0.15, as ' || bases.releases
            || ' of ' || bases.of_releases || ' releases of the year',
            ' thousand, and most of the ' || bases.of_releases || ' releases of the year agree on nothing'
        ) as finding
    from pairs
    inner join bases on pairs._release_key = bases._release_key and pairs.year = bases.year
    where abs(pairs.base - bases.base) <= 0.15 is not true and pairs.base is not null
),

-- the shares of one breakdown, as a text that equals that of another release where all of them do
lists as (
    select
        _release_key,
        as_of_date,
        breakdown,
        count(*) as shares,
        sum(number) as total,
        string_agg(concat_ws(' ', member, trim_scale(number)), ', ' order by member, number) as content
    from figures
    where is_share and as_of_date is not null
    group by _release_key, as_of_date, breakdown
),

-- one or two shares are an excerpt and claim no whole; regions are never printed in full
sum_findings as (
    select
        _release_key,
        as_of_date,
        breakdown,
        shares || ' shares by ' || breakdown || ' make ' || trim_scale(total) || ', expected 100 ± 0.3' as finding
    from lists
    where breakdown in ('origin', 'age', 'education') and shares > 2 and total not between 99.7 and 100.3
),

printed_lists as (
    select
        _release_key,
        as_of_date,
        lag(as_of_date) over (partition by _release_key order by as_of_date) as before_date,
        count
    from (
        select
            _release_key,
            as_of_date,
            count(*) as count
        from lists
        group by _release_key, as_of_date
    ) as counted
),

repeat_findings as (
    select
        printed_lists._release_key,
        printed_lists.as_of_date,
        'every share is that of the release as of ' || printed_lists.before_date as finding
    from printed_lists
    inner join lists on printed_lists._release_key = lists._release_key and printed_lists.as_of_date = lists.as_of_date
    inner join lists as earlier
        on
            lists._release_key = earlier._release_key
            and printed_lists.before_date = earlier.as_of_date
            and lists.breakdown = earlier.breakdown
            and lists.content = earlier.content
    group by printed_lists._release_key, printed_lists.as_of_date, printed_lists.before_date, printed_lists.count
    having count(*) = printed_lists.count
),

resolved as (
    select
        releases.source,
        releases.dataset,
        releases.slice,
        figures.*,
        cubes.code as cube_code,
        (figures.as_of_date - interval '1 day')::date as period_end_date,
        case
            when figures.unit = 'percent' and figures.breakdown in ('origin', 'age', 'region') then 'share_pct'
            when figures.unit = 'percent of those of working age' and figures.breakdown = 'education' then 'share_pct'
            when figures.unit in ('persons', 'thousand persons', 'families', 'thousand families') then replace(figures.unit, ' ', '_')
        end as measure,
        case when figures.breakdown = 'region' then aliases.area_code else 'KAZ' end as area_code,
        case when figures.breakdown = 'origin' then coalesce(aliases.area_code, departure.code) else 'W1' end as departure_area_code,
        case
            when figures.breakdown = 'age' then labels.code
            -- levels of education are printed of those of working age only
            when figures.breakdown = 'education' then 'WA'
            else '_T'
        end as age_group_code,
        case when figures.breakdown = 'education' then education.code else '_T' end as education_code,
        case
            when figures.breakdown = 'all' and figures.unit in ('persons', 'thousand persons') then base_findings.finding
        end as base_finding,
        case when figures.is_share then sum_findings.finding end as sum_finding,
        case when figures.is_share then repeat_findings.finding end as repeat_finding
    from figures
    inner join releases on figures._release_key = releases.release_key
    left join cubes on releases.dataset = cubes.dataset
    left join aliases on figures.member = aliases.alias and 'mol_' || figures.breakdown = aliases.scheme
    left join areas as departure on figures.member = departure.code
    left join labels on figures.member = labels.label
    left join education on figures.member = education.code
    left join base_findings on figures._release_key = base_findings._release_key and figures.as_of_date = base_findings.as_of_date
    left join sum_findings
        on
            figures._release_key = sum_findings._release_key
            and figures.as_of_date = sum_findings.as_of_date
            and figures.breakdown = sum_findings.breakdown
    left join repeat_findings on figures._release_key = repeat_findings._release_key and figures.as_of_date = repeat_findings.as_of_date
)

select
    {{ address() }},
    cube_code,
    measure,
    area_code,
    departure_area_code,
    case
        when is_cumulative then 'range'
        when as_of_date = period_start_date + interval '1 year' then 'year'
        else 'year-to-date'
    end as period_kind,
    period_start_date,
    period_end_date,
    extract(year from period_end_date)::int as year,
    age_group_code,
    education_code,
    number as value,
    -- nobody says how near a figure is that is printed as about; what is counted in persons is whole
    case
        when qualifier = 'exact' and number is not null and unit in ('persons', 'families') then 0
        when qualifier = 'exact' and number is not null
            then 0.5 / power(10::numeric, length(split_part(translate(value, ',', '.'), '.', 2)))
    end::numeric(20, 6) as tolerance,
    qualifier,
    date_remark as remark,
    printed_by,
    printed_at,
    base_finding,
    sum_finding,
    repeat_finding,
    case
        when unit in ('persons', 'families') then {{ bns_obs_status('value', 'as_of', 'true') }}
        else {{ bns_obs_status('value', 'as_of', 'true', 'decimal') }}
    end as obs_status,
    {{ bns_missing_reason('value', 'true') }} as value_missing_reason,
    member as area_as_sourced,
    concat_ws('/', counted_since, as_of) as period_as_sourced,
    value as value_as_sourced,
    case
        when coalesce(qualifier, '') not in ('exact', 'about') then 'found ' || quote_nullable(qualifier) || ', expected exact or about'
        when printed_by is null then 'found nobody who prints it, expected a site'
        when unit in ('persons', 'families') then {{ bns_value_issue('value') }}
        else {{ bns_value_issue('value', 'decimal') }}
    end as value_issue,
    case
        when area_code is null or departure_area_code is null
            then
                'found ' || quote_nullable(member) || ', expected a region or a remainder of seed area_alias, or a country of seed area'
    end as area_issue,
    case
        when
            as_of_date is null
            or period_start_date is null
            or as_of_date <= period_start_date
            or (not is_cumulative and as_of_date > period_start_date + interval '1 year')
            or coalesce(date_remark, 'month_printed') not in ('month_printed', 'date_not_printed')
            then
                'found since ' || quote_nullable(counted_since) || ' as of ' || quote_nullable(as_of) || ', remark '
                || quote_nullable(date_remark) || ', expected a year, and the first day of a month in it or of the year after'
    end as period_issue,
    case
        when measure is null
            then
                'found ' || quote_nullable(unit) || ' by ' || quote_nullable(breakdown)
                || ', expected persons, families, thousands of them, or percent of the persons (by education of those of working age)'
    end as unit_issue,
    case
        when
            coalesce(breakdown, '') not in ('all', 'origin', 'age', 'education', 'region')
            or (breakdown = 'all' and member is distinct from 'total')
            or age_group_code is null
            or education_code is null
            then
                'found ' || quote_nullable(breakdown) || ' ' || quote_nullable(member)
                || ', expected the total, an origin, an age group, a level of education or a region'
    end as member_issue,
    null::text as dropped_because
from resolved
