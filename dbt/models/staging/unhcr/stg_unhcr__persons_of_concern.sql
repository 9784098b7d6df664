{# Written by `make contracts` from extractors/unhcr/source.yml, `staging` of persons_of_concern: change that, not this. #}
{{ config(enabled='unhcr.persons_of_concern' in var('contracts', []) | map(attribute='name')) }}

with records as (
    select
        _release_key,
        _snapshot_key,
        _row,
        "asylum" as area_as_sourced,
        "origin" as counterpart_as_sourced,
        "year" as period_as_sourced,
        "category" as indicator_as_sourced,
        "persons" as value_as_sourced,
        null::text as status_as_sourced,
        null::text as sex_as_sourced,
        null::text as unit_as_sourced,
        null::text as dropped_because
    from {{ source('unhcr', 'persons_of_concern') }}
),

releases as (
    {{ release_rows('unhcr', ['persons_of_concern']) }}
),

areas as (
    {{ areas_by('iso3', {"UNK": "_U"}) }}
),

counterparts as (
    {{ areas_by('iso3', {"UNK": "_U", "XXA": "_Z"}) }}
),

typed as (
    select
        releases.source,
        releases.dataset,
        releases.slice,
        records.*,
        case coalesce(btrim(records.indicator_as_sourced), '')
            when 'refugees' then 'unhcr.persons_of_concern.refugees'
            when 'asylum_seekers' then 'unhcr.persons_of_concern.asylum_seekers'
            when 'returned_refugees' then 'unhcr.persons_of_concern.returned_refugees'
            when 'stateless' then 'unhcr.persons_of_concern.stateless'
            when 'ooc' then 'unhcr.persons_of_concern.ooc'
            when 'oip' then 'unhcr.persons_of_concern.oip'
        end as indicator_code,
        '_T'::text as sex_code,
        case coalesce(btrim(records.value_as_sourced), '')
            when '' then 'not_available'
            when '-' then 'not_available'
        end as gap,
        'A'::text as status,
        {{ plain_number('records.value_as_sourced') }} as number,
        {{ first_day('records.period_as_sourced', 'year') }} as first_day
    from records
    inner join releases on records._release_key = releases.release_key
),

resolved as (
    select
        typed.*,
        extract(year from typed.first_day)::int as year,
        areas.area_code,
        counterparts.area_code as counterpart_area_code
    from typed
    left join areas on {{ is_area('areas', 'typed.area_as_sourced', 'iso3', 'typed.first_day') }}
    left join counterparts on {{ is_area('counterparts', 'typed.counterpart_as_sourced', 'iso3', 'typed.first_day') }}
),

judged as (
    select
        *,
        case
            when dropped_because is not null then null
            when gap is null and number is null
                then 'found ' || quote_nullable(value_as_sourced) || ', expected a plain number or - or nothing'
            when
                gap is null
                and not {{ is_whole_number('value_as_sourced') }}
                then 'found ' || quote_nullable(value_as_sourced) || ', expected whole persons'
            when
                gap is null
                and number < 0
                then 'found ' || quote_nullable(value_as_sourced) || ', expected no negative number'
        end as value_issue
    from resolved
)

select
    {{ address() }},
    'unhcr.persons_of_concern'::text as cube_code,
    area_code,
    counterpart_area_code,
    case when dropped_because is null then indicator_code end as indicator_code,
    sex_code,
    'instant'::text as period_kind,
    make_date(year, 12, 31) as period_start_date,
    make_date(year, 12, 31) as period_end_date,
    year,
    'observed'::text as estimate_kind,
    (case when value_issue is null and gap is null then number end)::numeric(20, 6) as value,
    case
        when value_issue is null
            then
                case coalesce(btrim(gap), '')
                    when 'not_available' then 'O'
                    when 'suppressed' then 'Q'
                    when 'not_applicable' then 'M'
                    when 'included_elsewhere' then 'K'
                    when 'not_collected' then 'L'
                    else status
                end
    end as obs_status,
    case when value_issue is null then gap end as value_missing_reason,
    case coalesce(btrim(year::text), '')
        when '2025' then 'definition'
    end as break_kind,
    area_as_sourced,
    period_as_sourced,
    value_as_sourced,
    value_issue,
    case
        when dropped_because is not null then null
        when area_code is null
            then
                'found ' || quote_nullable(area_as_sourced)
                || ', expected an ISO 3166 alpha-3 code of seed area, UNK'
        when counterpart_area_code is null
            then
                'found counterpart ' || quote_nullable(counterpart_as_sourced)
                || ', expected an ISO 3166 alpha-3 code of seed area, UNK or XXA'
    end as area_issue,
    case
        when dropped_because is null and first_day is null
            then 'found ' || quote_nullable(period_as_sourced) || ', expected a year YYYY'
    end as period_issue,
    null::text as unit_issue,
    case
        when dropped_because is not null then null
        when indicator_code is null
            then 'found indicator ' || quote_nullable(indicator_as_sourced) || ', expected one of the 6 texts of the contract'
    end as member_issue,
    dropped_because
from judged
