-- Where do students from Kazakhstan study (the last year whose hosts report nine tenths of them)?
select year, host_name_en as host, students, round(share_pct, 1) as share_pct, coverage, edition, capture
from bi.students_by_host_latest
where area_code = 'KAZ'
order by students desc
limit 10
