{{ config(alias='fct_migrant_stock') }}

{{ facts_of('fct_migrant_stock', vintages=false) }}
