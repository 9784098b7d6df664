"""The balance of external migration, against figures printed and identities (bns.md 8)."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.golden.conftest import Reader


@pytest.mark.parametrize(
    ("year", "arrivals", "departures", "balance"),
    [(2022, 17_425, 24_147, -6_722), (2023, 25_387, 16_094, 9_293), (2024, 29_282, 12_732, 16_550)],
)
def test_arrivals_departures_and_balance_of_a_year(published: Reader, year: int, arrivals: int, departures: int, balance: int) -> None:
    row = published.execute(
        "select arrivals_persons, departures_persons, balance_persons from bi.migration_balance where year = %s", [year]
    ).fetchall()
    assert row == [(arrivals, departures, balance)]


def test_rates_of_2022_stand_beside_their_numerators_and_denominator(published: Reader) -> None:
    row = published.execute(
        "select population_start_persons, population_end_persons, population_mean_persons, round(arrivals_per_10000, 1),"
        " round(departures_per_10000, 1), round(balance_per_10000, 1) from bi.migration_balance where year = 2022"
    ).fetchone()
    # (19,503,159 + 19,766,807) / 2 = 19,634,983; 10,000 x 17,425 / 19,634,983 = 8.87
    assert row == (19_503_159, 19_766_807, Decimal("19634983.0"), Decimal("8.9"), Decimal("12.3"), Decimal("-3.4"))


def test_years_without_a_population_have_no_rate_but_a_reason(published: Reader) -> None:
    rows = published.execute(
        "select year from bi.migration_balance where balance_per_10000 is null and rate_missing_reason like 'no population%' order by 1"
    ).fetchall()
    assert [year for (year,) in rows] == [*range(1991, 2000), 2025]


def test_the_range_that_the_literature_prints(published: Reader) -> None:
    rows = published.execute(
        "select arrivals_persons, departures_persons, balance_per_10000 from bi.migration_balance_all where period_kind = 'range'"
    ).fetchall()
    assert rows == [(467_777, 572_692, None)]


def test_the_default_view_counts_no_year_twice(published: Reader) -> None:
    leaves = published.execute("select sum(arrivals_persons) from bi.migration_balance where year between 2006 and 2022").fetchone()
    assert leaves == (467_777,)
    assert published.execute("select count(*), count(distinct year) from bi.migration_balance").fetchone() == (35, 35)


def test_the_population_of_2023_is_readable_in_both_vintages(published: Reader) -> None:
    rows = published.execute(
        "select area_code, edition, value::int from bi.fct_population_vintage join bi.dim_area using (area_key)"
        " join bi.dim_period using (period_key) join bi.dim_release using (release_key) join bi.dim_cube using (cube_key)"
        " where period_start_date = '2023-01-01' and area_code in ('19', '71', 'KAZ') and cube_code = 'bns.population.region'"
        " order by area_code, edition"
    ).fetchall()
    later = "retrieved 2026-09-30T00:00:00+00:00"
    assert rows == [
        ("19", "2023-07-19", 1_505_968), ("19", later, 1_505_896),
        ("71", "2023-07-19", 1_354_507), ("71", later, 1_354_556),
        ("KAZ", "2023-07-19", 19_766_807), ("KAZ", later, 19_766_807),
    ]  # fmt: skip


def test_the_republic_that_no_row_prints_is_derived_and_marked(published: Reader) -> None:
    rows = published.execute(
        "select period_start_date::text, value::int, derivation from bi.fct_population join bi.dim_area using (area_key)"
        " join bi.dim_period using (period_key) join bi.dim_cube using (cube_key)"
        " where area_code = 'KAZ' and derivation is not null and cube_code = 'bns.population.region' order by 1"
    ).fetchall()
    mark = "sum of the complete partition of 20 regions"
    # bns.md 8.4: 20,033,842 + 233,007 + 16,550 = 20,283,399
    assert [(date, value) for date, value, _ in rows] == [
        ("2022-01-01", 19_503_159), ("2023-01-01", 19_766_807), ("2024-01-01", 20_033_842), ("2025-01-01", 20_283_399),
    ]  # fmt: skip
    assert {derivation for *_, derivation in rows} == {mark}


def test_the_years_before_taldau_name_who_made_them(published: Reader) -> None:
    # Taldau begins in 2000; 1999 has the bureau's population of 2000-01-01 beside the flows of CIS Stat
    rows = published.execute(
        "select min(year), max(year), count(*), attribution ~ 'CIS Stat', attribution ~ 'Bureau of National Statistics',"
        " licence ~ '^Not known; quoted with reference' from bi.migration_balance group by 4, 5, 6 order by 1"
    ).fetchall()
    assert rows == [(1991, 1998, 8, True, False, True), (1999, 1999, 1, True, True, True), (2000, 2025, 26, False, True, False)]
    # both flows of nine years, each by its own table
    facts = published.execute(
        "select fact.direction, count(*), min(origin.attribution) from bi.fct_migration_flow as fact"
        " join bi.bridge_release_origin as origin using (release_key, period_key) group by 1 order by 1"
    ).fetchall()
    assert [(direction, count) for direction, count, _ in facts] == [("arrival", 9), ("departure", 9)]
    assert "fact 4650866" in str(facts[0][2])
    assert "fact 4679599" in str(facts[1][2])


def test_the_balance_since_1991_is_what_it_was(published: Reader) -> None:
    # 9 years of CIS Stat and 26 of Taldau: -1,841,738 and -304,249
    rows = published.execute(
        "select sum(balance_persons) filter (where year < 2000), sum(balance_persons) filter (where year >= 2000), sum(balance_persons)"
        " from bi.migration_balance"
    ).fetchall()
    assert rows == [(-1_841_738, -304_249, -2_145_987)]
