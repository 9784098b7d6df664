{% macro facts_of(fact, vintages) -%}
    {#- What readers see of a core fact: the rows of this publication's releases; its columns are those of the contract beside it. -#}
    select
        fact.*
        {%- if vintages %},
        releases.is_current
        {%- endif %}
    from {{ ref(fact) }} as fact
    inner join {{ ref('dim_release') }} as releases on fact.release_key = releases.release_key
    {%- if not vintages %}
    where releases.is_current
    {%- endif %}
{%- endmacro %}
