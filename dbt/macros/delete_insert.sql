{# dbt asks `release_key in (select distinct …)`, for which PostgreSQL reads the whole table. As an array the keys reach its index. #}

{% macro postgres__get_delete_insert_merge_sql(target, source, unique_key, dest_columns, incremental_predicates) -%}
    {%- if unique_key is not string or incremental_predicates -%}
        {%- do exceptions.raise_compiler_error(target ~ ': expected one unique_key and no incremental_predicates, see macros/delete_insert.sql') -%}
    {%- endif -%}
    {%- set columns = get_quoted_csv(dest_columns | map(attribute='name')) -%}
    delete from {{ target }}
    where {{ unique_key }} = any(array(select distinct new.{{ unique_key }} from {{ source }} as new));

    insert into {{ target }} ({{ columns }})
    select {{ columns }}
    from {{ source }}
{%- endmacro %}
