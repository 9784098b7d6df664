-- Which releases are current, how were they taken, and under which licence?
select source_code as source, dataset, capture, count(*) as releases, max(edition) as last_edition, licence
from bi.dim_release
where is_current
group by source_code, dataset, capture, licence
order by source_code, dataset, capture
