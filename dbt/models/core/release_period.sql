{{ config(indexes=[{'columns': ['release_key']}]) }}

with releases as (
    {{ releases_to_load() }}
),

-- every staging view that feeds a fact: those written by hand, then those of contracts
observed as (
    {% for view in [
        'stg_bns__external_migration', 'stg_bns__population', 'stg_bns__net_migration', 'stg_bns__vital_event',
        'stg_bns__internal_by_region', 'stg_bns__internal_matrix', 'stg_bns__printed_flow', 'stg_bns__kandas',
        'stg_uis__observation', 'stg_undesa__stock', 'stg_iom__missing_migrants', 'stg_mol__kandas', 'stg_cisstat__external_flows',
    ] -%}
        select
            release_key,
            snapshot_key,
            source_row,
            period_kind,
            period_start_date,
            period_end_date
        from {{ ref(view) }}
        where dropped_because is null
        {% if not loop.last -%}
            union all
        {% endif -%}
    {% endfor %}
    {{ of_contracts(['release_key', 'snapshot_key', 'source_row', 'period_kind', 'period_start_date', 'period_end_date']) }}
),

-- first what there is, then the key of each: a hash a row would be ten thousands of hashes
found as (
    select distinct
        observed.release_key,
        observed.period_kind,
        observed.period_start_date,
        observed.period_end_date
    from observed
    inner join releases on {{ is_loaded('observed') }}
    where {{ not_quarantined('observed') }}
)

select
    found.release_key,
    {{ period_key('found.period_kind', 'found.period_start_date', 'found.period_end_date') }} as period_key,
    found.period_kind,
    found.period_start_date,
    found.period_end_date
from found
order by found.period_end_date, period_key
