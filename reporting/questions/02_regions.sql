-- Which regions have the most inhabitants, and where did their number change most in a year?
select
    r.region_name_en as region,
    p.period_start_date as date,
    f.value as persons,
    f.value - before.value as change_persons,
    round(100 * (f.value - before.value) / before.value, 1) as change_pct,
    f.capture
from bi.fct_population as f
inner join bi.dim_region as r on r.region_key = f.area_key
inner join bi.dim_period as p on p.period_key = f.period_key
inner join bi.dim_sex as s on s.sex_key = f.sex_key and s.sex_code = '_T'
inner join bi.dim_locality as l on l.locality_key = f.locality_key and l.locality_code = '_T'
left join bi.dim_period as last_year on last_year.period_start_date = p.period_start_date - interval '1 year' and last_year.period_kind = p.period_kind
left join bi.fct_population as before
    on before.period_key = last_year.period_key and before.series_key = f.series_key
where p.period_start_date = (select max(q.period_start_date) from bi.fct_population as g inner join bi.dim_period as q on q.period_key = g.period_key)
order by f.value desc nulls last
