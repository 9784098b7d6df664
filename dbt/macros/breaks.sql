{% macro territory_cut(releases) -%}
    {#- The cut of the territory that a release of population has: of the last edition at or before its own that changed it. -#}
    coalesce(
        (
            select max(extent.territory_cut)
            from {{ ref('region_extent') }} as extent
            where
                extent.territory_cut <> 'earlier'
                and {{ releases }}.rank_basis = 'agency'
                and extent.territory_cut <= {{ releases }}.edition
        ),
        'earlier'
    )
{%- endmacro %}


{% macro series_breaks(by_cut=false) -%}
    {#- Breaks by dataset, area and date; kinds that fall on one date are named together. Every area has the general ones.
        `by_cut` names for each cut of the territory its breaks (column territory_cut); else only those of every edition. -#}
    select
        breaks.dataset,
        areas.code as area_code,
        {% if by_cut -%}
            cuts.territory_cut,
        {% endif -%}
        breaks.break_date,
        string_agg(distinct breaks.break_kind, ', ' order by breaks.break_kind) as break_kind
    from {{ ref('series_break') }} as breaks
    inner join (
        select code from {{ ref('area') }}
        union all
        select code from {{ ref('region') }}
    ) as areas on areas.code = coalesce(breaks.area_code, areas.code)
    {% if by_cut -%}
        inner join (select distinct extent.territory_cut from {{ ref('region_extent') }} as extent) as cuts
            on cuts.territory_cut = coalesce(breaks.territory_cut, cuts.territory_cut)
    {% endif -%}
    where
        breaks.source_code = 'bns'
        {% if not by_cut -%}
            and breaks.territory_cut is null
        {% endif -%}
    group by breaks.dataset, areas.code, breaks.break_date{% if by_cut %}, cuts.territory_cut{% endif %}
{%- endmacro %}


{% macro provisional(obs_status) -%}
    {#- The bureau marks what is preliminary and never says that a figure is final: without a mark it is unknown (null). -#}
    case when {{ obs_status }} = 'P' then true end
{%- endmacro %}
