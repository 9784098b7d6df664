-- How many kandas came, as printed (cumulative figures do not chain)?
select period_label, measure, persons, families, qualifier, is_cumulative, attribution
from bi.repatriation_all
where persons is not null
order by period_start_date, period_end_date
