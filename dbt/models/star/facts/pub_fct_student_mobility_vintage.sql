{{ config(alias='fct_student_mobility_vintage') }}

{{ facts_of('fct_student_mobility', vintages=true) }}
