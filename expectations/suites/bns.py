"""Gate 1 of the national bureau. The reasons for the bounds stand beside them; they change only with a written reason."""

from __future__ import annotations

from expectations.check import BATCH, Check, Suite, at_least, at_most, no_issue, none_of, unique
from expectations.suites import bns_internal, bns_printed, bns_region
from expectations.suites.continuity import revised, withdrawn
from expectations.suites.years import ACCEPTED, Years, not_of_another_dataset


def gate1(dataset: str, schema: str) -> Suite:
    """The suite of a dataset; `schema` holds the staging views. Raises `KeyError` for a dataset without a suite."""
    suites = {"external_arrivals": _external, "external_departures": _external, "population": _population}
    return (suites | bns_region.SUITES | bns_internal.SUITES | bns_printed.SUITES)[dataset](schema)


def _external(schema: str) -> Suite:
    """A national series: every year counts, so any doubtful row rejects."""
    view, key = "stg_bns__external_migration", ("area_code", "year")
    return Suite(
        view,
        [
            *(no_issue(what, "reject") for what in ("value", "area", "period", "unit", "member")),
            unique(("area_code", "period_start_date")),
            at_least("value", 0),
            at_most("value", 500_000, "the largest flow on record is 477,068 departures in 1994"),
            none_of(
                "no year is missing between the first and the last",
                "reject",
                "accuracy",
                f"""
                select release_key, null::bigint as snapshot_key, concat('year ', missing) as source_row,
                    concat('no observation of ', missing, ' between ', first, ' and ', last) as detail
                from (
                    select release_key, min(year) as first, max(year) as last, array_agg(year) as years from {BATCH} group by release_key
                ) as series
                cross join lateral generate_series(first, last) as missing
                where not missing = any(years)
                """,
            ),
            *Years(("area_code",)).checks("reject"),
            not_of_another_dataset(f"{schema}.{view}", key),
            withdrawn(key),
            revised(key, 0.10),
        ],
        key,
    )


def _population(schema: str) -> Suite:
    """A table of regions at one date: a doubtful cell is set aside, a table that does not add up is rejected."""
    view, key = "stg_bns__population", ("area_code", "sex_code", "locality_code")
    return Suite(
        view,
        [
            no_issue("value", "quarantine"),
            no_issue("area", "quarantine"),
            no_issue("period", "reject"),
            no_issue("unit", "reject"),
            no_issue("member", "reject"),
            unique(key),
            at_least("value", 0),
            at_most("value", 25_000_000, "the republic had 20,499,822 inhabitants at the beginning of 2026"),
            _partition_is_complete(schema),
            _regions_make_the_republic(),
            _parts_make_the_whole(schema, "men and women make all", "sex_code", "locality_code"),
            _parts_make_the_whole(schema, "urban and rural make the total", "locality_code", "sex_code"),
            *Years(key, standing=f"{schema}.{view}").checks("quarantine", by_row=True),
            # without a republic row the complete partition makes one; a region that the edition does not know then is not withdrawn
            withdrawn(key, unless=f"area_code = 'KAZ' or not {_is_known(schema)}"),
            revised(key, 0.05),
        ],
        key,
    )


# The breakdowns that the tables of the workbook are declared with; the cities of republican significance have no rural part
_PARTITION = """
    (values
        ('region', '_T', '_T'), ('region_sex', 'M', '_T'), ('region_sex', 'F', '_T'), ('region_sex_locality', 'M', 'U'),
        ('region_sex_locality', 'F', 'U'), ('region_sex_locality', 'M', 'R'), ('region_sex_locality', 'F', 'R')
    ) as breakdown (name, sex_code, locality_code)
"""


def _partition_is_complete(schema: str) -> Check:
    """Each date of a table has every region that editions of its cut have then, in every breakdown of the table."""
    return none_of(
        "every region of the date has its row",
        "reject",
        "accuracy",
        f"""
        select scope.release_key, null::bigint as snapshot_key, concat('region ', region.code) as source_row,
            concat('no row of region ', region.code, ', sex ', breakdown.sex_code, ', locality ', breakdown.locality_code) as detail
        from (
            select distinct release_key, split_part(slice, '/', 1) as name, year, territory_cut from {BATCH} where area_code is not null
        ) as scope
        join {_PARTITION} using (name)
        join {schema}.region_extent as extent on extent.territory_cut = scope.territory_cut
            and scope.year between coalesce(extent.from_year, scope.year) and coalesce(extent.to_year, scope.year)
        join {schema}.region on region.code = extent.area_code and not (region.region_kind = 'city' and breakdown.locality_code = 'R')
        where not exists (
            select 1 from {BATCH} as mine
            where mine.release_key = scope.release_key and mine.area_code = region.code and mine.sex_code = breakdown.sex_code
                and mine.locality_code = breakdown.locality_code
        )
        """,
    )


def _is_known(schema: str) -> str:
    """Whether an area is a region that the edition under test has at its date; a condition on `release_key` and `area_code` of `pair`."""
    return f"""exists (
            select 1 from {schema}.region_extent as extent
            join (select distinct release_key, territory_cut, year from {BATCH}) as mine using (territory_cut)
            where mine.release_key = pair.release_key and extent.area_code = pair.area_code
                and mine.year between coalesce(extent.from_year, mine.year) and coalesce(extent.to_year, mine.year)
        )"""


def _regions_make_the_republic() -> Check:
    """Exact in every year at hand (bns.md 8.3). Where a region is missing or doubtful there is nothing to compare."""
    return none_of(
        "the regions add up to the republic",
        "reject",
        "coherence",
        f"""
        select release_key, max(snapshot_key) filter (where area_code = 'KAZ') as snapshot_key,
            max(source_row) filter (where area_code = 'KAZ') as source_row,
            concat('the republic is ', sum(value) filter (where area_code = 'KAZ'), ', its regions make ',
                sum(value) filter (where area_code <> 'KAZ')) as detail
        from {BATCH}
        group by release_key, sex_code, locality_code
        having bool_and(value is not null or coalesce(obs_status = 'M', false)) and count(*) filter (where area_code = 'KAZ') = 1
            and bool_and(area_code is not null)
            and sum(value) filter (where area_code = 'KAZ') <> sum(value) filter (where area_code <> 'KAZ')
        """,
    )


def _parts_make_the_whole(schema: str, name: str, parts: str, other: str) -> Check:
    """Two tables of one edition that divide one number of persons; `parts` is the column that divides it. Exact in the workbook of 2023.

    A table that came unchanged stands under its older release. Which of the tables is wrong they do not say: all that came are named.
    """
    columns = "release_key, snapshot_key, source_row, area_code, year, sex_code, locality_code, value, obs_status"
    return none_of(
        name,
        "reject",
        "coherence",
        f"""
        with mine as materialized (
            select release_key, slice, edition from meta.release where release_key in (select release_key from {BATCH})
        ), beside as materialized (
            select stood.release_key, mine.edition
            from (select distinct edition from mine) as mine join meta.release as stood on stood.state in {ACCEPTED}
                and stood.source = 'bns' and stood.dataset = 'population'
                and (stood.edition = mine.edition or exists (
                    select 1 from meta.confirmation as again where again.release_key = stood.release_key and again.edition = mine.edition
                ))
            where not exists (select 1 from mine as newer where newer.edition = mine.edition and newer.slice = stood.slice)
        ), line as (
            select edition, true as is_mine, {columns} from {BATCH} join mine using (release_key)
            union all
            select edition, false, {columns} from {schema}.stg_bns__population join beside using (release_key)
            where release_key = any(array(select release_key from beside)) -- joined alone, staging reads every release's text
        ), divided as (
            select edition, area_code, year, {other}, array_agg(distinct release_key) filter (where is_mine) as releases,
                max(snapshot_key) filter (where {parts} = '_T') as snapshot_key,
                max(source_row) filter (where {parts} = '_T') as source_row,
                sum(value) filter (where {parts} = '_T') as whole, sum(value) filter (where {parts} <> '_T') as parts
            from line where area_code is not null and year is not null
            group by edition, area_code, year, {other}
            -- a part that does not exist has a dash or no row: what there is makes the whole
            having bool_and(value is not null or coalesce(obs_status = 'M', false)) and count(*) filter (where {parts} = '_T') = 1
        )
        select release_key, snapshot_key, source_row,
            concat(area_code, ' ', year, ': all are ', whole, ', the parts make ', parts) as detail
        from divided cross join unnest(releases) as release_key where whole <> parts
        """,
    )
