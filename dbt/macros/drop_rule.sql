{% macro drop_rule(code) -%}
    {#- The reason of a declared rule by which a staging view drops a row. The condition stands in the view, the reason in the seed. -#}
    (select declared.reason from {{ ref('drop_rule') }} as declared where declared.code = '{{ code }}')
{%- endmacro %}
