{# How the national bureau writes figures and gaps (sources: bns.md 4.2). Every expression is total: no text makes it raise. #}

{% macro bns_text(column) -%}
    btrim({{ column }}, E' \t\r\n\u00A0\u202F')
{%- endmacro %}


{% macro bns_is_number(column, unit='whole') -%}
    {#- Sign - or U+2212; thousands by U+0020, U+00A0 or U+202F; a star for preliminary; at most 14 digits, the room of numeric(20,6).
        A unit is `whole` (persons, families, births) or `decimal` (shares): what is counted is not divided, so a decimal part holds
        nothing but one or two zeros. A mark before three digits may be one of thousands as well as one of decimals, and is never
        guessed, unless nothing stands before it but a zero. -#}
    (
        {{ bns_text(column) }} ~ '^[-\u2212]?(\d{1,14}|\d{1,3}([ \u00A0\u202F]\d{3}){1,3})([.,]
            {%- if unit == 'whole' %}0{1,2}{% else %}\d{1,6}{% endif %})?[ \u00A0\u202F]?\*?$'
        and not {{ could_be_thousands(bns_text(column)) }}
    )
{%- endmacro %}


{% macro bns_number(column, unit='whole') -%}
    {#- The cast stands outside: a case over a null branch forgets the precision, and the fact's contract compares it. -#}
    (
        case
            when {{ bns_is_number(column, unit) }}
                then regexp_replace(translate({{ column }}, E'\u2212,', '-.'), '[^0-9.-]', '', 'g')
        end
    )::numeric(20, 6)
{%- endmacro %}


{% macro bns_gap(column) -%}
    {#- 'empty', 'dash' or 'suppressed' for a gap mark, else null. The x may be Latin or Cyrillic, small or capital. -#}
    case
        when coalesce({{ bns_text(column) }}, '') in ('', 'null') then 'empty'
        when {{ bns_text(column) }} = '-' then 'dash'
        when {{ bns_text(column) }} ~ '^[xX\u0445\u0425]$' then 'suppressed'
    end
{%- endmacro %}


{% macro bns_obs_status(column, period, territory_exists, unit='whole') -%}
    {#- SDMX observation status; null where the value has an issue. A dash is M only where the territory did not exist. -#}
    case {{ bns_gap(column) }}
        when 'empty' then 'O'
        when 'dash' then case when ({{ territory_exists }}) is false then 'M' else 'O' end
        when 'suppressed' then 'Q'
        else
            case
                when not {{ bns_is_number(column, unit) }} then null
                when {{ bns_text(column) }} like '%*' or {{ bns_text(period) }} like '%*' then 'P'
                else 'A'
            end
    end
{%- endmacro %}


{% macro bns_missing_reason(column, territory_exists) -%}
    case {{ bns_gap(column) }}
        when 'empty' then 'not_available'
        when 'dash' then case when ({{ territory_exists }}) is false then 'not_applicable' else 'not_available' end
        when 'suppressed' then 'suppressed'
    end
{%- endmacro %}


{% macro bns_value_issue(column, unit='whole') -%}
    case
        when {{ bns_gap(column) }} is not null or {{ bns_is_number(column, unit) }} then null
        when {{ could_be_thousands(bns_text(column)) }}
            then 'found ' || quote_literal({{ column }}) || ', expected thousands marked by a space: the mark could be one of decimals'
        {%- if unit == 'whole' %}
            when {{ bns_is_number(column, 'decimal') }}
                then 'found ' || quote_literal({{ column }}) || ', expected a whole number: nobody is counted in parts'
        {%- endif %}
        else 'found ' || quote_literal({{ column }}) || ', expected a number or a gap mark (- x or nothing)'
    end
{%- endmacro %}


{% macro normalised(column) -%}
    {#- Letters small, ends trimmed, every run of spaces one space: what aliases are compared by. -#}
    lower(btrim(regexp_replace({{ column }}, '[\s\u00A0\u202F]+', ' ', 'g')))
{%- endmacro %}


{% macro territory(column) -%}
    {#- A territory's name as tables print it: without the word for a region, with one spelling of the word for a city. -#}
    btrim(regexp_replace(
        regexp_replace(translate({{ normalised(column) }}, '_', ' '), '(^| )(область|обл\.)( |$)', ' '), '^(г\.|город) *', 'г. '
    ))
{%- endmacro %}


{% macro territories(scheme) -%}
    {#- The names of one table, and those that the bureau gives or gave the territories elsewhere; a name may mean another area by year. -#}
    select
        {{ territory('own.alias') }} as alias,
        own.area_code,
        own.valid_from_year,
        own.valid_to_year
    from {{ ref('area_alias') }} as own
    where own.scheme = '{{ scheme }}'
    union all
    select
        {{ territory('other.alias') }} as alias,
        other.area_code,
        other.valid_from_year,
        other.valid_to_year
    from {{ ref('area_alias') }} as other
    where
        other.scheme = 'bns_name'
        and {{ territory('other.alias') }} not in (
            select {{ territory('own.alias') }} from {{ ref('area_alias') }} as own where own.scheme = '{{ scheme }}'
        )
{%- endmacro %}


{% macro is_named(relation, column, year) -%}
    {#- Whether the alias of `relation`, one of territories(), is the territory that `column` prints of that year. -#}
    {{ territory(column) }} = {{ relation }}.alias
    -- without a year a name means what it means today
    and coalesce({{ year }}, 9999) between coalesce({{ relation }}.valid_from_year, 0) and coalesce({{ relation }}.valid_to_year, 9999)
{%- endmacro %}
