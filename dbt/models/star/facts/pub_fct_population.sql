{{ config(alias='fct_population') }}

{{ facts_of('fct_population', vintages=false) }}
