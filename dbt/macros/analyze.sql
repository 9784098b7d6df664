{# Statistics for a table as soon as it stands: what is built next plans on it, and autovacuum comes at its own time. A table that grows by
   releases is analyzed whole when a tenth of it is new (warehouse.statistics has the same rule); else the planner hears of the new release. #}

{% macro analyze() -%}
    {%- if config.get('materialized') == 'incremental' -%}
        do $$
        begin
            if (
                select
                    reltuples < 0
                    or pg_stat_get_mod_since_analyze(oid) + pg_stat_get_xact_tuples_inserted(oid) + pg_stat_get_xact_tuples_updated(oid)
                    + pg_stat_get_xact_tuples_deleted(oid) > 0.1 * reltuples
                from pg_class where oid = '{{ this }}'::regclass
            ) then
                analyze {{ this }};
            elsif (select pg_stat_get_xact_tuples_inserted('{{ this }}'::regclass) > 0) then
                analyze {{ this }} (release_key);
            end if;
        end $$
    {%- elif config.get('materialized') != 'view' -%}
        analyze {{ this }}
    {%- endif -%}
{%- endmacro %}
