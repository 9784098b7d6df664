with areas as (
    select * from {{ ref('dim_area') }}
),

periods as (
    select * from {{ ref('dim_period') }}
),

students as (
    select * from {{ ref('int_students__by_partner') }}
    where direction = 'outbound'
)

select
    {{ labels('areas', 'area') }},
    {{ labels('hosts', 'area', 'host') }},
    hosts.area_kind as host_kind,
    {{ period_columns('periods') }},
    students.row_kind,
    students.value::numeric(14, 1) as students,
    students.value_missing_reason,
    students.total::numeric(14, 1) as total_students,
    round(students.share, 4)::numeric(12, 4) as share_pct,
    students.share_missing_reason,
    students.reported::numeric(14, 1) as reported_students,
    round(students.coverage, 4)::numeric(12, 4) as coverage,
    students.lacks,
    students.is_latest,
    students.estimate_kind,
    students.obs_status,
    students.is_provisional,
    students.derivation,
    origin.edition,
    origin.edition_label,
    origin.edition_date,
    origin.capture,
    origin.sources,
    {{ key_text('students.release_key') }} as release_key,
    {{ key_text('students.total_release_key') }} as total_release_key
from students
inner join areas on students.area_key = areas.area_key
inner join areas as hosts on students.partner_area_key = hosts.area_key
inner join periods on students.period_key = periods.period_key
left join lateral (
    {{ provenance('array[students.release_key, students.total_release_key, students.parts_release_key]', 'students.period_key') }}
) as origin on true
order by areas.area_sort_order, periods.year, hosts.area_sort_order, hosts.area_code
