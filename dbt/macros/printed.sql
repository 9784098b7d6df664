{# How the transcriptions of printed figures write periods. Every expression is total: no text makes it raise. #}

{% macro printed_is_period(column) -%}
    {{ column }} ~ '^(19|20)\d\d(-(0[1-9]|1[0-2]))?$'
{%- endmacro %}


{% macro printed_first_day(column) -%}
    {#- YYYY is its first day, YYYY-MM the first day of the month. -#}
    case
        when {{ printed_is_period(column) }}
            then make_date(left({{ column }}, 4)::int, coalesce(nullif(substr({{ column }}, 6), ''), '1')::int, 1)
    end
{%- endmacro %}


{% macro printed_last_day(column) -%}
    {#- YYYY is its last day, YYYY-MM the last day of the month. -#}
    case
        when {{ printed_is_period(column) }}
            then
                (
                    make_date(left({{ column }}, 4)::int, coalesce(nullif(substr({{ column }}, 6), ''), '12')::int, 1)
                    + interval '1 month - 1 day'
                )::date
    end
{%- endmacro %}


{% macro printed_period_issue() -%}
    case
        when not coalesce({{ printed_is_period('period_start') }} and {{ printed_is_period('period_end') }}, false)
            or period_start_date > period_end_date
            then
                'found ' || quote_nullable(period_start) || ' to ' || quote_nullable(period_end)
                || ', expected YYYY or YYYY-MM, the end not before the start'
    end
{%- endmacro %}
