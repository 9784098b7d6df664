{# The parts that every staging view has. How an agency spells things is written out in the view. #}

{% macro release_rows(source_code, datasets=[]) -%}
    {#- The releases of a source, or of some of its datasets: a raw row names only its key. -#}
    select
        release_key,
        source,
        dataset,
        slice,
        attribution
    from {{ source('meta', 'release') }}
    where
        source = '{{ source_code }}'
        {%- if datasets %}
            and dataset in ('{{ datasets | join("', '") }}')
        {%- endif %}
{%- endmacro %}


{% macro address() -%}
    {#- What a row belongs to, and where it stands in the bytes. -#}
    source,
    dataset,
    slice,
    _release_key as release_key,
    _snapshot_key as snapshot_key,
    _row as source_row
{%- endmacro %}


{% macro territory_exists(region, year) -%}
    {#- Whether the population flow has the region in that year; `region` is an alias of seed region. Unknown without a year. -#}
    {{ year }} >= coalesce({{ region }}.population_from_year, {{ year }})
    and {{ year }} <= coalesce({{ region }}.population_to_year, {{ year }})
{%- endmacro %}


{% macro year_in(text, spelling) -%}
    {#- The year in a text that is spelled so: a regular expression in which YYYY stands for the year. NULL for any other text. -#}
    substring({{ text }} from '{{ spelling | replace("YYYY", "((?:19|20)\\d\\d)") }}')::int
{%- endmacro %}
