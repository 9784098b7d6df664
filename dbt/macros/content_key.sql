{% macro content_key(parts) -%}
    {#- The first 8 bytes of the sha256 of the parts joined by '|', as a signed bigint: the same number as
        warehouse.keys.content_key. Joined by || and not by concat_ws, so that a missing part makes the key null
        and the contract refuses the row, where concat_ws would quietly leave the part out.
        A key of constants is written as bytes: convert_to is only stable, and PostgreSQL would make the key again for each row. -#}
    {%- set constant = namespace(whole=true) %}
    {%- for part in parts if not (part[0] == part[-1] == "'" and part.count("'") == 2 and part.isascii() and '\\' not in part) %}
        {%- set constant.whole = false %}
    {%- endfor %}
    {%- set bytes = "'" ~ (parts | join('|') | replace("'", '')) ~ "'::bytea" if constant.whole
        else "convert_to(" ~ (parts | join(" || '|' || ")) ~ ", 'UTF8')" %}
    (('x' || left(encode(sha256({{ bytes }}), 'hex'), 16))::bit(64)::bigint)
{%- endmacro %}


{% macro member_key(dimension, code) -%}
    {#- The key of one dimension member; `code` is an SQL expression. -#}
    {{ content_key(["'" ~ dimension ~ "'", code]) }}
{%- endmacro %}


{% macro period_key(kind, start_date, end_date) -%}
    {#- The key of a period; dates enter as ISO 8601. -#}
    {{ content_key(["'period'", kind, "to_char(" ~ start_date ~ ", 'YYYY-MM-DD')", "to_char(" ~ end_date ~ ", 'YYYY-MM-DD')"]) }}
{%- endmacro %}
