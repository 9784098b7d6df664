-- Every year that has flows has a row: where no table of countries is at hand, the share is NULL and says so. The CIS is that of the table
-- (with or without Ukraine), of the agency that migration_by_country prefers in that year.
with years as (
    select
        area_code,
        area_name_kk,
        area_name_ru,
        area_name_en,
        area_sort_order,
        area_iso_code,
        period_label,
        period_kind,
        period_start_date,
        period_end_date,
        year
    from {{ ref('migration_balance') }}
    where row_kind = 'leaf'
),

groups as (
    select
        area_code,
        period_start_date,
        max(source_code) as source_code,
        max(arrivals_persons) filter (where counterpart_code = 'CIS') as arrivals_cis,
        max(arrivals_persons) filter (where counterpart_code = 'CIS+UKR') as arrivals_cis_and_ukraine,
        max(departures_persons) filter (where counterpart_code = 'CIS') as departures_cis,
        max(departures_persons) filter (where counterpart_code = 'CIS+UKR') as departures_cis_and_ukraine,
        max(arrivals_total_persons) as arrivals_total,
        max(departures_total_persons) as departures_total,
        string_agg(distinct counterpart_code || ': ' || derivation, '; ') as derivation,
        {{ preliminary('is_provisional') }} as is_provisional,
        max(edition) as edition,
        max(edition_label) as edition_label,
        max(edition_date) as edition_date,
        max(capture) as capture,
        max(sources) as sources,
        max(arrivals_release_key) as arrivals_release_key,
        max(departures_release_key) as departures_release_key
    from {{ ref('migration_by_country') }}
    where is_preferred and counterpart_code in ('CIS', 'CIS+UKR')
    group by area_code, period_start_date
)

select
    years.area_code,
    years.area_name_kk,
    years.area_name_ru,
    years.area_name_en,
    years.area_sort_order,
    years.area_iso_code,
    years.period_label,
    years.period_kind,
    years.period_start_date,
    years.period_end_date,
    years.year,
    groups.arrivals_total as arrivals_total_persons,
    groups.arrivals_cis as arrivals_cis_persons,
    groups.arrivals_cis_and_ukraine as arrivals_cis_and_ukraine_persons,
    {{ share_pct('groups.arrivals_cis::numeric', 'groups.arrivals_total') }} as arrivals_cis_share_pct,
    {{ share_pct('groups.arrivals_cis_and_ukraine::numeric', 'groups.arrivals_total') }} as arrivals_cis_and_ukraine_share_pct,
    groups.departures_total as departures_total_persons,
    groups.departures_cis as departures_cis_persons,
    groups.departures_cis_and_ukraine as departures_cis_and_ukraine_persons,
    {{ share_pct('groups.departures_cis::numeric', 'groups.departures_total') }} as departures_cis_share_pct,
    {{ share_pct('groups.departures_cis_and_ukraine::numeric', 'groups.departures_total') }} as departures_cis_and_ukraine_share_pct,
    case
        when groups.area_code is null then 'no table of countries of this year is at hand'
        when num_nulls(groups.arrivals_cis, groups.arrivals_cis_and_ukraine, groups.departures_cis, groups.departures_cis_and_ukraine) > 0
            then 'a flow of the CIS or of Ukraine is missing'
        when num_nulls(nullif(groups.arrivals_total, 0), nullif(groups.departures_total, 0)) > 0 then 'a total is missing or zero'
    end as share_missing_reason,
    case when groups.area_code is not null then 'derived' end as estimate_kind,
    groups.derivation,
    groups.is_provisional,
    groups.source_code,
    groups.edition,
    groups.edition_label,
    groups.edition_date,
    groups.capture,
    groups.sources,
    groups.arrivals_release_key,
    groups.departures_release_key
from years
left join groups on years.area_code = groups.area_code and years.period_start_date = groups.period_start_date
order by years.area_sort_order, years.period_start_date
