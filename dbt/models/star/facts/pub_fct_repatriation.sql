{{ config(alias='fct_repatriation') }}

{{ facts_of('fct_repatriation', vintages=false) }}
