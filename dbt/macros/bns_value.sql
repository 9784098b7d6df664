{# How the national bureau writes figures and gaps (sources: bns.md 4.2). Every expression is total: no text makes it raise. #}

{% macro bns_text(column) -%}
    btrim({{ column }}, E' \t\r\n\u00A0\u202F')
{%- endmacro %}


{% macro bns_is_number(column) -%}
    {#- Sign - or U+2212; thousands by U+0020, U+00A0 or U+202F; decimal comma or point; a star for preliminary.
        At most 14 digits before and 6 after the mark, the room of numeric(20,6): more is an issue, not a rounding. -#}
    {{ bns_text(column) }} ~ '^[-\u2212]?(\d{1,14}|\d{1,3}([ \u00A0\u202F]\d{3}){1,3})([.,]\d{1,6})?[ \u00A0\u202F]?\*?$'
{%- endmacro %}


{% macro bns_number(column) -%}
    {#- The cast stands outside: a case over a null branch forgets the precision, and the fact's contract compares it. -#}
    (
        case
            when {{ bns_is_number(column) }}
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


{% macro bns_obs_status(column, period, territory_exists) -%}
    {#- SDMX observation status; null where the value has an issue. A dash is M only where the territory did not exist. -#}
    case {{ bns_gap(column) }}
        when 'empty' then 'O'
        when 'dash' then case when ({{ territory_exists }}) is false then 'M' else 'O' end
        when 'suppressed' then 'Q'
        else
            case
                when not {{ bns_is_number(column) }} then null
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


{% macro bns_value_issue(column) -%}
    case
        when {{ bns_gap(column) }} is null and not {{ bns_is_number(column) }}
            then 'found ' || quote_literal({{ column }}) || ', expected a number or a gap mark (- x or nothing)'
    end
{%- endmacro %}


{% macro normalised(column) -%}
    {#- Letters small, ends trimmed, every run of spaces one space: what aliases are compared by. -#}
    lower(btrim(regexp_replace({{ column }}, '[\s\u00A0\u202F]+', ' ', 'g')))
{%- endmacro %}
