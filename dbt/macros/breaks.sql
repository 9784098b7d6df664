{% macro series_breaks() -%}
    {#- Breaks by dataset, area and date; kinds that fall on one date are named together. Every area has the general ones. -#}
    select
        breaks.dataset,
        areas.code as area_code,
        breaks.break_date,
        string_agg(distinct breaks.break_kind, ', ' order by breaks.break_kind) as break_kind
    from {{ ref('series_break') }} as breaks
    inner join (
        select code from {{ ref('area') }}
        union all
        select code from {{ ref('region') }}
    ) as areas on areas.code = coalesce(breaks.area_code, areas.code)
    where breaks.source_code = 'bns'
    group by breaks.dataset, areas.code, breaks.break_date
{%- endmacro %}


{% macro provisional(obs_status) -%}
    {#- The bureau marks what is preliminary and never says that a figure is final: without a mark it is unknown (null). -#}
    case when {{ obs_status }} = 'P' then true end
{%- endmacro %}
