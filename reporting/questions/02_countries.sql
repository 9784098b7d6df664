-- From which countries did people come in 2022, and to which did they go?
select counterpart_name_en as country, arrivals_persons, departures_persons, balance_persons, capture
from bi.migration_by_country
where year = 2022
order by arrivals_persons + departures_persons desc
