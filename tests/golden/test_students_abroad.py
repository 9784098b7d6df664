"""Students from and to Kazakhstan: the figures of the UNESCO Institute for Statistics (uis.md 8)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

FORMULA = "inbound total (26637) less net flow (MENF.5T8) of the same edition"


def test_the_largest_host_of_2019(published: Any) -> None:
    # 71,368 students in Russia of 89,347 abroad: 100 * 71368 / 89347 = 79.8773 %
    query = "select students, total_students, share_pct from bi.students_by_host where year = 2019 and host_code = 'RUS'"
    assert published.execute(query).fetchall() == [(71368, 89347, Decimal("79.8773"))]


def test_two_vintages_of_the_outbound_total(published: Any) -> None:
    # 78,337 in the release before 2022; 14,332 inbound less a net flow of -73,787 in that of 2025: 88,119
    query = """
        select edition, outbound_students, inbound_students, net_flow_students, is_current from bi.student_totals_vintage
        where area_code = 'KAZ' and year = 2018 order by outbound_students
    """
    assert published.execute(query).fetchall() == [
        ("2021", 78337, None, None, False), ("20250416-f6707727", 88119, 14332, -73787, True),
    ]  # fmt: skip


def test_outbound_totals_that_nobody_published_say_that_they_are_derived(published: Any) -> None:
    # all 2,177 totals of 2025 are inbound less net flow; the 90 of the older release were copied
    query = """
        select releases.edition, fact.estimate_kind, fact.derivation, count(*) from bi.fct_student_mobility_vintage as fact
        join bi.dim_release as releases using (release_key)
        where releases.dataset = 'outbound_totals' group by 1, 2, 3 order by 1
    """
    assert published.execute(query).fetchall() == [
        ("2021", "estimated", None, 90), ("20250416-f6707727", "derived", FORMULA, 2177),
    ]  # fmt: skip


def test_readers_of_the_marts_see_what_is_derived(published: Any) -> None:
    query = "select outbound_students, outbound_estimate_kind, derivation from bi.student_totals where area_code = 'KAZ' and year = 2019"
    assert published.execute(query).fetchall() == [(89_347, "derived", f"outbound: {FORMULA}")]
    # 89,347 less what hosts report
    query = "select host_code, estimate_kind, derivation from bi.students_by_host where year = 2019 and derivation is not null"
    assert published.execute(query).fetchall() == [("_X", "derived", f"total less what partners report; the total: {FORMULA}")]


def test_years_without_russia_are_flagged_and_have_no_shares(published: Any) -> None:
    # hosts report 9,138 of 39,267 (0.233), 13,551.9 of 54,172 (0.250) and 3,467 of 79,901 (0.043);
    # 17,214 of 20,468 (0.841) in 2000 has another cause
    query = """
        select year, max(coverage), max(lacks), count(share_pct), count(*) - count(share_missing_reason) from bi.students_by_host
        where coverage < 0.9 group by year order by year
    """
    assert [(year, round(coverage, 3), *rest) for year, coverage, *rest in published.execute(query).fetchall()] == [
        (2000, Decimal("0.841"), None, 0, 0), (2010, Decimal("0.233"), "RUS", 0, 0),
        (2013, Decimal("0.250"), "RUS", 0, 0), (2020, Decimal("0.043"), "RUS", 0, 0),
    ]  # fmt: skip


@pytest.mark.parametrize(("mart", "years", "latest"), [("students_by_host", 20, 2019), ("students_by_origin", 20, 2020)])
def test_leaves_add_up_to_the_total_of_each_year_that_has_one(published: Any, mart: str, years: int, latest: int) -> None:
    query = f"select year, sum(students), min(total_students), max(total_students) from bi.{mart} group by year"
    found = published.execute(query).fetchall()
    assert len(found) == years
    assert [row for row in found if len(set(row[1:])) > 1] == []
    # of the last complete year alone; what hosts report of a year without a total is no leaf
    assert published.execute(f"select distinct year, is_latest from bi.{mart}_latest").fetchall() == [(latest, True)]
    assert published.execute(f"select distinct year from bi.{mart}_all where row_kind = 'subtotal' and year > 2010").fetchall() == (
        [(2021,)] if mart == "students_by_host" else []
    )


def test_not_applicable_is_not_zero(published: Any) -> None:
    # of the inbound figures printed as 0, 121 are marked NA (no figure) and 66 NIL (none)
    query = """
        select inbound_students, inbound_missing_reason, count(*) from bi.student_totals
        where inbound_students = 0 or inbound_missing_reason = 'not_applicable' group by 1, 2 order by 1
    """
    assert published.execute(query).fetchall() == [(0, None, 66), (None, "not_applicable", 121)]


def test_a_country_has_a_row_for_every_year_and_a_rank_only_for_one_that_it_reports(published: Any) -> None:
    query = """
        select year, outbound_rank, outbound_ranked_countries, outbound_missing_reason is not null from bi.student_totals
        where area_code = 'KAZ' and year >= 2019 order by year
    """
    assert published.execute(query).fetchall() == [
        (2019, 7, 107, False), (2020, 10, 115, False), (2021, None, None, True), (2022, None, None, True), (2023, None, None, True),
        (2024, None, None, True),
    ]  # fmt: skip
