{{ config(alias='fct_migration_incident_vintage') }}

{{ facts_of('fct_migration_incident', vintages=true) }}
