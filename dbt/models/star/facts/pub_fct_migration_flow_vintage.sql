{{ config(alias='fct_migration_flow_vintage') }}

{{ facts_of('fct_migration_flow', vintages=true) }}
