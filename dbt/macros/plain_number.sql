{# Figures as the international agencies write them: digits with a decimal point, no thousands mark. No text makes these raise. #}

{% macro is_plain_number(column) -%}
    btrim({{ column }}) ~ '^-?\d{1,14}(\.\d+)?$'
{%- endmacro %}


{% macro could_be_thousands(text) -%}
    {#- A mark with three digits behind it and one to three before: of decimals or of thousands, nobody knows. -#}
    {{ text }} ~ '^[-\u2212]?[1-9]\d{0,2}[.,]\d{3}[ \u00A0\u202F]?\*?$'
{%- endmacro %}


{% macro is_whole_number(column) -%}
    {#- What is counted is not divided; three digits after the point could be thousands, and are never guessed. -#}
    btrim({{ column }}) ~ '^-?\d{1,14}(\.0{1,2})?$'
{%- endmacro %}


{% macro plain_number(column) -%}
    {#- Six decimals are kept: more are float noise of the interface (99.35000000000001). The cast stands outside the case, see bns_number. -#}
    (case when {{ is_plain_number(column) }} then btrim({{ column }}) end)::numeric(20, 6)
{%- endmacro %}


{% macro unescaped(column) -%}
    {#- Without HTML entities and outer blanks: &#039; and the three that HTML needs. -#}
    btrim(replace(replace(replace(replace({{ column }}, '&#039;', ''''), '&quot;', '"'), '&lt;', '<'), '&amp;', '&'))
{%- endmacro %}
