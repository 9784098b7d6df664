{# What the marts share: labels, provenance, sums that refuse to be incomplete. #}

{% macro labels(relation, dimension, shown=none) -%}
    {#- Code, three labels and sort order of a member, of an area its ISO code; `shown` renames them. -#}
    {%- set name = shown or dimension -%}
    {%- set order = 'area_sort_order' if dimension == 'area' else 'sort_order' -%}
    {{ relation }}.{{ dimension }}_code as {{ name }}_code,
    {{ relation }}.{{ dimension }}_name_kk as {{ name }}_name_kk,
    {{ relation }}.{{ dimension }}_name_ru as {{ name }}_name_ru,
    {{ relation }}.{{ dimension }}_name_en as {{ name }}_name_en,
    {{ relation }}.{{ order }} as {{ name }}_sort_order
    {%- if dimension == 'area' %},
        {{ relation }}.area_iso_code as {{ name }}_iso_code
    {%- endif %}
{%- endmacro %}


{% macro period_columns(relation) -%}
    {{ relation }}.period_label,
    {{ relation }}.period_kind,
    {{ relation }}.period_start_date,
    {{ relation }}.period_end_date,
    {{ relation }}.year
{%- endmacro %}


{% macro totals(relation, dimensions) -%}
    {#- Only the totals of these dimensions. -#}
    {% for dimension in dimensions -%}
        {{ relation }}.{{ dimension }}_key = {{ member_key(dimension, "'_T'") }}{% if not loop.last %} and {% endif %}
    {%- endfor %}
{%- endmacro %}


{% macro complete_sum(column) -%}
    {#- A sum over part of the rows is no figure of the whole. -#}
    case when count({{ column }}) = count(*) then sum({{ column }}) end
{%- endmacro %}


{% macro only_one(column) -%}
    {#- What all rows share, else null: several releases have no single address. -#}
    case when count(distinct {{ column }}) = 1 then max({{ column }}) end
{%- endmacro %}


{% macro preliminary(column) -%}
    {#- Preliminary as soon as one part is; unknown as soon as one part is unknown. -#}
    case
        when bool_or({{ column }}) then true
        when count({{ column }}) = count(*) then false
    end
{%- endmacro %}


{% macro provenance(keys, period_key) -%}
    {#- Editions, captures and sources of an array of release keys, of the figures of one period, for a lateral join. -#}
    select
        string_agg(distinct origin.edition, '; ') as edition,
        string_agg(distinct origin.edition_label, '; ') as edition_label,
        max(origin.edition_date) as edition_date,
        string_agg(distinct origin.capture, '; ') as capture,
        string_agg(distinct coalesce(made.source_code, origin.source_code), '; ') as sources
    from {{ ref('dim_release') }} as origin
    left join {{ ref('bridge_release_origin') }} as made
        on origin.release_key = made.release_key and made.period_key = {{ period_key }}
    where origin.release_key = any({{ keys }})
{%- endmacro %}


{% macro per_10000(persons, population) -%}
    round(10000 * {{ persons }} / {{ population }}, 4)::numeric(12, 4)
{%- endmacro %}


{% macro share_pct(part, whole) -%}
    round(100 * {{ part }} / nullif({{ whole }}, 0), 4)::numeric(12, 4)
{%- endmacro %}


{% macro sum_of_leaves(relation, kept) -%}
    {#- Total rows over the leaves of `relation`, whose columns are those of int_flow__paired; `kept` are the columns to group by. -#}
    select
        {{ kept | join(', ') }},
        {{ complete_sum('arrivals') }} as arrivals,
        {{ complete_sum('departures') }} as departures,
        {{ complete_sum('balance') }} as balance,
        {{ preliminary('is_provisional') }} as is_provisional,
        {{ only_one('release_key') }} as release_key,
        'sum of ' || count(*) || ' rows' as derivation
    from {{ relation }}
    where row_kind = 'leaf'
    group by {{ kept | join(', ') }}
{%- endmacro %}
