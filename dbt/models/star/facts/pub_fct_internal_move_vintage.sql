{{ config(alias='fct_internal_move_vintage') }}

{{ facts_of('fct_internal_move', vintages=true) }}
