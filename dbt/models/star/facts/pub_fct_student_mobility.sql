{{ config(alias='fct_student_mobility') }}

{{ facts_of('fct_student_mobility', vintages=false) }}
