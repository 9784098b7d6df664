{# What models ask of the contracts in source.yml (`make contracts`), and what the views that are written from them are made of. #}

{% macro of_contracts(columns) -%}
    {#- The rows of every view that is written from a contract, to be put below those of another relation. -#}
    {% for contract in var('contracts', []) if contract.view is defined -%}
        union all
        select {{ columns | join(', ') }}
        from {{ ref(contract.view) }}
        where dropped_because is null
    {% endfor -%}
{%- endmacro %}


{% macro cubes_of_contracts() -%}
    {#- The cube of each contract, in the order of dim_cube's own columns. -#}
    {% for contract in var('contracts', []) -%}
        union all
        select
            '{{ contract.name }}' as code,
            '{{ contract.source }}' as source_code,
            '{{ contract.dataset }}' as dataset,
            {{ quoted(contract.table) }} as source_table_id,
            {{ quoted(contract.unit) }} as unit_as_sourced,
            {{ quoted(contract.counted) }} as universe,
            null::text as parent_code,
            null::text as complete_partitions,
            {{ quoted(contract.title.kk) }} as name_kk,
            {{ quoted(contract.title.ru) }} as name_ru,
            {{ quoted(contract.title.en) }} as name_en,
            {{ 10000 + loop.index }} as sort_order,
            'extractors/{{ contract.source }}/source.yml' as source
    {% endfor -%}
{%- endmacro %}


{% macro indicators() -%}
    {#- The indicators of the seed and of each contract. -#}
    select
        code,
        source_code,
        source_indicator_id,
        unit,
        name_kk,
        name_ru,
        name_en,
        sort_order,
        source
    from {{ ref('indicator') }}
    {% for contract in var('contracts', []) -%}
        {% set first = 10000 + 100 * loop.index -%}
        {% for indicator in contract.indicators -%}
            union all
            select
                '{{ indicator.code }}' as code,
                '{{ contract.source }}' as source_code,
                {{ quoted(indicator.text) }} as source_indicator_id,
                {{ quoted(indicator.unit) }} as unit,
                {{ quoted(indicator.title.kk) }} as name_kk,
                {{ quoted(indicator.title.ru) }} as name_ru,
                {{ quoted(indicator.title.en) }} as name_en,
                {{ first + loop.index }} as sort_order,
                'extractors/{{ contract.source }}/source.yml' as source
        {% endfor -%}
    {% endfor -%}
{%- endmacro %}


{% macro quoted(text) -%}
    {#- A text as SQL writes it. -#}
    '{{ text | string | replace("'", "''") }}'
{%- endmacro %}


{% macro as_area_code(column, codes) -%}
    {#- What a column says, spelled as areas_by() spells that system of codes. -#}
    {% if codes == 'm49' -%}
        lpad(btrim({{ column }}), 3, '0')
    {%- elif codes in ('code', 'iso2', 'iso3', 'region', 'kato', 'ref_area') -%}
        btrim({{ column }})
    {%- else -%}
        {{ normalised(column) }}
    {%- endif %}
{%- endmacro %}


{% macro areas_by(codes, also={}) -%}
    {#- Areas by their code in a system: iso2, iso3, m49 or code of seed area, region, kato or ref_area of seed region, else a scheme of
        seed area_alias. `also` has an agency's own codes, which go before those of the system. -#}
    {% set columns = {
        'code': 'code', 'iso2': 'iso2_code', 'iso3': 'iso3_code', 'm49': 'm49_code', 'region': 'code', 'kato': 'kato_code',
        'ref_area': 'ref_area_code',
    } -%}
    {% set column = columns.get(codes, 'alias') -%}
    select
        {{ as_area_code('known.' ~ column, codes) }} as text,
        {% if codes in columns -%}
            known.code as area_code,
            null::int as from_year,
            null::int as to_year
        from {{ ref('region' if codes in ('region', 'kato', 'ref_area') else 'area') }} as known
        where
            known.{{ column }} is not null
        {%- else -%}
            known.area_code,
            known.valid_from_year as from_year,
            known.valid_to_year as to_year
        from {{ ref('area_alias') }} as known
        where
            known.scheme = '{{ codes }}'
        {%- endif %}
        {% for text in also -%}
            and {{ as_area_code('known.' ~ column, codes) }} <> {{ as_area_code(quoted(text), codes) }}
        {% endfor -%}
    {% for text, code in also.items() -%}
        union all
        select
            {{ as_area_code(quoted(text), codes) }} as text,
            {{ quoted(code) }} as area_code,
            null::int as from_year,
            null::int as to_year
    {% endfor -%}
{%- endmacro %}


{% macro is_area(relation, column, codes, day) -%}
    {#- Whether an area of `relation`, one of areas_by(), is what the column says on that day; without a day it means what it means today. -#}
    {{ as_area_code(column, codes) }} = {{ relation }}.text
    and coalesce(extract(year from {{ day }}), 9999) between coalesce({{ relation }}.from_year, 0) and coalesce({{ relation }}.to_year, 9999)
{%- endmacro %}


{% macro first_day(column, form) -%}
    {#- The first day of a period that is spelled as a year YYYY, a month YYYY-MM or a day YYYY-MM-DD; NULL for any other text. -#}
    {% set text = 'btrim(' ~ column ~ ')' -%}
    {% if form == 'year' -%}
        make_date({{ year_in(text, '^YYYY$') }}, 1, 1)
    {%- elif form == 'month' -%}
        make_date({{ year_in(text, '^YYYY-(?:0[1-9]|1[0-2])$') }}, substring({{ text }} from '^\d{4}-(0[1-9]|1[0-2])$')::int, 1)
    {%- else -%}
        {#- a 30 February raises as a date; counted from the first of the month it is another day -#}
        (
            select counted.day
            from (
                select
                    make_date({{ year_in(text, '^YYYY-(?:0[1-9]|1[0-2])-\\d\\d$') }}, substring({{ text }} from '^\d{4}-(\d\d)')::int, 1)
                    + substring({{ text }} from '^\d{4}-\d\d-(\d\d)$')::int - 1 as day
            ) as counted
            where to_char(counted.day, 'YYYY-MM-DD') = {{ text }}
        )
    {%- endif %}
{%- endmacro %}
