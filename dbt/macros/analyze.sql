{# Statistics for a table as soon as it stands: what is built next plans on it, and autovacuum comes at its own time. #}

{% macro analyze() -%}
    {%- if config.get('materialized') != 'view' -%}
        analyze {{ this }}
    {%- endif -%}
{%- endmacro %}
