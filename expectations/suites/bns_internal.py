"""Gate 1 of the national bureau: moves inside the republic, by region and from region to region."""

from __future__ import annotations

from expectations.check import BATCH, Check, Suite, at_least, at_most, no_issue, none_of, unique
from expectations.suites.bns_region import complete_regions, every_region
from expectations.suites.continuity import revised, withdrawn
from expectations.suites.years import ACCEPTED, Years

# Other years at hand have 0 to 6 such pairs of 190, the corrupt year has 64
SYMMETRIC_PAIRS = 10
# Where both tables are sound, every net agrees in sign; a region near zero may differ
OPPOSITE_SIGNS = 2


def _by_region(schema: str) -> Suite:
    """All internal moves: what one region loses another gains (bns.md 8.5)."""
    view, key = "stg_bns__internal_by_region", ("area_code", "period_start_date", "period_kind", "direction")
    return Suite(
        view,
        [
            no_issue("value", "quarantine"),
            no_issue("area", "quarantine"),
            *(no_issue(what, "reject") for what in ("period", "unit", "member")),
            unique(key),
            _no_negative_flow(),
            at_most("value", 1_000_000, "no region of 2.3 million inhabitants or fewer moves half of them"),
            every_region(schema),
            balance_is_the_difference("area_code, period_start_date, period_kind"),
            _arrivals_are_departures(),
            _months_make_the_year(),
            *Years(
                ("area_code", "direction", "period_kind", "extract(month from period_start_date)"),
                standing=f"{schema}.{view}",
                # a balance may be nothing, or small in one year
                only="direction <> 'balance'",
            ).checks("quarantine", by_row=True),
            withdrawn(key),
            revised(key, 0.10),
        ],
        key,
    )


def _no_negative_flow() -> Check:
    return none_of(
        "no arrivals or departures below 0",
        "reject",
        "accuracy",
        f"""
        select release_key, snapshot_key, source_row, concat('found ', value, ', expected at least 0') as detail
        from {BATCH} where direction <> 'balance' and value < 0
        """,
    )


def balance_is_the_difference(key: str) -> Check:
    """The balance that the source prints is arrivals less departures of the same `key` (columns, comma-separated)."""
    return none_of(
        "a printed balance is arrivals less departures",
        "reject",
        "coherence",
        f"""
        select release_key, max(snapshot_key) as snapshot_key, max(source_row) filter (where direction = 'balance') as source_row,
            concat_ws(' ', {key}, 'arrivals', sum(value) filter (where direction = 'arrival'), 'departures',
                sum(value) filter (where direction = 'departure'), 'balance', sum(value) filter (where direction = 'balance')) as detail
        from {BATCH}
        group by release_key, {key}
        having count(value) = 3 and count(distinct direction) = 3 and sum(value) filter (where direction = 'balance')
            <> sum(value) filter (where direction = 'arrival') - sum(value) filter (where direction = 'departure')
        """,
    )


def _arrivals_are_departures() -> Check:
    """A departure inside the republic is derived from the arrival elsewhere: the sums are equal by construction."""
    return none_of(
        "internal arrivals are internal departures",
        "reject",
        "coherence",
        f"""
        select release_key, max(snapshot_key) as snapshot_key, concat(period_kind, ' ', period_start_date) as source_row,
            concat('arrivals ', sum(value) filter (where direction = 'arrival'), ', departures ',
                sum(value) filter (where direction = 'departure')) as detail
        from {BATCH}
        group by release_key, period_kind, period_start_date
        having bool_and(value is not null)
            and sum(value) filter (where direction = 'arrival') <> sum(value) filter (where direction = 'departure')
        """,
    )


def _months_make_the_year() -> Check:
    return none_of(
        "twelve months make the year",
        "reject",
        "coherence",
        f"""
        select release_key, max(snapshot_key) as snapshot_key, max(source_row) filter (where period_kind = 'year') as source_row,
            concat(area_code, ' ', year, ' ', direction, ': the months make ', sum(value) filter (where period_kind = 'month'),
                ', the year is ', sum(value) filter (where period_kind = 'year')) as detail
        from {BATCH}
        where area_code is not null and year is not null
        group by release_key, area_code, year, direction
        having count(value) filter (where period_kind = 'month') = 12 and count(value) filter (where period_kind = 'year') = 1
            and sum(value) filter (where period_kind = 'month') <> sum(value) filter (where period_kind = 'year')
        """,
    )


def _matrix(schema: str) -> Suite:
    """A matrix that is symmetric, turned round or at odds with the table by region is rejected (bns.md 7.11)."""
    view, key = "stg_bns__internal_matrix", ("origin_area_code", "destination_area_code", "year")
    return Suite(
        view,
        [
            *(no_issue(what, "reject") for what in ("value", "area", "period", "unit", "member")),
            unique(key),
            at_least("value", 0),
            at_most("value", 200_000, "the largest pair at hand is below 60 thousand"),
            # the matrix is cut on the territory of today for every year
            complete_regions(schema, "origin_area_code", "region.population_to_year is null", "every region of today is an origin"),
            _every_pair(),
            _few_symmetric_pairs(),
            _some_city_gains(schema),
            _agrees_with_the_regions(schema),
            *Years(("origin_area_code", "destination_area_code"), standing=f"{schema}.{view}").checks("reject"),
            withdrawn(key),
            revised(key, 0.25),
        ],
        key,
    )


def _every_pair() -> Check:
    return none_of(
        "every pair of regions has its number",
        "reject",
        "accuracy",
        f"""
        select release_key, max(snapshot_key) as snapshot_key, concat('year ', year) as source_row,
            concat(count(value), ' pairs of ', count(distinct origin_area_code), ' regions') as detail
        from {BATCH}
        group by release_key, year
        having count(value) <> count(distinct origin_area_code) * (count(distinct origin_area_code) - 1)
        """,
    )


def _few_symmetric_pairs() -> Check:
    return none_of(
        f"at most {SYMMETRIC_PAIRS} pairs of regions have one number in both directions",
        "reject",
        "accuracy",
        f"""
        select release_key, max(snapshot_key) as snapshot_key, concat('year ', year) as source_row,
            concat(count(*), ' pairs have the same number in both directions, such as ', min(named)) as detail
        from (
            select release_key, year, max(snapshot_key) as snapshot_key,
                concat(least(origin_area_code, destination_area_code), ' and ', greatest(origin_area_code, destination_area_code), ': ',
                    max(value)::bigint) as named
            from {BATCH}
            group by release_key, year, least(origin_area_code, destination_area_code), greatest(origin_area_code, destination_area_code)
            having count(value) = 2 and min(value) = max(value) and max(value) > 0
        ) as pair
        group by release_key, year
        having count(*) > {SYMMETRIC_PAIRS}
        """,
    )


# Net moves of each region of the matrix under test, by release and year; the view behind it is read once
_NET = f"""
    moves as materialized (
        select release_key, snapshot_key, year, origin_area_code, destination_area_code, value from {BATCH}
    ),
    net as materialized (
        select release_key, year, area_code, sum(moved) as net, max(snapshot_key) as snapshot_key
        from (
            select release_key, snapshot_key, year, destination_area_code as area_code, value as moved from moves
            union all
            select release_key, snapshot_key, year, origin_area_code, -value from moves
        ) as side
        where area_code is not null and year is not null
        group by release_key, year, area_code
    )
"""


def _some_city_gains(schema: str) -> Check:
    """In no year on record do all cities of republican significance lose: where they do, the matrix is turned round."""
    return none_of(
        "not every city of republican significance loses",
        "reject",
        "accuracy",
        f"""
        with {_NET}
        select net.release_key, max(net.snapshot_key) as snapshot_key, concat('year ', net.year) as source_row,
            string_agg(concat(net.area_code, ' ', net.net::bigint), ', ' order by net.area_code) as detail
        from net
        join {schema}.region on region.code = net.area_code and region.region_kind = 'city'
        group by net.release_key, net.year
        having max(net.net) < 0
        """,
    )


def _agrees_with_the_regions(schema: str) -> Check:
    """Net moves of both tables mean the same, whatever moves they count: signs that differ contradict the accepted by-region table."""
    return none_of(
        f"the net of at most {OPPOSITE_SIGNS} regions has the sign opposite to the by-region table",
        "reject",
        "coherence",
        f"""
        with {_NET},
        known as materialized (
            select stated.area_code, stated.year, stated.value
            from {schema}.stg_bns__internal_by_region as stated
            join meta.release as mine on mine.release_key = stated.release_key and mine.state in {ACCEPTED}
            where stated.period_kind = 'year' and stated.direction = 'balance' and not exists (
                select 1 from meta.release as above
                where above.source = mine.source and above.dataset = mine.dataset and above.slice = mine.slice
                    and above.state in {ACCEPTED} and (above.rank_basis = 'agency', above.rank, above.release_key)
                        > (mine.rank_basis = 'agency', mine.rank, mine.release_key)
            )
        )
        select net.release_key, max(net.snapshot_key) as snapshot_key, concat('year ', net.year) as source_row,
            string_agg(concat(net.area_code, ': ', net.net::bigint, ' against ', known.value::bigint), ', '
                order by net.area_code) as detail
        from net
        join known on known.area_code = net.area_code and known.year = net.year
        where sign(known.value) * sign(net.net) < 0
        group by net.release_key, net.year
        having count(*) > {OPPOSITE_SIGNS}
        """,
    )


SUITES = {"internal_by_region": _by_region, "internal_matrix": _matrix}
