"""Kandas by the ministry's releases: what is printed stands as printed, what follows from it says how."""

from __future__ import annotations

from decimal import Decimal

from expectations.intake import Intake
from tests.golden.conftest import Reader
from tests.state import read
from warehouse.profile import Profile


def test_a_year_is_printed_or_follows_from_two_stocks_or_has_a_reason(published: Reader) -> None:
    # stocks at 1 January, in thousands: 1,057.3 · 1,070.3 · 1,087.8 · 1,107.1 · 1,128.4 · 1,148.0; a year is the next one less its own
    rows = published.execute(
        "select year, persons, trim_scale(thousand_persons)::text, trim_scale(tolerance)::text, qualifier, estimate_kind,"
        " value_missing_reason"
        " from bi.repatriation_by_year where measure in ('persons', 'thousand_persons') order by year"
    ).fetchall()
    nobody = "no release at hand counts this year"
    assert rows == [
        (2016, 33754, None, "0", "exact", "observed", None),
        (2017, None, None, None, None, None, nobody),
        (2018, None, None, None, None, None, nobody),
        (2019, 17661, None, "0", "exact", "observed", None),
        (2020, None, "13", "0.1", "about", "derived", None),
        (2021, None, "17.5", "0.1", "exact", "derived", None),
        (2022, None, "19.3", "0.1", "exact", "derived", None),
        (2023, None, "21.3", "0.1", "exact", "derived", None),
        (2024, None, "19.6", "0.1", "exact", "derived", None),
        (2025, 16805, None, "0", "exact", "observed", None),
    ]  # fmt: skip


def test_the_stock_at_the_start_of_a_year_is_what_its_releases_agree_on(published: Reader) -> None:
    # 2023: of 1,106.961, 1,106.966, 1,107.066, 1,107.131, 1,107.174 and 1,107.092 the mean, without April (1,106.525) and May (1,106.456);
    # 2020: of 1,067.2 - 9.9 and 1,069.5 - 12.3, both about
    rows = published.execute(
        "select as_of_date::text, trim_scale(thousand_persons)::text, qualifier, derivation from bi.repatriation_by_year_all"
        " where is_cumulative and estimate_kind = 'derived' order by 1"
    ).fetchall()
    of = "since 1991 less since the start of the year, mean of {} releases of the year"
    assert rows == [
        ("2020-01-01", "1057.3", "about", of.format(2)), ("2021-01-01", "1070.3", "exact", of.format(1)),
        ("2022-01-01", "1087.8", "exact", of.format(4)), ("2023-01-01", "1107.1", "exact", of.format(6)),
        ("2024-01-01", "1128.4", "exact", of.format(6)), ("2025-01-01", "1148", "exact", of.format(7)),
    ]  # fmt: skip


def test_a_derived_year_names_every_line_that_it_rests_on(published: Reader) -> None:
    # two totals of each release: of 4 releases of 2022 and the one of 2021; of 7 of 2025 and 6 of 2024
    rows = published.execute(
        "select year, cardinality(string_to_array(source_row, '; ')), derivation from bi.repatriation_by_year"
        " where estimate_kind = 'derived' and year in (2021, 2024) order by 1"
    ).fetchall()
    assert rows == [
        (2021, 10, "stock at the start of 2022 (1087.8) less that of 2021 (1070.3)"),
        (2024, 26, "stock at the start of 2025 (1148) less that of 2024 (1128.4)"),
    ]


def test_a_printed_year_is_the_difference_of_its_stocks(published: Reader) -> None:
    # 1,164.8 as printed at the end of 2025 less 1,148.0 at its start: 16.8, and 16,805 are printed
    rows = published.execute(
        "select trim_scale(max(thousand_persons) - min(thousand_persons))::text from bi.repatriation_by_year_all"
        " where is_cumulative and measure = 'thousand_persons' and as_of_date in ('2025-01-01', '2026-01-01')"
    ).fetchall()
    assert rows == [("16.8",)]


def test_what_is_odd_stands_as_printed_with_a_finding(published: Reader) -> None:
    rows = published.execute(
        "select as_of_date::text, string_agg(distinct split_part(finding, ',', 1), ' | ') from bi.repatriation_by_year_all"
        " where finding is not null group by 1 order by 1"
    ).fetchall()
    base = "since 1991 less since the start of the year is {} thousand"
    assert rows == [
        ("2020-11-01", "4 shares by origin make 96.8"),
        ("2021-11-01", "3 shares by education make 96.7"),
        ("2022-08-01", "5 shares by origin make 126.7"),
        ("2023-03-01", "every share is that of the release as of 2023-02-01"),
        ("2023-04-01", base.format("1106.525")),
        ("2023-05-01", f"6 shares by origin make 97.4 | {base.format('1106.456')}"),
        ("2023-08-01", "3 shares by age make 320"),
        ("2023-09-01", "3 shares by education make 91.2"),
    ]
    rows = published.execute(
        "select share_pct from bi.repatriation_by_year_all where as_of_date = '2022-08-01' and departure_area_code = 'UZB'"
    ).fetchall()
    assert rows == [(Decimal("96.6"),)]


def test_every_printed_figure_is_there_with_its_unit_and_who_prints_it(published: Reader) -> None:
    rows = published.execute(
        "select measure, count(*), count(distinct as_of_date), count(*) filter (where printed_at is null)"
        " from bi.repatriation_by_year_all where printed_by is not null and capture = 'transcribed' group by 1 order by 1"
    ).fetchall()
    # 46 figures of three pages whose addresses were not kept: 19, 12 and 15
    assert rows == [
        ("families", 2, 2, 0), ("persons", 43, 34, 3), ("share_pct", 439, 34, 41),
        ("thousand_families", 1, 1, 0), ("thousand_persons", 31, 31, 2),
    ]  # fmt: skip
    assert sum(int(str(row[1])) for row in rows) == 516
    reasons = published.execute("select distinct address_missing_reason from bi.repatriation_by_year_all where printed_at is null")
    assert sorted(map(str, [row[0] for row in reasons])) == ["None", "seen in an index of pages, its address was not kept"]


def test_persons_by_origin_and_by_age_make_the_year(published: Reader) -> None:
    # 2019: 7,326 + 7,074 + 1,152 + 1,095 + 313 + 701 = 11,082 + 5,420 + 1,159 = 17,661
    rows = published.execute(
        "select age_group_code = '_T', sum(persons), array_agg(distinct row_kind) from bi.repatriation_by_year_all"
        " where year = 2019 and measure = 'persons' and row_kind = 'subtotal' group by 1"
    ).fetchall()
    assert sorted(rows) == [(False, 17661, ["subtotal"]), (True, 17661, ["subtotal"])]


def test_a_finding_is_told_and_holds_nobody(bundled: tuple[Profile, dict[str, Intake]]) -> None:
    [verdict] = bundled[1]["mol.kandas"].verdicts
    assert (verdict.state, verdict.rows) == ("accepted", 516)
    rows = read(
        bundled[0],
        "select expectation, unexpected_count from quality.validation_result where dataset = 'mol.kandas' and not success order by 1",
    )
    assert rows == [
        ("complete shares by age make 100", 1), ("complete shares by education make 100", 2), ("complete shares by origin make 100", 3),
        ("no release repeats every share of the one before", 1), ("the totals of a year make one base", 2),
    ]  # fmt: skip
