{{ config(alias='fct_migrant_stock_vintage') }}

{{ facts_of('fct_migrant_stock', vintages=true) }}
