{{ config(alias='fct_vital_event') }}

{{ facts_of('fct_vital_event', vintages=false) }}
