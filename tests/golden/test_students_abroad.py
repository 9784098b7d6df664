"""Students from and to Kazakhstan: the figures of the UNESCO Institute for Statistics (uis.md 8)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

HERE = "area_code = 'KAZ' and direction = 'outbound'"


def test_the_largest_host_of_2019(published: Any) -> None:
    # 71,368 students in Russia of 89,347 abroad: 100 * 71368 / 89347 = 79.8773 %
    query = f"select students, total_students, share_pct from bi.student_mobility where {HERE} and year = 2019 and partner_code = 'RUS'"
    assert published.execute(query).fetchall() == [(71368, 89347, Decimal("79.8773"))]


def test_two_vintages_of_the_outbound_total(published: Any) -> None:
    # 78,337 in the release before 2022; 14,332 inbound less a net flow of -73,787 in that of 2025: 88,119
    query = (
        f"select edition, students from bi.student_mobility_vintage where {HERE} and year = 2018 and partner_code = 'W1' order by students"
    )
    assert published.execute(query).fetchall() == [("2021", 78337), ("20250416-f6707727", 88119)]


def test_outbound_totals_that_nobody_published_say_that_they_are_derived(published: Any) -> None:
    # all 2,177 totals of 2025 are inbound less net flow; the 90 of the older release were copied
    query = """
        select releases.edition, fact.estimate_kind, fact.derivation, count(*) from bi.fct_student_mobility_vintage as fact
        join bi.dim_release as releases using (release_key)
        where releases.dataset = 'outbound_totals' group by 1, 2, 3 order by 1
    """
    formula = "inbound total (26637) less net flow (MENF.5T8) of the same edition"
    assert published.execute(query).fetchall() == [
        ("2021", "estimated", None, 90), ("20250416-f6707727", "derived", formula, 2177),
    ]  # fmt: skip


def test_readers_of_the_mart_see_what_is_derived(published: Any) -> None:
    query = f"""
        select partner_code, students, estimate_kind, derivation from bi.student_mobility_all
        where {HERE} and year = 2019 and derivation is not null order by students
    """
    formula = "inbound total (26637) less net flow (MENF.5T8) of the same edition"
    # 89,347 less what hosts report
    rest, total = published.execute(query).fetchall()
    assert rest[0] == "_X"
    assert rest[2:] == ("derived", f"total less what partners report; the total: {formula}")
    assert total == ("W1", 89_347, "derived", formula)
    # nothing that is not ours is called so
    query = "select distinct direction from bi.student_mobility_all where derivation like 'inbound total%'"
    assert published.execute(query).fetchall() == [("outbound",)]


def test_years_without_russia_are_flagged(published: Any) -> None:
    # hosts report 9,138 of 39,267 (0.233), 13,551.9 of 54,172 (0.250) and 3,467 of 79,901 (0.043);
    # 17,214 of 20,468 (0.841) in 2000 has another cause
    query = f"""
        select distinct year, breakdown_coverage, coalesce(breakdown_lacks ~ 'RUS', false) from bi.student_mobility
        where {HERE} and not is_breakdown_complete order by year
    """
    shares = [(year, round(coverage, 3), lacks) for year, coverage, lacks in published.execute(query).fetchall()]
    assert shares == [
        (2000, Decimal("0.841"), False),
        (2010, Decimal("0.233"), True),
        (2013, Decimal("0.250"), True),
        (2020, Decimal("0.043"), True),
    ]


def test_an_incomplete_year_has_no_shares(published: Any) -> None:
    query = f"select count(share_pct), count(share_missing_reason), count(*) from bi.student_mobility where {HERE} and year = 2010"
    [(shares, reasons, rows)] = published.execute(query).fetchall()
    assert (shares, reasons) == (0, rows)


def test_leaves_add_up_to_every_published_total(published: Any) -> None:
    # partners + "other" + "not attributed" of the default view = the total of the current release, for each of the 20 + 20 years
    query = """
        with leaves as (
            select area_code, direction, year, sum(students) as students from bi.student_mobility group by area_code, direction, year
        )
        select count(*) filter (where total.area_code = 'KAZ'), count(*) filter (where leaves.students is distinct from total.students)
        from bi.student_mobility_all as total left join leaves using (area_code, direction, year)
        where total.partner_code = 'W1' and total.direction <> 'net_flow'
    """
    assert published.execute(query).fetchall() == [(40, 0)]


def test_not_applicable_is_not_zero(published: Any) -> None:
    # of the inbound figures printed as 0, 121 are marked NA (no figure) and 66 NIL (none)
    query = """
        select students, value_missing_reason, count(*) from bi.student_mobility_all
        where direction = 'inbound' and (students is null or students = 0) group by students, value_missing_reason order by students
    """
    assert published.execute(query).fetchall() == [(0, None, 66), (None, "not_applicable", 121)]
