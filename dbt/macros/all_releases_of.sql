{% macro all_releases_of(fact) -%}
    {#- What readers see of a core fact: its rows of all releases of this publication, each with whether its release is the current one. -#}
    select
        fact.*,
        releases.is_current
    from {{ ref(fact) }} as fact
    inner join {{ ref('dim_release') }} as releases on fact.release_key = releases.release_key
{%- endmacro %}


{% macro remark_is_current() -%}
    {#- The one column that such a view has beside those of its fact, said as dim_release says it. -#}
    {%- if execute -%}
        {%- set described = graph.nodes['model.koshi.dim_release'].columns['is_current'].description -%}
        comment on column {{ this }}.is_current is {{ postgres_escape_comment(described) }}
    {%- endif -%}
{%- endmacro %}
