-- Which specialties does Kazakhstan win and lose across its borders (2022, 15 and over, with vocational or higher education)?
select specialty_name_en as specialty, sum(external_arrivals_persons) as arrivals, sum(external_departures_persons) as departures,
    sum(external_balance_persons) as balance
from bi.migration_by_specialty
where year = 2022
group by specialty_name_en
order by balance
