-- Where do students from Kazakhstan study (2019, reported by hosts)?
select partner_name_en as host, students, round(share_pct, 1) as share_pct, edition, capture
from bi.student_mobility
where area_code = 'KAZ' and direction = 'outbound' and year = 2019
order by students desc
limit 10
