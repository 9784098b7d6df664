-- Which regions win and lose people, inside the country and across its borders (2023)?
select area_name_en as region, net_migration_persons, internal_balance_persons, external_balance_persons,
    round(net_migration_per_10000, 1) as net_per_10000, population_edition, capture
from bi.region_balance
where year = 2023
order by net_migration_persons desc
