"""CIS Stat's figures as readers see them: identities of all years (cisstat.md 8), mirrors, and gaps that are none of them zero."""

from __future__ import annotations

from pathlib import Path

import pytest

from expectations.intake import Intake
from extractors.archive import Archive
from sample.cisstat import DATASET, write
from tests.golden.conftest import Reader
from tests.state import read
from warehouse.profile import BUNDLED_ARCHIVE, Profile

YEARS = range(2016, 2026)
FLOWS = (
    "select year, direction, area_code, counterpart_code, cube_code, value::int as persons, obs_status, locality_code"
    " from bi.fct_migration_flow join bi.dim_area using (area_key) join bi.dim_period using (period_key) join bi.dim_cube using (cube_key)"
    " join bi.dim_locality using (locality_key)"
    " join (select area_key as counterpart_area_key, area_code as counterpart_code from bi.dim_area) as counterpart"
    " using (counterpart_area_key) where cube_code ~ '^cisstat'"
)
PARTNERS = ["ARM", "AZE", "BLR", "KAZ", "KGZ", "MDA", "RUS", "TJK", "TKM", "UKR", "UZB"]


def test_the_partners_of_kazakhstan_make_the_cis_in_ten_of_ten_years(published: Reader) -> None:
    rows = published.execute(
        "select year, direction, array_agg(counterpart_code order by counterpart_code) filter (where counterpart_code !~ '^(CIS|W1)'),"
        " sum(persons) filter (where counterpart_code !~ '^(CIS|W1)'), max(persons) filter (where counterpart_code = 'CIS+UKR')"
        f" from ({FLOWS}) as flow where cube_code = 'cisstat.external_by_partner' group by 1, 2 order by 1, 2"
    ).fetchall()
    assert [(year, direction) for year, direction, *_ in rows] == [(year, way) for year in YEARS for way in ("arrival", "departure")]
    assert all(partners == PARTNERS and parts == whole for _, _, partners, parts, whole in rows)
    # 50 + 290 + 90 + 0 + 709 + 11 + 5,891 + 491 + 633 + 204 + 6,631 and 2 + 31 + 233 + 0 + 175 + 4 + 19,383 + 3 + 1 + 30 + 266
    assert [row[3:] for row in rows if row[0] == 2022] == [(15_000, 15_000), (20_128, 20_128)]


def test_the_cis_and_the_other_countries_make_all_in_ten_of_ten_years(published: Reader) -> None:
    rows = published.execute(
        "select year, direction, max(persons) filter (where counterpart_code = 'CIS+UKR' and cube_code ~ 'flows$') as cis,"
        " max(persons) filter (where counterpart_code = 'NON_CIS') as rest,"
        " array_agg(persons order by cube_code) filter (where counterpart_code = 'W1') as total,"
        " max(persons) filter (where counterpart_code = 'CIS+UKR' and cube_code ~ 'partner$') as same_cis"
        f" from ({FLOWS}) as flow where area_code = 'KAZ' and year >= 2016 group by 1, 2 order by 1, 2"
    ).fetchall()
    assert len(rows) == 20
    # both tables of the committee print the sum of the CIS and the total
    assert all(total == [cis + rest] * 2 and same == cis for _, _, cis, rest, total, same in rows)  # type: ignore[operator]
    # 15,000 + 2,425 = 17,425 and 20,128 + 4,019 = 24,147
    assert [row[2:5] for row in rows if row[0] == 2022] == [(15_000, 2_425, [17_425] * 2), (20_128, 4_019, [24_147] * 2)]


def test_the_totals_begin_in_1991(published: Reader) -> None:
    rows = published.execute(
        f"select direction, min(year), max(year), count(*), sum(persons) filter (where year < 2000) from ({FLOWS}) as flow"
        " where cube_code = 'cisstat.external_flows' and counterpart_code = 'W1' group by 1 order by 1"
    ).fetchall()
    # 758,779 - 2,600,517 = -1,841,738, the balance of these nine years
    assert rows == [("arrival", 1991, 2025, 35, 758_779), ("departure", 1991, 2025, 35, 2_600_517)]


def test_a_mirror_is_a_figure_of_its_own_beside_the_other_side(published: Reader) -> None:
    rows = published.execute(
        "select one.year, one.direction, one.persons, mirror.persons, mirror.cube_code"
        f" from ({FLOWS}) as one join ({FLOWS}) as mirror on mirror.year = one.year and mirror.direction <> one.direction"
        " and mirror.area_code = one.counterpart_code and mirror.counterpart_code = one.area_code"
        " where one.area_code = 'KAZ' and one.counterpart_code = 'RUS' and one.cube_code = 'cisstat.external_by_partner'"
        " and (one.direction = 'departure' or one.year = 2022) order by 2, 1"
    ).fetchall()
    assert {cube for *_, cube in rows} == {"cisstat.mirror_flows"}
    found = {(year, direction): both for year, direction, *both, _ in rows}
    assert found[2022, "arrival"] == [5_891, 69_329]
    assert {year: found[year, "departure"] for year in (2019, 2021, 2022, 2023)} == {
        2019: [39_774, 86_311], 2021: [26_717, 72_668], 2022: [19_383, 64_382], 2023: [11_737, 48_465],
    }  # fmt: skip
    definition = published.execute("select universe from bi.dim_cube where cube_code = 'cisstat.mirror_flows'").fetchone()
    assert definition is not None
    assert "nine months and more" in str(definition[0])


# country → years of arrivals from Kazakhstan, and of departures to it
REPORTED: dict[str, tuple[list[int], list[int]]] = {
    "ARM": ([], [*YEARS]), "AZE": ([*YEARS], []), "BLR": ([*range(2016, 2020)], [*range(2016, 2020)]), "KGZ": ([*YEARS], [*YEARS]),
    "MDA": ([*range(2016, 2025)], [*range(2016, 2020)]), "RUS": ([*range(2016, 2024)], [*range(2016, 2024)]),
    "TJK": ([2016, 2020, 2021, 2022], [2016, 2020, 2021, 2022]), "UKR": ([2020, 2021], [2020, 2021]), "UZB": ([*YEARS], [*YEARS]),
}  # fmt: skip


def test_what_a_reporter_did_not_say_is_no_zero(published: Reader) -> None:
    rows = published.execute(
        f"select area_code, direction, array_agg(year order by year), min(persons) from ({FLOWS}) as flow"
        " where cube_code = 'cisstat.mirror_flows' group by 1, 2"
    ).fetchall()
    found = {(area, direction): years for area, direction, years, _ in rows}
    said = {(area, way): years for area, both in REPORTED.items() for way, years in zip(("arrival", "departure"), both, strict=True)}
    assert found == {place: years for place, years in said.items() if years}
    assert all(least for *_, least in rows)


@pytest.mark.parametrize("direction", ["arrival", "departure"])
def test_the_country_itself_is_a_true_zero(published: Reader, direction: str) -> None:
    rows = published.execute(
        f"select count(*), sum(persons), min(obs_status), max(obs_status) from ({FLOWS}) as flow"
        " where area_code = 'KAZ' and counterpart_code = 'KAZ' and direction = %s",
        [direction],
    ).fetchall()
    assert rows == [(10, 0, "A", "A")]


def test_the_bureau_says_the_same_but_for_2008(bundled: tuple[Profile, dict[str, Intake]]) -> None:
    # totals of 1991-2025 in both flows, and of 2022 the ten partners that table 5 prints, too; 2008 is known by its four figures
    assert read(
        bundled[0],
        "select success, unexpected_count from quality.validation_result"
        " where expectation = 'CIS Stat says of Kazakhstan''s flows what the bureau says'",
    ) == [(True, 0)]
    both = (
        "select agency.year, agency.direction, agency.value::int, committee.persons"
        f" from ({FLOWS}) as committee join (select year, direction, value from bi.fct_migration_flow join bi.dim_cube using (cube_key)"
        " join bi.dim_period using (period_key) where cube_code in ('bns.external_arrivals', 'bns.external_departures')) as agency"
        " using (year, direction) where committee.cube_code = 'cisstat.external_flows' and committee.counterpart_code = 'W1'"
    )
    rows = read(bundled[0], f"select *, value <> persons from ({both}) as said (year, direction, value, persons) order by 1, 2")
    assert len(rows) == 70
    assert [row[:4] for row in rows if row[4]] == [(2008, "arrival", 46_113, 46_404), (2008, "departure", 44_813, 45_287)]


def test_countries_have_one_agency_a_year_by_default_and_the_other_beside_it(published: Reader) -> None:
    rows = published.execute(
        "select year, source_code, breakdown_lacks, count(*), sum(arrivals_persons), sum(departures_persons), min(arrivals_total_persons)"
        " from bi.migration_by_country group by 1, 2, 3 order by 1"
    ).fetchall()
    # ten partners, Kazakhstan itself and the other countries; of 2022 the 23 countries of table 5 and the unlisted rest
    assert [row[:4] for row in rows] == [
        (year, "bns", "_O", 24) if year == 2022 else (year, "cisstat", "NON_CIS", 12) for year in YEARS
    ]  # fmt: skip
    arrivals = [13_755, 15_595, 12_747, 12_255, 11_370, 11_039, 17_425, 25_387, 29_282, 23_761]
    departures = [34_900, 37_725, 41_868, 45_225, 29_088, 32_256, 24_147, 16_094, 12_732, 7_608]
    assert [row[4] for row in rows] == [row[6] for row in rows] == arrivals
    assert [row[5] for row in rows] == departures
    beside = published.execute(
        "select source_code, is_preferred, count(*), sum(arrivals_persons), sum(departures_persons) from bi.migration_by_country_all"
        " where year = 2022 and row_kind = 'leaf' group by 1, 2 order by 1"
    ).fetchall()
    assert beside == [("bns", True, 24, 17_425, 24_147), ("cisstat", False, 12, 17_425, 24_147)]


def test_the_cis_stands_with_and_without_ukraine(published: Reader) -> None:
    rows = published.execute(
        "select source_code, counterpart_code, arrivals_persons, departures_persons, round(arrivals_share_pct, 1),"
        " round(departures_share_pct, 1), derivation from bi.migration_by_country_all where year = 2022 and counterpart_code ~ '^CIS'"
        " order by 1, 2"
    ).fetchall()
    # 15,000 - 204 = 14,796 and 20,128 - 30 = 20,098; 15,000 / 17,425 = 86.1 %, 20,128 / 24,147 = 83.4 %
    assert [tuple(map(str, row)) for row in rows] == [
        ("bns", "CIS", "14796", "20098", "84.9", "83.2", "None"),
        ("bns", "CIS+UKR", "15000", "20128", "86.1", "83.4", "the CIS and Ukraine"),
        ("cisstat", "CIS", "14796", "20098", "84.9", "83.2", "the CIS with Ukraine less Ukraine"),
        ("cisstat", "CIS+UKR", "15000", "20128", "86.1", "83.4", "None"),
    ]  # fmt: skip
    members = published.execute(
        "select source_code, group_code, count(*), bool_or(counterpart_code = 'UKR') from bi.migration_by_country_all"
        " where row_kind = 'leaf' and group_code is not null and year in (2016, 2022) group by year, 1, 2 order by year, 1, 2"
    ).fetchall()
    assert members == [
        ("cisstat", "CIS+UKR", 11, True),
        ("bns", "CIS", 9, False),
        ("bns", "OTHER", 15, True),
        ("cisstat", "CIS+UKR", 11, True),
    ]


def test_the_balance_is_of_cis_stat_before_taldau_begins_and_the_change_is_marked(published: Reader) -> None:
    rows = published.execute(
        "select flows_source_code, min(year), max(year), count(*), sum(balance_persons),"
        " array_agg(year order by year) filter (where flows_break_kind = 'source') from bi.migration_balance group by 1 order by 2"
    ).fetchall()
    assert rows == [("cisstat", 1991, 1999, 9, -1_841_738, None), ("bns", 2000, 2025, 26, -304_249, [2000])]
    # of 2008 the bureau's figures, and not 46,404 / 45,287
    assert published.execute("select arrivals_persons, departures_persons from bi.migration_balance where year = 2008").fetchall() == [
        (46_113, 44_813)
    ]
    named = published.execute(
        "select distinct origin.source_code, origin.dataset from bi.migration_balance as year join bi.dim_release as origin"
        " on origin.release_code in (year.arrivals_release_key, year.departures_release_key) where year.year < 2000"
    ).fetchall()
    assert named == [("cisstat", "external_flows")]


def test_the_bundled_answers_are_written_again_alike(shared_data: Path) -> None:
    written, bundled = Archive("memory://cisstat_real_files"), Archive(str(BUNDLED_ARCHIVE))
    assert write(shared_data / "cisstat", written) == 4
    [delivery] = bundled.deliveries("cisstat", DATASET)
    shipped = bundled.snapshots("cisstat", DATASET, delivery)
    assert written.snapshots("cisstat", DATASET, delivery) == shipped
    assert len(shipped) == 4
