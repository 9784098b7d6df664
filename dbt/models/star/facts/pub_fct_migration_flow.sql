{{ config(alias='fct_migration_flow') }}

{{ facts_of('fct_migration_flow', vintages=false) }}
