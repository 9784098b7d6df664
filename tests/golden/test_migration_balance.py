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


def test_every_year_has_a_rate_of_the_edition_of_april_2026(published: Reader) -> None:
    # until that edition 1991-1999 and 2025 had no population at one of their ends; a range still has no rate
    rows = published.execute(
        "select array_agg(year order by year), count(balance_per_10000), count(rate_missing_reason) from bi.migration_balance"
        " where population_edition = '2026-04-30'"
    ).fetchall()
    assert rows == [([*range(1991, 2026)], 35, 0)]


def test_the_rate_of_2025_is_of_the_mean_of_both_new_years(published: Reader) -> None:
    # 23,761 - 7,608 = 16,153; (20,283,399 + 20,499,822) / 2 = 20,391,610.5; 10,000 x 16,153 / 20,391,610.5 = 7.9214
    rows = published.execute(
        "select balance_persons, population_start_persons, population_end_persons, population_mean_persons, balance_per_10000,"
        " round(balance_per_10000, 2), population_edition from bi.migration_balance where year = 2025"
    ).fetchall()
    assert rows == [(16_153, 20_283_399, 20_499_822, Decimal("20391610.5"), Decimal("7.9214"), Decimal("7.92"), "2026-04-30")]


def test_the_edition_of_april_2026_is_current_in_all_its_years(published: Reader) -> None:
    # 17 rows (16 regions and the republic) x 18 years to 2008, 21 x 18 from 2009
    rows = published.execute(
        "select min(period_start_date)::text, max(period_start_date)::text, count(distinct period_start_date), count(*),"
        " count(*) filter (where period_start_date < '2009-01-01'), array_agg(distinct edition), array_agg(distinct capture)"
        " from bi.fct_population join bi.dim_period using (period_key) join bi.dim_cube using (cube_key)"
        " join (select release_key, edition from bi.dim_release) as release using (release_key) where cube_code = 'bns.population.region'"
    ).fetchall()
    assert rows == [("1991-01-01", "2026-01-01", 36, 17 * 18 + 21 * 18, 17 * 18, ["2026-04-30"], ["reconstructed"])]


def test_a_territory_breaks_where_its_edition_cuts_it(published: Reader) -> None:
    rows = published.execute(
        "select edition, extract(year from period_start_date)::int, array_agg(area_code order by area_code)"
        " from bi.fct_population_vintage join bi.dim_period using (period_key) join bi.dim_cube using (cube_key)"
        " join bi.dim_area using (area_key) join (select release_key, edition from bi.dim_release) as release using (release_key)"
        " where cube_code = 'bns.population.region' and break_kind like '%territory%' group by 1, 2 order by 1, 2"
    ).fetchall()
    three = ["10", "19", "33", "35", "62", "63"]
    assert rows == [
        ("2023-07-19", 2017, ["61", "79"]), ("2023-07-19", 2022, three), ("2026-04-30", 2009, sorted([*three, "61", "79"])),
        ("retrieved 2026-09-30T00:00:00+00:00", 2022, three),
    ]  # fmt: skip


def test_the_range_that_the_literature_prints(published: Reader) -> None:
    rows = published.execute(
        "select arrivals_persons, departures_persons, balance_per_10000 from bi.migration_balance_all where period_kind = 'range'"
    ).fetchall()
    assert rows == [(467_777, 572_692, None)]


def test_the_default_view_counts_no_year_twice(published: Reader) -> None:
    leaves = published.execute("select sum(arrivals_persons) from bi.migration_balance where year between 2006 and 2022").fetchone()
    assert leaves == (467_777,)
    assert published.execute("select count(*), count(distinct year) from bi.migration_balance").fetchone() == (35, 35)


def test_the_population_of_2023_is_readable_in_three_vintages(published: Reader) -> None:
    rows = published.execute(
        "select area_code, edition, value::int from bi.fct_population_vintage join bi.dim_area using (area_key)"
        " join bi.dim_period using (period_key) join bi.dim_release using (release_key) join bi.dim_cube using (cube_key)"
        " where period_start_date = '2023-01-01' and area_code in ('19', '71', 'KAZ') and cube_code = 'bns.population.region'"
        " order by area_code, edition"
    ).fetchall()
    later = "retrieved 2026-09-30T00:00:00+00:00"
    assert rows == [
        ("19", "2023-07-19", 1_505_968), ("19", "2026-04-30", 1_505_896), ("19", later, 1_505_896),
        ("71", "2023-07-19", 1_354_507), ("71", "2026-04-30", 1_354_559), ("71", later, 1_354_556),
        ("KAZ", "2023-07-19", 19_766_807), ("KAZ", "2026-04-30", 19_766_807), ("KAZ", later, 19_766_807),
    ]  # fmt: skip


def test_the_republic_that_no_row_prints_is_derived_and_marked(published: Reader) -> None:
    rows = published.execute(
        "select period_start_date::text, value::int, derivation from bi.fct_population_vintage join bi.dim_area using (area_key)"
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
    # Taldau begins in 2000; 1991-1999 have the bureau's population of the edition of 2026-04-30 beside the flows of CIS Stat
    rows = published.execute("select min(year), max(year), count(*), sources from bi.migration_balance group by 4 order by 1").fetchall()
    assert rows == [(1991, 1999, 9, "bns; cisstat"), (2000, 2025, 26, "bns")]
    # both flows of nine years, each by its own table
    facts = published.execute(
        "select fact.direction, count(*), min(origin.attribution), min(origin.source_code) from bi.fct_migration_flow as fact"
        " join bi.bridge_release_origin as origin using (release_key, period_key) group by 1 order by 1"
    ).fetchall()
    assert [(direction, count) for direction, count, *_ in facts] == [("arrival", 9), ("departure", 9)]
    assert "fact 4650866" in str(facts[0][2])
    assert "fact 4679599" in str(facts[1][2])
    assert {source for *_, source in facts} == {"cisstat"}


def test_the_balance_since_1991_is_what_it_was(published: Reader) -> None:
    # 9 years of CIS Stat and 26 of Taldau: -1,841,738 and -304,249
    rows = published.execute(
        "select sum(balance_persons) filter (where year < 2000), sum(balance_persons) filter (where year >= 2000), sum(balance_persons)"
        " from bi.migration_balance"
    ).fetchall()
    assert rows == [(-1_841_738, -304_249, -2_145_987)]
