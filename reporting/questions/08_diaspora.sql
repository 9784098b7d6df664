-- How many people born in Kazakhstan live elsewhere, by edition (an edition is a vintage, never chained)?
select year, edition, persons, ratio_to_home_population_pct, ratio_missing_reason, licence
from bi.diaspora_stock_vintage
where origin_code = 'KAZ' and residence_code = 'WLD' and sex_code = '_T' and year >= 2010
order by year, edition
