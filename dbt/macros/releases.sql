{% macro releases_to_load() -%}
    {#- Releases of the candidate that this core fact does not hold yet. A release is immutable, so what is there stays, unless it was
        landed again because its rows did not add up: dbt then replaces them in one transaction. One that breaks a constraint can be
        left out, for nothing but the candidate is loaded. -#}
    select
        release_key,
        capture
    from {{ source('meta', 'release') }} as release
    where
        release_key in (select candidate.release_key from {{ source('meta', 'candidate_release') }} as candidate)
        {% if is_incremental() -%}
            and (
                -- a look into the index for each release: `not in` would read the fact
                not exists (select 1 from {{ this }} as loaded where loaded.release_key = release.release_key)
                or release_key in (
                    select again.release_key
                    from {{ source('meta', 'reconciliation') }} as again
                    where again.core_schema = '{{ this.schema }}' and again.load_again
                )
            )
        {%- endif %}
{%- endmacro %}


{% macro is_loaded(row) -%}
    {#- Whether the row of relation alias `row` is of a release to load. The keys as an array reach the index of the raw table through every view
        and union on the way, so that a fact costs what its new releases bring; of a fact that is empty everything is read. -#}
    {{ row }}.release_key = releases.release_key
    {%- if is_incremental() %}
        and {{ row }}.release_key = any(array(select loading.release_key from releases as loading))
    {%- endif %}
{%- endmacro %}


{% macro not_quarantined(row) -%}
    {#- Whether no open quarantine pointer names the row of relation alias `row`. -#}
    not exists (
        select 1
        from {{ source('quality', 'quarantine') }} as q
        where
            q.release_key = {{ row }}.release_key
            and q.snapshot_key = {{ row }}.snapshot_key
            and q.source_row = {{ row }}.source_row
            and q.resolved_at is null
    )
{%- endmacro %}
