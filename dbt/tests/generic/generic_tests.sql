{% test is_key(model, columns) %}
    {#- Fails for each combination of `columns` that is null in part or occurs more than once. -#}
    select
        {{ columns | join(', ') }},
        count(*) as occurrences
    from {{ model }}
    group by {{ columns | join(', ') }}
    having count(*) > 1 or count(*) filter (where {{ columns | join(' is null or ') }} is null) > 0
{% endtest %}


{% test keys_resolve(model, dimensions) %}
    {#- Fails for each fact row with a key that its dimension lacks: inner joins must keep every total.
        `dimensions`: for each key column of the fact the dimension and its key. Rows that readers see just so, beside members that
        are as they were, were looked at when they came. -#}
    {% for key in dimensions %}
        select
            '{{ key.column }}' as key_column,
            fact.{{ key.column }}::text as unknown_key,
            count(*) as fact_rows,
            array_agg(distinct fact.release_key) as release_keys
        from {{ model }} as fact
        left join {{ key.to }} as dimension on fact.{{ key.column }} = dimension.{{ key.field }}
        where
            dimension.{{ key.field }} is null
            {%- if target.name == 'prod' %}
                and fact.release_key = any(
                    array(select looked_at.release_key from {{ source('meta', 'candidate_release') }} as looked_at where not looked_at.is_as_shown)
                )
            {%- endif %}
        group by fact.{{ key.column }}
        {% if not loop.last %}union all{% endif %}
    {% endfor %}
{% endtest %}


{% test members_exist(model, column, seeds) %}
    {#- Fails for each value of `column` that none of the classification seeds has as its code. -#}
    select source_row.{{ column }} as unknown_code
    from {{ model }} as source_row
    where
        source_row.{{ column }} is not null
        {% for seed in seeds %}
            and not exists (select 1 from {{ seed }} as member where member.code = source_row.{{ column }})
        {% endfor %}
{% endtest %}


{% test one_current_per_slice(model) %}
    {#- Fails for each slice that has not exactly one current release. -#}
    select
        source_code,
        dataset,
        slice,
        count(*) filter (where is_current) as current_releases,
        array_agg(release_key) as release_keys
    from {{ model }}
    group by source_code, dataset, slice
    having count(*) filter (where is_current) <> 1
{% endtest %}


{% test rows_promised(model, each, of, where=none) %}
    {#- Fails for each combination of what occurs in the columns `each` and in the columns `of` that has no row: none may vanish where a
        figure is missing. `where` leaves out rows that promise nothing. -#}
    with kept as (
        select * from {{ model }}
        {% if where %}where {{ where }}{% endif %}
    ),

    first_part as (
        select distinct {{ each | join(', ') }} from kept
    ),

    second_part as (
        select distinct {{ of | join(', ') }} from kept
    )

    select
        {{ (each + of) | join(', ') }}
    from first_part
    cross join second_part
    where not exists (
        select 1
        from kept
        where
            {% for column in each %}kept.{{ column }} = first_part.{{ column }} and {% endfor %}
            {% for column in of %}kept.{{ column }} = second_part.{{ column }}{% if not loop.last %} and {% endif %}{% endfor %}
    )
{% endtest %}
