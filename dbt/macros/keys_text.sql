{% macro key_text(key) -%}
    {#- A key as 16 hexadecimal digits, as warehouse.keys.hex_key writes it: pandas, R and workbooks spoil a bigint of 19 digits. -#}
    lpad(to_hex({{ key }}), 16, '0')
{%- endmacro %}
