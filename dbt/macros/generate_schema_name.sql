{% macro generate_schema_name(custom_schema_name, node) -%}
    {#- The folder decides: what readers see belongs to the publication, all before it to the core. A candidate takes its publication's name once it stands. -#}
    {%- set folder = node.original_file_path.split('/')[0] -%}
    {%- if folder in ('seeds', 'staging', 'core') -%}
        {{ var('core_schema') }}
    {%- elif folder in ('dimensions', 'facts', 'marts') -%}
        candidate
    {%- else -%}
        {{ target.schema }}
    {%- endif -%}
{%- endmacro %}
