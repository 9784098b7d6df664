-- How was the total of students abroad revised from one release to the next?
select year, edition, students, is_breakdown_complete, breakdown_lacks, derivation
from bi.student_mobility_all
where area_code = 'KAZ' and direction = 'outbound' and row_kind = 'total' and year between 2010 and 2018
order by year, edition
