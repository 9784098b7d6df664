{{ config(alias='fct_repatriation_vintage') }}

{{ facts_of('fct_repatriation', vintages=true) }}
