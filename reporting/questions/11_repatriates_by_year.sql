-- How many kandas came in each year, and which years follow from the ministry's cumulative figures only?
select year, persons, thousand_persons, tolerance, qualifier, derivation, value_missing_reason
from bi.repatriation_by_year
where measure in ('persons', 'thousand_persons')
order by year
