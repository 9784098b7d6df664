-- What do two releases say of the total of students abroad, one printing it, one by way of inbound and net flow?
select year, edition, outbound_students, outbound_estimate_kind, derivation
from bi.student_totals_vintage
where area_code = 'KAZ' and year between 2010 and 2018
order by year, edition
