-- What education had those who moved in 2022 (all flows, internal ones included, 15 years and over)?
select education_name_en as education, all_flows_arrivals_persons, all_flows_departures_persons, all_flows_balance_persons, universe, capture
from bi.migration_by_education
where year = 2022
order by education_sort_order
