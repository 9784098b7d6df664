{% macro dimension_members(seed, dimension, prefix, extra_columns=[]) -%}
    {#- A dimension over a classification seed: key, code, labels in three languages, sort order, the seed's own columns, source. -#}
    select
        {{ member_key(dimension, 'member.code') }} as {{ prefix }}_key,
        member.code as {{ prefix }}_code,
        member.name_kk as {{ prefix }}_name_kk,
        member.name_ru as {{ prefix }}_name_ru,
        member.name_en as {{ prefix }}_name_en,
        member.sort_order,
        {% for column in extra_columns -%}
            member.{{ column }},
        {% endfor -%}
        member.source as code_source
    from {{ seed }} as member
{%- endmacro %}
