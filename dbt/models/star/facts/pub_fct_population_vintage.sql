{{ config(alias='fct_population_vintage') }}

{{ facts_of('fct_population', vintages=true) }}
