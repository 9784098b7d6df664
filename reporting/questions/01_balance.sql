-- How many people came to Kazakhstan, how many left, and what is that per 10,000 inhabitants?
select year, arrivals_persons, departures_persons, balance_persons, round(balance_per_10000, 1) as per_10000, capture
from bi.migration_balance
where period_kind = 'year' and year >= 2015
order by year desc
