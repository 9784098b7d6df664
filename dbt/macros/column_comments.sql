{# dbt asks the database for a relation's columns before it remarks on them. Every relation of ours has a contract: it has the columns declared. #}

{% macro postgres__alter_column_comment(relation, column_dict) -%}
    {%- for column in column_dict.values() %}
        comment on column {{ relation }}.{{ adapter.quote(column['name']) }} is {{ postgres_escape_comment(column['description']) }};
    {%- endfor %}
{%- endmacro %}
