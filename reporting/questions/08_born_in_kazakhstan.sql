-- How many people born in Kazakhstan live elsewhere, by edition (an edition is a vintage, never chained)?
select year, edition, living_abroad_persons, living_abroad_to_population_pct, ratio_missing_reason, sources
from bi.migrant_stock_by_edition
where area_code = 'KAZ' and year >= 2010
order by year, edition
