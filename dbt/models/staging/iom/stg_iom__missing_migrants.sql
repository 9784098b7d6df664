{% set counts = {
    'number_dead': 'dead',
    'number_missing': 'missing',
    'total_dead_and_missing': 'dead_and_missing',
    'number_of_survivors': 'survivors',
    'number_of_female': 'females',
    'number_of_male': 'males',
    'number_of_children': 'children',
} %}

{% set day -%}
    make_date(left(incidents.reported_date, 4)::int, substr(incidents.reported_date, 6, 2)::int, 1)
    + (right(incidents.reported_date, 2)::int - 1)
{%- endset %}

with incidents as (
    select
        _release_key,
        _snapshot_key,
        _row,
        web_id,
        region,
        reported_date,
        {% for field in counts %}
            {{ field }},
        {% endfor %}
        country_of_incident,
        location_coodinates,
        source_quality,
        unsd_geographic_grouping,
        migration_route,
        region_origin,
        country_origin,
        other_fields,
        -- the id is not unique (iom.md 7.10): the content tells incidents apart, and equal ones are counted
        encode(sha256(convert_to(jsonb_build_array(
            region, reported_date, {{ counts.keys() | join(', ') }}, country_of_incident, location_coodinates, source_quality,
            cause_death, location_description, unsd_geographic_grouping, migration_route, information_source, url, region_origin,
            country_origin, other_fields
        )::text, 'UTF8')), 'hex') as content
    from {{ source('raw', 'iom_missing_migrants') }}
),

releases as (
    {{ release_rows('iom', ['missing_migrants']) }}
),

cubes as (
    select
        code,
        dataset
    from {{ ref('cube') }}
    where source_code = 'iom'
),

countries as (
    select
        {{ normalised('alias') }} as alias,
        area_code
    from {{ ref('area_alias') }}
    where scheme = 'un_name'
),

resolved as (
    select
        releases.source,
        releases.dataset,
        releases.slice,
        incidents.*,
        cubes.code as cube_code,
        countries.area_code,
        row_number() over (
            partition by incidents._release_key, incidents.web_id, incidents.content
            order by length(incidents._row), incidents._row
        ) as occurrence,
        {% for field, name in counts.items() %}
            case when {{ is_whole_number('incidents.' ~ field) }} then {{ plain_number('incidents.' ~ field) }} end as {{ name }},
        {% endfor %}
        case
            when incidents.reported_date ~ '^(19|20)\d\d-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$'
                -- a 30 February would raise as a date of its own; counted from the first of the month it falls into March and is none
                then
                    case
                        when to_char({{ day }}, 'YYYY-MM-DD') = incidents.reported_date
                            then {{ day }}
                    end
        end as reported_on,
        {{ year_in('incidents.web_id', '^YYYY\\.') }} as web_id_year,
        regexp_match(btrim(incidents.location_coodinates), '^(-?\d{1,2}(?:\.\d+)?), *(-?\d{1,3}(?:\.\d+)?)$') as coordinates
    from incidents
    inner join releases on incidents._release_key = releases.release_key
    left join cubes on releases.dataset = cubes.dataset
    left join countries on {{ normalised(unescaped('incidents.country_of_incident')) }} = countries.alias
)

select
    {{ address() }},
    cube_code,
    web_id as incident_code,
    content as content_hash,
    occurrence::int as occurrence,
    -- an incident without a country is one of an unknown area; a name that is not known is an issue
    case when country_of_incident is null then '_U' else area_code end as area_code,
    {{ unescaped('region') }} as incident_region,
    {{ unescaped('migration_route') }} as migration_route,
    -- without a day the id still tells the year (iom.md 7.13)
    case when reported_date is null then 'year' else 'instant' end as period_kind,
    case when reported_date is null then make_date(web_id_year, 1, 1) else reported_on end as period_start_date,
    case when reported_date is null then make_date(web_id_year, 12, 31) else reported_on end as period_end_date,
    coalesce(extract(year from reported_on)::int, web_id_year) as year,
    {% for name in counts.values() %}
        {{ name }} as {{ name }}_persons,
    {% endfor %}
    coordinates[1]::numeric(10, 7) as latitude,
    coordinates[2]::numeric(10, 7) as longitude,
    case when source_quality ~ '^[1-5]$' then source_quality::int end as source_quality,
    dead_and_missing as value,
    case
        when total_dead_and_missing is null then 'O'
        when dead_and_missing is not null then 'A'
    end as obs_status,
    case when total_dead_and_missing is null then 'not_available' end as value_missing_reason,
    country_of_incident as area_as_sourced,
    reported_date as period_as_sourced,
    total_dead_and_missing as value_as_sourced,
    nullif(
        concat_ws(
            '; ',
            {% for field, name in counts.items() %}
                case
                    when {{ field }} is not null and ({{ name }} is null or {{ name }} < 0)
                        then
                            '{{ field }}: found ' || quote_literal({{ field }})
                            || ', expected a whole number, not negative, or nothing'
                end,
            {% endfor %}
            case
                when dead_and_missing <> coalesce(dead, 0) + coalesce(missing, 0)
                    then
                        'found ' || total_dead_and_missing || ' in all, expected the dead ' || coalesce(number_dead, 'none')
                        || ' and the missing ' || coalesce(number_missing, 'none')
            end
        ),
        ''
    ) as value_issue,
    case
        when country_of_incident is not null and area_code is null
            then 'found country ' || quote_literal(country_of_incident) || ', expected a name of scheme un_name in seed area_alias'
    end as area_issue,
    case
        when reported_date is not null and reported_on is null
            then 'found ' || quote_literal(reported_date) || ', expected a day YYYY-MM-DD or nothing'
        when reported_date is null and web_id_year is null
            then 'found no date and the id ' || quote_nullable(web_id) || ', expected an id that begins with its year'
    end as period_issue,
    null::text as unit_issue,
    case
        when web_id is null then 'found no id'
        when
            location_coodinates is not null
            and (
                coordinates is null
                or abs(coordinates[1]::numeric) > 90
                or abs(coordinates[2]::numeric) > 180
            )
            then 'found ' || quote_literal(location_coodinates) || ', expected a latitude, a comma and a longitude'
        when coordinates[1]::numeric = 0 and coordinates[2]::numeric = 0
            then 'found ' || quote_literal(location_coodinates) || ', expected the place of the incident or nothing'
        when source_quality !~ '^[1-5]$'
            then 'found source quality ' || quote_literal(source_quality) || ', expected 1 to 5 or nothing'
    end as member_issue,
    null::text as dropped_because,
    other_fields
from resolved
