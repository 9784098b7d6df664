-- Figures of the ministry as four documents print them, for the periods that its own releases give them (as the press quotes these:
-- repatriation_by_year). Leaves are of the last document alone: no two documents make a sum. Cumulative figures, parts of a year whose
-- whole is there, and what earlier documents print, are subtotals. A share is of the persons of its own document and period; where that
-- number is not printed, nothing is.
with areas as (
    select * from {{ ref('dim_area') }}
),

periods as (
    select * from {{ ref('dim_period') }}
),

ages as (
    select * from {{ ref('dim_age_group') }}
),

education as (
    select * from {{ ref('dim_education') }}
),

releases as (
    select
        release_key,
        slice
    from {{ ref('dim_release') }}
),

figures as (
    select
        fact.*,
        releases.slice as document_code,
        periods.period_kind,
        periods.period_end_date,
        periods.year,
        fact.departure_area_key = {{ member_key('area', "'W1'") }} and {{ totals('fact', ['age_group', 'education']) }}
        and fact.admission = '_T' as is_whole
    from {{ ref('fct_repatriation') }} as fact
    inner join periods on fact.period_key = periods.period_key
    inner join releases on fact.release_key = releases.release_key
    where fact.is_current and fact.cube_key = {{ member_key('cube', "'bns.kandas'") }}
),

-- the persons that a share is of
wholes as (
    select
        release_key,
        area_key,
        period_key,
        value as persons
    from figures
    where measure = 'persons' and is_whole
),

last_document as (
    select document_code
    from figures
    where period_kind <> 'range'
    order by period_end_date desc, document_code desc
    limit 1
),

kinds as (
    select
        figures.*,
        case
            when figures.period_kind = 'range' or coalesce(figures.document_code <> last_document.document_code, true) then 'subtotal'
            when figures.period_kind <> 'year' and exists (
                select 1
                from figures as whole_year
                where whole_year.period_kind = 'year' and whole_year.year = figures.year and whole_year.measure = figures.measure
            ) then 'subtotal'
            else 'leaf'
        end as row_kind
    from figures
    left join last_document on true
)

select
    {{ labels('areas', 'area') }},
    {{ labels('departures', 'area', 'departure_area') }},
    {{ labels('ages', 'age_group') }},
    {{ labels('education', 'education') }},
    kinds.admission,
    periods.period_label,
    periods.period_kind,
    periods.period_start_date,
    periods.period_end_date,
    -- ten months are no year, whatever the document calls them
    case when periods.period_kind = 'year' then periods.year end as year,
    kinds.row_kind,
    kinds.document_code,
    kinds.measure,
    kinds.period_kind = 'range' and kinds.measure <> 'families_per_year' as is_cumulative,
    case when kinds.measure = 'persons' then kinds.value end::bigint as persons,
    case when kinds.measure = 'families' then kinds.value end::bigint as families,
    case when kinds.measure = 'families_per_year' then kinds.value end::bigint as families_per_year,
    case when kinds.measure = 'share_pct' then kinds.value end::numeric(12, 4) as share_pct,
    case when kinds.measure = 'share_pct' and kinds.education_key = {{ member_key('education', "'_T'") }} then wholes.persons end::bigint
        as share_denominator_persons,
    case
        when kinds.measure <> 'share_pct' then 'no share is printed'
        when kinds.education_key <> {{ member_key('education', "'_T'") }} then 'the persons of working age are printed as a share only'
        when wholes.persons is null then 'the document prints no number of persons for this period'
    end as share_missing_reason,
    case
        when kinds.measure <> 'persons' then 'printed as ' || kinds.measure || ', not as a number of persons'
        else kinds.value_missing_reason
    end as value_missing_reason,
    kinds.tolerance::numeric(12, 2) as tolerance,
    kinds.qualifier,
    kinds.remark,
    kinds.is_provisional,
    origin.edition,
    origin.edition_label,
    origin.edition_date,
    origin.capture,
    origin.sources,
    {{ key_text('kinds.release_key') }} as release_key
from kinds
inner join areas on kinds.area_key = areas.area_key
inner join areas as departures on kinds.departure_area_key = departures.area_key
inner join ages on kinds.age_group_key = ages.age_group_key
inner join education on kinds.education_key = education.education_key
inner join periods on kinds.period_key = periods.period_key
left join wholes on kinds.release_key = wholes.release_key and kinds.area_key = wholes.area_key and kinds.period_key = wholes.period_key
left join lateral (
    {{ provenance('array[kinds.release_key]', 'kinds.period_key') }}
) as origin on true
order by periods.period_end_date, kinds.document_code, kinds.measure, departures.area_sort_order, ages.sort_order, education.sort_order
