-- What do two releases say of the total of students abroad, one printing it, one by way of inbound and net flow?
select year, edition, students, estimate_kind, is_breakdown_complete, breakdown_lacks, derivation
from bi.student_mobility_vintage
where area_code = 'KAZ' and direction = 'outbound' and row_kind = 'total' and year between 2010 and 2018
order by year, edition
