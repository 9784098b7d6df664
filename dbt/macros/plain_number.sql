{# Figures as the international agencies write them: digits with a decimal point, no thousands mark. No text makes these raise. #}

{% macro is_plain_number(column) -%}
    btrim({{ column }}) ~ '^-?\d{1,14}(\.\d+)?$'
{%- endmacro %}


{% macro plain_number(column) -%}
    {#- Six decimals are kept: more are float noise of the interface (99.35000000000001). The cast stands outside the case, see bns_number. -#}
    (case when {{ is_plain_number(column) }} then btrim({{ column }}) end)::numeric(20, 6)
{%- endmacro %}


{% macro unescaped(column) -%}
    {#- Without HTML entities and outer blanks: &#039; and the three that HTML needs. -#}
    btrim(replace(replace(replace(replace({{ column }}, '&#039;', ''''), '&quot;', '"'), '&lt;', '<'), '&amp;', '&'))
{%- endmacro %}
