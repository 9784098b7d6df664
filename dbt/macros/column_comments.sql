{# Comments say more than descriptions: what a relation promises, what a measure is counted in.
   dbt asks the database for a relation's columns before it remarks on them. Every relation of ours has a contract: it has the columns declared. #}

{% macro postgres__alter_relation_comment(relation, comment) -%}
    comment on {{ relation.type }} {{ relation }} is {{ postgres_escape_comment(said_of_relation(comment, model['config'].get('meta') or {})) }};
{%- endmacro %}


{% macro said_of_relation(description, meta) -%}
    {{ description | trim }}
    {%- if meta.get('default_partition') %} What adds up: {{ meta['default_partition'] }}.{% endif -%}
    {%- if meta.get('promises') %} Rows that are there: {{ meta['promises'] }}.{% endif -%}
    {%- if meta.get('coverage') %} A date is complete if {{ meta['coverage'] }}.{% endif -%}
{%- endmacro %}


{% macro postgres__alter_column_comment(relation, column_dict) -%}
    {%- for column in column_dict.values() %}
        comment on column {{ relation }}.{{ adapter.quote(column['name']) }} is {{ postgres_escape_comment(said_of(column)) }};
    {%- endfor %}
{%- endmacro %}


{% macro said_of(column) -%}
    {#- What a column's comment says: its description, and of a measure its unit and whether it adds up, for many tools show nothing else. -#}
    {%- set meta = column['meta'] or {} -%}
    {{ column['description'] | trim }}
    {%- if meta.get('unit') %} Unit: {{ meta['unit'] }}.{% endif -%}
    {%- if meta.get('over') %} Adds up over {{ meta['over'] | join(', ') }}.{% elif meta.get('aggregation') == 'none' %} Not to be added up.{% endif -%}
{%- endmacro %}
