{{ config(alias='fct_migration_incident') }}

{{ facts_of('fct_migration_incident', vintages=false) }}
