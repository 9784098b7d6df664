"""Gate 1 of the national bureau. The reasons for the bounds stand beside them; they change only with a written reason."""

from __future__ import annotations

from expectations.check import BATCH, Check, Suite, at_least, at_most, no_issue, none_of, unique
from expectations.suites import bns_internal, bns_printed, bns_region
from expectations.suites.continuity import revised, withdrawn


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
            at_most("value", 25_000_000, "the republic had 20,283,399 inhabitants at the beginning of 2025"),
            _partition_is_complete(schema),
            _regions_make_the_republic(schema),
            # without a republic row the complete partition makes one
            withdrawn(key, unless="area_code = 'KAZ'"),
            revised(key, 0.05),
        ],
        key,
    )


# The regions that the population series has at the date of each release (1 January), by sex and locality
_EXPECTED = """
    select scope.release_key, scope.sex_code, scope.locality_code, region.code
    from (select distinct release_key, year, sex_code, locality_code from {batch} where area_code = 'KAZ' or area_code is not null) as scope
    join {schema}.region on scope.year between coalesce(region.population_from_year, scope.year)
        and coalesce(region.population_to_year, scope.year)
"""


def _partition_is_complete(schema: str) -> Check:
    expected = _EXPECTED.replace("{schema}", schema)
    return none_of(
        "every region of the date has its row",
        "reject",
        "accuracy",
        f"""
        select expected.release_key, null::bigint as snapshot_key, concat('region ', expected.code) as source_row,
            concat('no row of region ', expected.code, ', sex ', expected.sex_code) as detail
        from ({expected}) as expected
        where expected.locality_code = '_T' and not exists (
            select 1 from {schema}.stg_bns__population as mine
            where mine.release_key = expected.release_key and mine.area_code = expected.code and mine.sex_code = expected.sex_code
                and mine.locality_code = expected.locality_code
        )
        """,
    )


def _regions_make_the_republic(schema: str) -> Check:
    """Identity 3 of the dossier: exact in every year at hand. Where a region is missing or doubtful there is nothing to compare."""
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
        where locality_code = '_T'
        group by release_key, sex_code
        having bool_and(value is not null or coalesce(obs_status = 'M', false)) and count(*) filter (where area_code = 'KAZ') = 1
            and bool_and(area_code is not null)
            and sum(value) filter (where area_code = 'KAZ') <> sum(value) filter (where area_code <> 'KAZ')
        """,
    )
