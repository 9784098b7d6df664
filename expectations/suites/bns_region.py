"""Gate 1 of the national bureau: net migration of all flows, births and natural increase, by region and year."""

from __future__ import annotations

from expectations.check import BATCH, Check, Suite, at_least, at_most, no_issue, none_of, unique
from expectations.suites.continuity import revised, withdrawn
from expectations.suites.years import Years, not_of_another_dataset

# The balance of one region leaps when it changes its sign; that of most regions does not in one year
FEWEST_BALANCES = 10


def every_region(schema: str) -> Check:
    """Where a year has regions, it has all that the statistics know in that year: a sum over part of them is no figure."""
    known = "scope.year between coalesce(region.population_from_year, scope.year) and coalesce(region.population_to_year, scope.year)"
    return complete_regions(schema, "area_code", known, "every region of the year has its row")


def complete_regions(schema: str, column: str, known: str, name: str) -> Check:
    """Each year of a release that has regions in `column` has all those for which `known`, a condition on scope and region, holds."""
    return none_of(
        name,
        "reject",
        "accuracy",
        f"""
        with mine as materialized (select distinct release_key, year, {column} as code, area_issue is not null as is_doubtful from {BATCH})
        select scope.release_key, null::bigint as snapshot_key, concat('region ', region.code, ', ', scope.year) as source_row,
            concat('no row of region ', region.code, ' in ', scope.year) as detail
        from (select distinct release_key, year from mine where code <> 'KAZ') as scope
        join {schema}.region on {known}
        where not exists (
            select 1 from mine
            where mine.release_key = scope.release_key and mine.year = scope.year and (mine.code = region.code or mine.is_doubtful)
        )
        """,
    )


def _net_migration(schema: str) -> Suite:
    """The republic by locality since 2000 and the regions of the last years (bns.md 7.3, 7.5, 8.1, 8.3)."""
    view, key = "stg_bns__net_migration", ("area_code", "year", "locality_code", "ethnicity_code", "sex_code")
    return Suite(
        view,
        [
            no_issue("value", "quarantine"),
            no_issue("area", "quarantine"),
            *(no_issue(what, "reject") for what in ("period", "unit", "member")),
            unique(key),
            at_least("value", -500_000),
            at_most("value", 500_000, "the largest balance on record is below 420 thousand, in 1994"),
            every_region(schema),
            _parts_make_the_whole("urban and rural make the total", "area_code", "locality_code in ('U', 'R')", "locality_code = '_T'"),
            _regions_make_the_republic(),
            *Years(("area_code", "locality_code", "ethnicity_code", "sex_code")).checks("quarantine", fewest=FEWEST_BALANCES),
            withdrawn(key),
            # a balance near zero changes by any share: only the size of the flow behind it would tell
            revised(key, 1.0),
        ],
        key,
    )


def _parts_make_the_whole(name: str, by: str, parts: str, whole: str) -> Check:
    return none_of(
        name,
        "reject",
        "coherence",
        f"""
        select release_key, max(snapshot_key) as snapshot_key, max(source_row) filter (where {whole}) as source_row,
            concat({by}, ' ', year, ': the parts make ', sum(value) filter (where {parts}), ', the whole is ',
                max(value) filter (where {whole})) as detail
        from {BATCH}
        where year is not null and {by} is not null
        group by release_key, {by}, year
        having count(value) filter (where {parts}) = 2 and count(value) filter (where {whole}) = 1
            and sum(value) filter (where {parts}) <> max(value) filter (where {whole})
        """,
    )


def _regions_make_the_republic() -> Check:
    """A city without a rural part may print its urban row alone, which is its total. Exact in both years at hand."""
    whole = "locality_code = '_T' or (locality_code = 'U' and not has_total)"
    return none_of(
        "the regions add up to the republic",
        "reject",
        "coherence",
        f"""
        select release_key, max(snapshot_key) as snapshot_key, max(source_row) filter (where area_code = 'KAZ') as source_row,
            concat(year, ': the republic is ', sum(value) filter (where area_code = 'KAZ'), ', its regions make ',
                sum(value) filter (where area_code <> 'KAZ')) as detail
        from (
            select *, bool_or(locality_code = '_T') over (partition by release_key, area_code, year, sex_code) as has_total from {BATCH}
            where area_code is not null and year is not null
        ) as line
        where {whole}
        group by release_key, year, sex_code
        having bool_and(value is not null) and count(*) filter (where area_code = 'KAZ') = 1 and count(*) > 1
            and sum(value) filter (where area_code = 'KAZ') <> sum(value) filter (where area_code <> 'KAZ')
        """,
    )


def _vital_event(minimum: float) -> list[Check]:
    return [
        no_issue("value", "quarantine"),
        no_issue("area", "quarantine"),
        *(no_issue(what, "reject") for what in ("period", "unit", "member")),
        unique(("area_code", "year", "sex_code", "locality_code")),
        at_least("value", minimum),
        at_most("value", 600_000, "the republic never had 450 thousand births in a year"),
    ]


def _births(schema: str) -> Suite:
    return _vital_suite(schema, 0, by_row=True)


def _natural_increase(schema: str) -> Suite:
    # more deaths than births is possible in a region, but no region has 50 thousand deaths in a year
    return _vital_suite(schema, -50_000)


def _vital_suite(schema: str, minimum: float, by_row: bool = False) -> Suite:
    view, key = "stg_bns__vital_event", ("dataset", "area_code", "year", "sex_code", "locality_code")
    key_of_series = ("area_code", "sex_code", "locality_code")
    return Suite(
        view,
        [
            *_vital_event(minimum),
            every_region(schema),
            _regions_make_the_republic(),
            *Years(key_of_series).checks("quarantine", by_row, fewest=1 if by_row else FEWEST_BALANCES),
            not_of_another_dataset(f"{schema}.{view}", ("area_code", "year", *key_of_series[1:])),
            withdrawn(key),
            revised(key, 0.10),
        ],
        key,
    )


SUITES = {"net_migration": _net_migration, "births": _births, "natural_increase": _natural_increase}
