{{ config(alias='fct_area_indicator_vintage') }}

{{ facts_of('fct_area_indicator', vintages=true) }}
