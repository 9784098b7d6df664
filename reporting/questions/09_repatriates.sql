-- How many kandas came, from when to when (a part of a year is not the year; cumulative figures count from 1991)?
select period_label, persons, is_cumulative, qualifier, remark, sources
from bi.repatriation_all
where persons is not null
order by period_start_date, period_end_date
