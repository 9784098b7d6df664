"""Gate 2's suite: what must hold across datasets before readers see a candidate."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path

from expectations.check import Check, Suite, none_of
from expectations.suites import publication_international, publication_national
from extractors.source import source_codes


def suite(schema: str) -> Suite:
    """The checks of a candidate built in `schema`."""
    return Suite(
        "migration_balance",
        [
            _same_years(schema),
            _balance_adds_up(schema),
            _ranges_are_sums(schema),
            _parts_make_the_whole(schema, "men and women", "sex", ("M", "F"), "locality"),
            _parts_make_the_whole(schema, "urban and rural", "locality", ("U", "R"), "sex"),
            _plausible_growth(schema),
            *publication_national.checks(schema),
            *publication_international.checks(schema),
            *_of_sources(schema),
        ],
    )


def _of_sources(schema: str) -> Iterator[Check]:
    """What suites of sources ask of a candidate: `gate2(schema)` in `expectations/suites/<source>.py`, where there is one."""
    for code in source_codes():
        if (Path(__file__).parent / f"{code}.py").is_file():
            asked = getattr(importlib.import_module(f"expectations.suites.{code}"), "gate2", None)
            yield from asked(schema) if asked else ()


def _same_years(schema: str) -> Check:
    """A year that only one of the flows has is no fault of that one: it waits for the other, in the same dataset but for the bureau's."""
    return none_of(
        "both flows hold the same years",
        "hold",
        "coherence",
        f"""
        select concat('year ', year, ': arrivals ', coalesce(arrivals_persons::text, 'missing'),
            ', departures ', coalesce(departures_persons::text, 'missing')) as detail,
            array_remove(array[arrivals_release_key, departures_release_key], null) as release_keys,
            case there.source_code || '.' || there.dataset
                when 'bns.external_departures' then 'bns.external_arrivals'
                when 'bns.external_arrivals' then case when departures_release_key is null then 'bns.external_departures' end
                else there.source_code || '.' || there.dataset
            end as waits_for
        from {schema}.migration_balance
        left join {schema}.dim_release as there
            on lpad(to_hex(there.release_key), 16, '0') = coalesce(arrivals_release_key, departures_release_key)
        where period_kind = 'year' and (arrivals_persons is null) <> (departures_persons is null)
        """,
    )


def _balance_adds_up(schema: str) -> Check:
    return none_of(
        "the balance is arrivals less departures",
        "hold",
        "coherence",
        f"""
        select concat(period_label, ': ', balance_persons, ' is not ', arrivals_persons - departures_persons) as detail,
            array[arrivals_release_key, departures_release_key] as release_keys
        from {schema}.migration_balance where balance_persons is distinct from arrivals_persons - departures_persons
        """,
    )


def _ranges_are_sums(schema: str) -> Check:
    return none_of(
        "a range is the sum of its years",
        "hold",
        "coherence",
        f"""
        select concat(period.period_label, ': ', period.arrivals_persons, ' / ', period.departures_persons, ', its years make ',
            sum(year.arrivals_persons), ' / ', sum(year.departures_persons)) as detail,
            array_agg(distinct year.arrivals_release_key) || array_agg(distinct year.departures_release_key) as release_keys
        from {schema}.migration_balance as period
        join {schema}.migration_balance as year
            on year.period_kind = 'year' and year.area_code = period.area_code
            and year.period_start_date between period.period_start_date and period.period_end_date
        where period.period_kind = 'range' and period.arrivals_persons is not null
        group by period.period_label, period.arrivals_persons, period.departures_persons
        having sum(year.arrivals_persons) <> period.arrivals_persons or sum(year.departures_persons) <> period.departures_persons
        """,
    )


def _parts_make_the_whole(schema: str, name: str, dimension: str, parts: tuple[str, str], other: str) -> Check:
    """421 of 421 cells (bns.md 8.3). Compared inside one edition, for editions never mix in one identity."""
    listed = ", ".join(f"'{part}'" for part in parts)
    return none_of(
        f"{name} make all, in every edition",
        "hold",
        "coherence",
        f"""
        with stock as (
            select area.area_code, release.edition, period.period_start_date as at, part.{dimension}_code as part, fact.value,
                other.{other}_code as other, release.release_key
            from {schema}.fct_population as fact
            join {schema}.dim_area as area using (area_key)
            join {schema}.dim_period as period using (period_key)
            join {schema}.dim_{dimension} as part using ({dimension}_key)
            join {schema}.dim_{other} as other using ({other}_key)
            join {schema}.dim_release as release using (release_key)
        )
        select concat(area_code, ' ', at, ', edition ', edition, ': {name} make ', sum(value) filter (where part in ({listed})),
            ', all are ', max(value) filter (where part = '_T')) as detail,
            array_agg(distinct release_key) filter (where part in ({listed}, '_T')) as release_keys
        from stock
        group by area_code, at, edition, other
        having count(value) filter (where part in ({listed})) = 2 and count(value) filter (where part = '_T') = 1
            and sum(value) filter (where part in ({listed})) <> max(value) filter (where part = '_T')
        """,
    )


def _plausible_growth(schema: str) -> Check:
    """The largest step on record is 736 thousand (2021, a census re-base); a jump beyond 5 % is a mistake somewhere."""
    return none_of(
        "the republic does not jump by more than 5 % in a year",
        "hold",
        "accuracy",
        f"""
        select concat(year, ': ', population_start_persons, ' to ', population_end_persons) as detail,
            array[population_start_release_key, population_end_release_key] as release_keys
        from {schema}.migration_balance
        where period_kind = 'year' and abs(population_end_persons - population_start_persons) > 0.05 * population_start_persons
        """,
    )
