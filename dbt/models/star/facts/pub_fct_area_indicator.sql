{{ config(alias='fct_area_indicator') }}

{{ facts_of('fct_area_indicator', vintages=false) }}
