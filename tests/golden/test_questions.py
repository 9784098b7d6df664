"""The sample questions work when pasted, and the default views count nothing twice."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from expectations.intake import Intake
from reporting.summary import QUERY
from tests.golden.conftest import Reader
from warehouse.profile import ROOT, Profile

QUESTIONS = sorted((ROOT / "reporting" / "questions").glob("*.sql"))

# What analysts asked of relations and comments alone, as they typed it: nothing is filtered on what tells rows apart that must not be
# mixed (kind of row, scope, edition, direction, a flag), and the figure is right all the same.
ASKED: dict[str, tuple[str, list[tuple[object, ...]]]] = {
    "net migration 1991-2025": (
        "select count(*), min(year), max(year), sum(balance_persons) from bi.migration_balance", [(35, 1991, 2025, -2_145_987)],
    ),
    "arrivals and departures 2006-2022": (
        "select sum(arrivals_persons), sum(departures_persons) from bi.migration_balance where year between 2006 and 2022",
        [(467_777, 572_692)],
    ),
    "departures 2012-2021": ("select sum(departures_persons) from bi.migration_balance where year between 2012 and 2021", [(334_161,)]),
    "departures 2011-2022": ("select sum(departures_persons) from bi.migration_balance where year between 2011 and 2022", [(391_228,)]),
    "flows of 2024": (
        "select arrivals_persons, departures_persons, balance_persons from bi.migration_balance where year = 2024",
        [(29_282, 12_732, 16_550)],
    ),
    "growth of 2022 to 2021": (
        """
        select round(100.0 * new.arrivals_persons / old.arrivals_persons - 100, 1),
            round(100.0 * new.departures_persons / old.departures_persons - 100, 1)
        from bi.migration_balance as new join bi.migration_balance as old on new.year = 2022 and old.year = 2021
        """,
        [(Decimal("57.8"), Decimal("-25.1"))],
    ),
    "balance per 10,000": (
        "select year, round(balance_per_10000, 2) from bi.migration_balance where year in (2022, 2025) order by year",
        [(2022, Decimal("-3.42")), (2025, Decimal("7.92"))],
    ),
    "where most went in 2022": (
        "select counterpart_name_en, departures_persons from bi.migration_by_country where year = 2022 order by departures_rank limit 4",
        [("Russian Federation", 19_383), ("Germany", 2_518), ("Poland", 394), ("United States of America", 339)],
    ),
    "all of 2022 by country": ("select sum(departures_persons) from bi.migration_by_country where year = 2022", [(24_147,)]),
    "arrivals from the CIS 2022, without and with Ukraine": (
        """
        select round(arrivals_cis_share_pct, 1), round(arrivals_cis_and_ukraine_share_pct, 1) from bi.migration_cis_share
        where year = 2022
        """,
        [(Decimal("84.9"), Decimal("86.1"))],
    ),
    "departures to the CIS and Ukraine": (
        """
        select year, round(departures_cis_and_ukraine_share_pct, 1) from bi.migration_cis_share where year between 2016 and 2021
        order by year
        """,
        [(2016 + at, Decimal(share)) for at, share in enumerate(("89.5", "89.4", "90.1", "90.5", "88.5", "85.3"))],
    ),
    "shares of the CIS before 2016": (
        """
        select count(*), min(year), count(arrivals_cis_share_pct), count(departures_cis_and_ukraine_share_pct), min(share_missing_reason)
        from bi.migration_cis_share where year < 2016
        """,
        [(25, 1991, 0, 0, "no table of countries of this year is at hand")],
    ),
    "students by host now": (
        "select year, sum(students) from bi.students_by_host_latest where area_code = 'KAZ' group by year", [(2019, 89_347)],
    ),
    "the first host now": (
        "select host_name_en, students from bi.students_by_host_latest order by students desc limit 1", [("Russian Federation", 71_368)],
    ),
    "rank of Kazakhstan by students abroad": (
        """
        select year, outbound_students, outbound_rank, outbound_ranked_countries from bi.student_totals
        where area_code = 'KAZ' and year between 2019 and 2022 order by year
        """,
        [(2019, 89_347, 7, 107), (2020, 79_901, 10, 115), (2021, None, None, None), (2022, None, None, None)],
    ),
    "students abroad per inhabitant": (
        """
        select outbound_students, outbound_per_10000, population_date::text from bi.student_totals where area_code = 'KAZ' and year = 2019
        """,
        [(89_347, Decimal("47.5840"), "2020-07-01")],
    ),
    "born in Kazakhstan, living abroad": (
        "select year, sum(persons), max(lacks_count) from bi.migrant_stock_latest where origin_code = 'KAZ' group by year",
        [(2024, 2_796_572, 15)],
    ),
    "born in Kazakhstan, living abroad in 2020": (
        "select edition, living_abroad_persons from bi.migrant_stock_by_edition where area_code = 'KAZ' and year = 2020 order by edition",
        [("2020", 4_203_899), ("2024", 3_029_566)],
    ),
    "who lives in Kazakhstan": (
        """
        select origin_name_en, sum(persons) from bi.migrant_stock where residence_code = 'KAZ' and year = 2024 group by 1
        order by 2 desc limit 2
        """,
        [("Uzbekistan", 744_161), ("Russian Federation", 552_258)],
    ),
    "migrants of the world in 2020": (
        "select edition, persons from bi.world_migrant_stock where year = 2020 order by edition",
        [("2020", 280_598_105), ("2024", 275_284_032)],
    ),
    "regions in 2022": ("select sum(net_migration_persons) from bi.region_balance where year = 2022", [(-6_722,)]),
    "the cities in 2022": (
        "select area_name_en, internal_balance_persons from bi.region_balance where year = 2022 order by 2 desc limit 2",
        [("Almaty city", 35_302), ("Astana city", 33_798)],
    ),
    "regions in 2006": (
        "select count(*), count(net_migration_persons), min(value_missing_reason) from bi.region_balance where year = 2006",
        [(16, 0, "no natural increase by region for this year")],
    ),
    "internal moves of 2022": ("select sum(internal_arrivals_persons) from bi.region_migration where year = 2022", [(803_033,)]),
    "the largest corridor of 2024": (
        "select origin_name_en, destination_name_en, persons from bi.internal_corridors where year = 2024 order by persons desc limit 1",
        [("Almaty region", "Almaty city", 53_743)],
    ),
    "emigrants by education 2022": (
        """
        select sum(external_departures_persons), sum(all_flows_departures_persons), min(external_missing_reason)
        from bi.migration_by_education where year = 2022
        """,
        [(None, 797_395, "the bureau prints levels of education of all flows together only")],
    ),
    "lawyers who left the country in 2022": (
        "select sum(external_departures_persons) from bi.migration_by_specialty where year = 2022 and specialty_name_en = 'law'", [(434,)],
    ),
    "kandas of 2024": ("select period_label, sum(persons) from bi.repatriation group by 1", [("2024-01–2024-10", 16_535)]),
    "kandas by year": (
        "select count(*), count(year) from bi.repatriation where year is not null", [(0, 0)],
    ),
    "population of 1 January 2025": ("select sum(persons) from bi.population where period_start_date = '2025-01-01'", [(20_283_399,)]),
    "dead or missing in 2018": (
        "select sum(dead_and_missing_persons), sum(published_dead_and_missing_persons) from bi.migration_incidents where year = 2018",
        [(5_006, 5_008)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("question", ASKED)
def test_the_right_answer_is_the_easy_one(published: Reader, question: str) -> None:
    asked, right = ASKED[question]
    assert published.execute(asked.encode()).fetchall() == right


@pytest.mark.parametrize("file", QUESTIONS, ids=lambda file: file.stem)
def test_a_sample_question_has_an_answer(published: Reader, file: Path) -> None:
    assert published.execute(file.read_text()).fetchall()


def test_the_query_at_the_end_of_a_run_works_when_pasted(published: Reader) -> None:
    # the edition of 2026-04-30 has the population of 1 January 2026, so that the last year has a rate, too
    rows = published.execute(QUERY).fetchall()
    assert [row[0] for row in rows] == [2020, 2021, 2022, 2023, 2024, 2025]
    assert [row[4] is None for row in rows] == [False] * 6


def test_every_mart_says_where_its_rows_come_from(published: Reader) -> None:
    marts = published.execute("select table_name from information_schema.tables where table_schema = 'bi' and table_name like '%\\_all'")
    for (mart,) in marts.fetchall():
        missing = published.execute(f"select count(*) from bi.{mart} where capture is null or sources is null")
        assert missing.fetchone() == (0,), mart


def test_the_corrupt_matrix_is_rejected_by_rules_that_know_no_year(bundled: tuple[Profile, dict[str, Intake]]) -> None:
    rejected = [(name, verdict) for name, intake in bundled[1].items() for verdict in intake.rejected]
    assert [(name, verdict.slice) for name, verdict in rejected] == [("bns.internal_matrix", "2022")]
    assert "at most 10 pairs of regions have one number in both directions" in " ".join(rejected[0][1].reasons)
