{{ config(alias='fct_internal_move') }}

{{ facts_of('fct_internal_move', vintages=false) }}
