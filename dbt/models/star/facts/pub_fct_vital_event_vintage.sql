{{ config(alias='fct_vital_event_vintage') }}

{{ facts_of('fct_vital_event', vintages=true) }}
