"""The bureau's figures as readers see them, against what the agency and the literature print."""

from __future__ import annotations

import csv
from pathlib import Path

import psycopg
import pytest

Published = psycopg.Connection[tuple[object, ...]]
# Table 3 on 2022 is printed on the territory before the three new regions: they stand with the region they came out of.
PRINTED_AREAS = {
    "Astana city": "71", "Almaty city": "75", "Mangystau": "47", "Shymkent city": "79", "Turkistan": "61", "Aktobe": "15", "Atyrau": "23",
    "Akmola": "11", "Almaty region": "19+33", "Karagandy": "35+62", "West Kazakhstan": "27", "Kostanay": "39", "Pavlodar": "55",
    "East Kazakhstan": "63+10", "Zhambyl": "31", "Kyzylorda": "43", "North Kazakhstan": "59",
}  # fmt: skip
# Half a unit of the printed precision, per 10,000
PRINTED_PRECISION = 0.5


def test_flows_of_2022_by_country_are_those_of_the_printed_table(published: Published) -> None:
    rows = published.execute(
        "select counterpart_code, arrivals_persons, departures_persons from bi.migration_by_country where year = 2022"
        " and counterpart_code in ('RUS', 'UZB', 'DEU', '_O')"
    ).fetchall()
    assert set(rows) == {("RUS", 5891, 19383), ("UZB", 6631, 266), ("DEU", 276, 2518), ("_O", 408, 342)}


def test_countries_of_the_default_view_add_up_to_the_external_flows(published: Published) -> None:
    # 9 countries of the CIS (14,796 / 20,098) + 14 other countries (2,221 / 3,707) + the unlisted rest (408 / 342)
    rows = published.execute(
        "select sum(arrivals_persons), sum(departures_persons), count(*) from bi.migration_by_country where year = 2022"
    ).fetchall()
    assert rows == [(17425, 24147, 24)]


def test_printed_groups_are_kept_with_the_members_they_had_then(published: Published) -> None:
    rows = published.execute(
        "select whole.counterpart_code, whole.arrivals_persons, whole.departures_persons, sum(part.arrivals_persons),"
        " sum(part.departures_persons), count(*)"
        " from bi.migration_by_country_all as whole"
        " join bi.migration_by_country as part on part.year = whole.year and part.group_code = whole.counterpart_code"
        # CIS Stat has the year, too, and the CIS with Ukraine
        " where whole.row_kind = 'subtotal' and whole.source_code = 'bns' group by 1, 2, 3"
    ).fetchall()
    assert set(rows) == {("CIS", 14796, 20098, 14796, 20098, 9), ("OTHER", 2629, 4049, 2629, 4049, 15)}


def test_levels_of_education_are_all_flows_and_no_emigrants(published: Published) -> None:
    # 319,876 + 205,114 + 159,355 + 111,907 = 796,252 and 322,235 + 206,683 + 157,941 + 110,536 = 797,395;
    # all ages: 803,033 internal + 17,425 external = 820,458 arrivals, 803,033 + 24,147 = 827,180 departures
    rows = published.execute(
        "select sum(all_flows_arrivals_persons), sum(all_flows_departures_persons), sum(all_flows_balance_persons)"
        " from bi.migration_by_education where year = 2022"
    ).fetchall()
    assert rows == [(796252, 797395, -1143)]


def test_specialties_cover_exactly_two_levels_of_education(published: Published) -> None:
    # external 8,470 / 12,398 + internal 516,520 both ways = 524,990 / 528,918; tertiary + vocational: 319,876 + 205,114 and
    # 322,235 + 206,683
    leaves = (
        "select sum(external_arrivals_persons) + sum(internal_arrivals_persons),"
        " sum(external_departures_persons) + sum(internal_departures_persons) from bi.migration_by_specialty where year = 2022"
    )
    levels = (
        "select sum(all_flows_arrivals_persons), sum(all_flows_departures_persons) from bi.migration_by_education where year = 2022"
        " and education_code in ('tertiary', 'vocational_secondary')"
    )
    assert published.execute(leaves).fetchall() == published.execute(levels).fetchall() == [(524990, 528918)]
    rows = published.execute(
        "select external_arrivals_persons, external_departures_persons, internal_arrivals_persons, internal_departures_persons"
        " from bi.migration_by_specialty_all where row_kind = 'total' order by 1"
    ).fetchall()
    assert rows == [(8470, 12398, None, None), (None, None, 516520, 516520)]


def test_internal_moves_of_the_regions_add_up_and_are_not_the_matrix(published: Published) -> None:
    rows = published.execute(
        "select year, sum(internal_arrivals_persons), sum(internal_departures_persons), sum(interregional_arrivals_persons)"
        " from bi.region_migration where year in (2022, 2023) group by year order by year"
    ).fetchall()
    # the matrix of 2022 is rejected: no inter-regional figure, not zero
    assert rows == [(2022, 803033, 803033, None), (2023, 1023573, 1023573, 472227)]


def test_accepted_matrices_are_complete_and_the_last_one_is_preliminary(published: Published) -> None:
    rows = published.execute(
        "select year, sum(interregional_arrivals_persons), bool_or(is_provisional) from bi.region_migration"
        " where interregional_arrivals_persons is not null group by year order by year"
    ).fetchall()
    assert rows == [
        (2010, 189941, None), (2015, 233503, None), (2020, 356613, None), (2021, 330739, None), (2023, 472227, None), (2024, 689497, None),
        (2025, 458948, True),
    ]  # fmt: skip


def test_net_migration_of_all_flows_is_the_sum_of_the_regions(published: Published) -> None:
    rows = published.execute(
        "select total.year, total.all_flows_balance_persons, sum(region.all_flows_balance_persons) from bi.region_migration_all as total"
        " left join bi.region_migration as region on region.year = total.year"
        " where total.row_kind = 'total' and total.year between 2000 and 2024 group by 1, 2 order by 1"
    ).fetchall()
    assert len(rows) == 25
    assert rows[0] == (2000, -108307, None)
    assert rows[-2:] == [(2023, 9293, 9293), (2024, 16550, 16550)]


def test_a_city_without_a_rural_part_has_its_urban_row_as_its_total(published: Published) -> None:
    rows = published.execute(
        "select all_flows_balance_persons, derivation from bi.region_migration where area_code = '75' and year = 2024"
    ).fetchall()
    assert rows[0][0] == 41184
    assert "the urban part, for the city has no rural one" in str(rows[0][1])


def test_internal_rate_of_2022_names_its_denominator(published: Published) -> None:
    # Astana: 10,000 × 33,798 / ((1,295,711 + 1,354,559) / 2) = 255.0533, of the edition of 2026-04-30
    rows = published.execute(
        "select internal_balance_persons, population_start_persons, population_end_persons, internal_balance_per_10000"
        " from bi.region_migration where area_code = '71' and year = 2022"
    ).fetchall()
    assert [tuple(map(float, rows[0]))] == [(33798, 1295711, 1354559, 255.0533)]  # type: ignore[arg-type]


def _printed(shared_data: Path) -> dict[tuple[str, str], float]:
    """(area, total or external) → rate per 10,000 as table 3 prints it for 2022."""
    with (shared_data.parent / "published" / "figures.csv").open(encoding="utf-8", newline="") as lines:
        rows = [row for row in csv.DictReader(lines) if (row["document"], row["locator"]) == ("effectiveness", "table 3")]
    return {
        (PRINTED_AREAS[row["region"]], row["scope"]): float(row["value"])
        for row in rows
        if row["region"] and row["period_start"] == "2022" and row["scope"] in ("total", "external")
    }


def _derived(published: Published, edition: str) -> dict[tuple[str, str], float]:
    rows = published.execute(
        "select area_code, net_migration_per_10000, external_balance_per_10000 from bi.region_balance_vintage"
        " where year = 2022 and population_edition like %s",
        [edition],
    ).fetchall()
    return {(str(area), scope): float(str(rate)) for area, *rates in rows for scope, rate in zip(("total", "external"), rates, strict=True)}


@pytest.mark.parametrize(("edition", "reproduces"), [("%2023-07-19%", True), ("%2026-04-30%", False), ("%2026-09-30%", False)])
def test_table_3_is_reproduced_with_the_population_of_its_time_only(
    published: Published, shared_data: Path, edition: str, reproduces: bool
) -> None:
    printed, derived = _printed(shared_data), _derived(published, edition)
    assert len(printed) == 2 * 17
    apart = {key: (value, derived[key]) for key, value in printed.items() if abs(derived[key] - value) > PRINTED_PRECISION}
    assert (not apart) == reproduces, apart


def test_three_vintages_of_the_population_stand_side_by_side(published: Published) -> None:
    # Almaty region: 1,505,968 - 1,478,496 - 25,563 = 1,909 with the workbook of 2023; 1,505,896 gives 1,837
    # in the edition of 2026-04-30 and in the extract, which is of unknown edition and so below it
    rows = published.execute(
        "select is_current, population_end_persons, net_migration_persons, external_balance_persons from bi.region_balance_vintage"
        " where area_code = '19' and year = 2022 order by population_edition"
    ).fetchall()
    assert rows == [(False, 1505968, 1909, 1011), (True, 1505896, 1837, 939), (False, 1505896, 1837, 939)]


def test_derived_balances_of_the_regions_add_up_to_the_external_balance(published: Published) -> None:
    rows = published.execute(
        "select year, sum(net_migration_persons), sum(external_balance_persons), sum(internal_balance_persons) from bi.region_balance"
        " where year >= 2022 group by year order by year"
    ).fetchall()
    # 2024 has no table of internal moves: no external part, not zero; 2025 has populations and no natural increase
    assert rows == [(2022, -6722, -6722, 0), (2023, 9293, 9293, 0), (2024, 16550, None, None), (2025, None, None, None)]


def test_the_balances_of_2024_are_exact_and_those_of_2023_within_the_bound_across_vintages(published: Published) -> None:
    # derived of the edition of 2026-04-30 less published by region: natural increase is of unknown edition, and the row says so
    rows = published.execute(
        "select year, min(apart), max(apart), sum(apart), count(*), bool_and(is_across_vintages) from ("
        " select derived.year, net_migration_persons - all_flows_balance_persons as apart, is_across_vintages"
        " from bi.region_balance as derived join bi.region_migration as published using (area_code, period_kind, period_start_date)"
        " where derived.population_edition = '2026-04-30'"
        ") as compared where apart is not null group by year order by year"
    ).fetchall()
    assert rows == [(2023, -15, 5, 0, 20, True), (2024, 0, 0, 0, 20, True)]


def test_start_and_end_of_every_balance_are_of_one_edition(published: Published) -> None:
    rows = published.execute(
        "select population_edition, min(year), max(year), bool_and(is_current) from bi.region_balance_vintage"
        " where row_kind = 'total' group by 1 order by 1"
    ).fetchall()
    # 2008: the edition of 2026 goes from 16 to 20 regions, which make no sum; the workbook of 2023 divides one in 2016 and three in 2021
    assert rows == [
        ("2023-07-19", 2000, 2022, False), ("2026-04-30", 1991, 2025, True), ("retrieved 2026-09-30T00:00:00+00:00", 2022, 2024, False),
    ]  # fmt: skip


def test_no_balance_is_derived_over_a_census(published: Published) -> None:
    rows = published.execute(
        "select distinct net_migration_persons, value_missing_reason from bi.region_balance_all where year in (2008, 2021)"
    ).fetchall()
    assert {figure for figure, _ in rows} == {None}
    assert {str(reason)[:27] for _, reason in rows} == {
        "the population series break",
        "the edition has no populati",
        "the regions that make the a",
    }


def test_no_region_composite_or_republic_vanishes_where_its_territory_changes(published: Published) -> None:
    rows = published.execute(
        "select population_edition, area_code, year, net_migration_persons, population_mean_persons is null, value_missing_reason is null"
        " from bi.region_balance_vintage where population_edition < 'r' and (area_code, year) in"
        " (('51', 2016), ('51', 2008), ('KAZ', 2008), ('KAZ', 2016), ('KAZ', 2021), ('61+79', 2008), ('61+79', 2016)) order by 1, 2, 3"
    ).fetchall()
    assert rows == [
        ("2023-07-19", "51", 2008, None, False, False), ("2023-07-19", "51", 2016, None, True, False),
        ("2023-07-19", "61+79", 2008, None, True, False), ("2023-07-19", "61+79", 2016, None, True, False),
        ("2023-07-19", "KAZ", 2008, None, False, False), ("2023-07-19", "KAZ", 2016, None, False, False),
        ("2023-07-19", "KAZ", 2021, None, False, False), ("2026-04-30", "51", 2008, None, True, False),
        ("2026-04-30", "61+79", 2008, None, True, False), ("2026-04-30", "61+79", 2016, None, False, False),
        ("2026-04-30", "KAZ", 2008, None, False, False), ("2026-04-30", "KAZ", 2016, None, False, False),
        ("2026-04-30", "KAZ", 2021, None, False, False),
    ]  # fmt: skip


def test_a_year_of_regions_is_of_one_edition_and_has_each_of_them_once(published: Published) -> None:
    # 16 regions to 2008, 20 from 2009: none of another edition beside them
    rows = published.execute(
        "select min(year), max(year), count(*) from (select year, count(*) as regions, count(distinct population_edition) as editions"
        " from bi.region_balance group by year) as each_year where editions = 1 group by regions order by 1"
    ).fetchall()
    assert rows == [(1991, 2008, 18), (2009, 2025, 17)]


def test_no_mean_is_of_two_territories(published: Published) -> None:
    # the edition of 2023 divides Almaty region on 1 January 2022
    rows = published.execute(
        "select population_mean_persons, population_break_kind from bi.region_balance_vintage"
        " where area_code = '19' and year = 2021 and population_edition = '2023-07-19'"
    ).fetchall()
    assert rows == [(None, "census, territory")]
    rows = published.execute("select count(*), min(year), max(year), count(distinct area_code) from bi.region_migration").fetchall()
    assert rows == [(520, 2000, 2025, 20)]


def test_repatriates_are_counted_once_and_cumulative_figures_are_apart(published: Published) -> None:
    # January to October 2024: 16,535; January to July 2022, of an earlier document: 9,077
    assert published.execute("select sum(persons) from bi.repatriation").fetchall() == [(16535,)]
    earlier = published.execute("select persons, row_kind from bi.repatriation_all where period_label = '2022-01–2022-07' and persons > 0")
    assert earlier.fetchall() == [(9077, "subtotal")]
    rows = published.execute(
        "select period_end_date::text, persons from bi.repatriation_all where is_cumulative and persons is not null order by 1"
    ).fetchall()
    assert rows == [("2021-12-31", 1062200), ("2022-07-31", 1096900), ("2024-11-30", 1146400)]


def test_ten_months_of_repatriates_are_no_year(published: Published) -> None:
    # printed as of 2024; the ministry printed the same persons and shares as of 1 November 2024. No whole year is at hand.
    rows = published.execute(
        "select period_label, period_kind, period_start_date::text, period_end_date::text, year, remark, count(*), max(persons)"
        " from bi.repatriation_all where document_code = 'narxoz2025' group by 1, 2, 3, 4, 5, 6"
    ).fetchall()
    assert rows == [("2024-01–2024-10", "year-to-date", "2024-01-01", "2024-10-31", None, "printed_as_year", 7, 16535)]
    assert published.execute("select count(*) from bi.repatriation_all where year is not null").fetchall() == [(0,)]


def test_what_was_read_before_stays_readable_as_an_older_vintage(published: Published) -> None:
    rows = published.execute(
        "select releases.edition, periods.period_label, fact.is_current from bi.fct_repatriation_vintage as fact"
        " join bi.dim_release as releases using (release_key) join bi.dim_period as periods using (period_key)"
        " where fact.value in (16535, 1146400) and releases.source_code = 'bns' order by releases.edition, fact.value"
    ).fetchall()
    before, after = "retrieved 2026-11-22T00:00:00+00:00", "retrieved 2026-11-25T00:00:00+00:00"
    assert rows == [
        (before, "2024", False), (before, "1991–2024", False), (after, "2024-01–2024-10", True), (after, "1991–2024-11", True),
    ]  # fmt: skip


def test_cumulative_repatriates_chain_within_their_precision(published: Published) -> None:
    # 1,096.9 thousand as of 1 August 2022 less 9,077 of January to July: 1,087.8 thousand, the ministry's stock of 1 January 2022;
    # 1,146.4 as of 1 December 2024 less 16,535 of January to October: 1,129.9, its stock of 1 January 2024 (1,128.4) and November's 1.5
    rows = published.execute(
        "select round((whole.persons - part.persons) / 1000.0, 1)::text"
        " from bi.repatriation_all as whole join bi.repatriation_all as part"
        " on part.period_kind = 'year-to-date' and date_trunc('year', whole.period_end_date) = part.period_start_date"
        " where whole.is_cumulative and whole.persons is not null and part.persons is not null order by whole.period_end_date"
    ).fetchall()
    assert rows == [("1087.8",), ("1129.9",)]


def test_shares_of_repatriates_make_the_whole(published: Published) -> None:
    # by country 69.9 + 10.3 + 7.1 + 4.0 + 8.7; by age 57.4 + 33.2 + 9.4
    rows = published.execute(
        "select document_code, sum(share_pct)::text, max(share_denominator_persons) from bi.repatriation_all"
        " where share_pct is not null and education_code = '_T' group by 1 order by 1"
    ).fetchall()
    assert rows == [("effectiveness", "100.0000", 9077), ("narxoz2025", "100.0000", 16535)]


@pytest.mark.parametrize(
    "mart",
    ["migration_by_country", "migration_by_education", "migration_by_specialty", "region_migration", "region_balance", "repatriation"],
)
def test_every_row_says_where_it_comes_from(published: Published, mart: str) -> None:
    query = (
        f"select count(*) from bi.{mart}_all where edition is null or capture is null or sources is null"
        " or area_name_kk is null or area_name_ru is null or area_name_en is null"
    )
    assert published.execute(query.encode()).fetchall() == [(0,)]
