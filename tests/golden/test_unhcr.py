"""UNHCR's figures as readers see them: a category that changed in 2025, gaps that are no zeros (extractors/unhcr/README.md)."""

from __future__ import annotations

from tests.golden.conftest import Reader

FIGURES = (
    "select year, area_code, counterpart_code, split_part(indicator_code, '.', 3) as category, value as persons, obs_status,"
    " value_missing_reason, is_break, break_kind, period_kind, period_start_date"
    " from bi.fct_area_indicator join bi.dim_area using (area_key) join bi.dim_period using (period_key)"
    " join bi.dim_indicator using (indicator_key)"
    " join (select area_key as counterpart_area_key, area_code as counterpart_code from bi.dim_area) as counterpart"
    " using (counterpart_area_key) where indicator_code like 'unhcr.persons_of_concern.%'"
)


def test_six_categories_of_every_pair_are_there(published: Reader) -> None:
    rows = published.execute(
        "select (counterpart_code = 'KAZ')::int as is_origin, count(*), count(distinct category), min(year), max(year)"
        f" from ({FIGURES}) as figure group by 1 order by 1"
    ).fetchall()
    # 258 records of origins in Kazakhstan and 793 of countries of asylum, a row for each of six categories
    assert rows == [(0, 258 * 6, 6, 1993, 2025), (1, 793 * 6, 6, 1994, 2025)]
    days = published.execute(f"select distinct period_kind, to_char(period_start_date, 'MM-DD') from ({FIGURES}) as figure").fetchall()
    assert days == [("instant", "12-31")]


def test_a_category_changed_in_2025_and_neither_figure_is_a_trend(published: Reader) -> None:
    rows = published.execute(
        "select year, category, sum(persons) filter (where counterpart_code = '_U'), sum(persons) filter (where counterpart_code <> '_U'),"
        f" bool_and(is_break), max(break_kind) from ({FIGURES}) as figure"
        " where area_code = 'KAZ' and year >= 2024 and category in ('refugees', 'oip') group by 1, 2 order by 1, 2"
    ).fetchall()
    assert rows == [
        (2024, "oip", None, None, False, None),
        (2024, "refugees", 65_511, 322, False, None),
        (2025, "oip", 48_391, None, True, "definition"),
        (2025, "refugees", 0, 4_377, True, "definition"),
    ]
    # 65,511 + 322 = 65,833 and 48,391 + 4,377 = 52,768: 13,065 fewer, which the change of the category does not explain
    assert 65_511 + 322 - (48_391 + 4_377) == 13_065
    marked = published.execute(f"select is_break, min(year), max(year) from ({FIGURES}) as figure group by 1 order by 1").fetchall()
    assert marked == [(False, 1993, 2024), (True, 2025, 2025)]


def test_a_gap_is_no_zero_and_a_zero_no_gap(published: Reader) -> None:
    rows = published.execute(
        "select category, count(*) filter (where persons is null), count(*) filter (where persons = 0), sum(persons),"
        " array_agg(distinct obs_status), array_agg(distinct value_missing_reason)"
        f" from ({FIGURES}) as figure group by 1 order by 1"
    ).fetchall()
    found = {category: rest for category, *rest in rows}
    # other people in need of international protection have a figure in 1 of 1,051 pairs and years
    assert found["oip"] == [1_050, 0, 48_391, ["A", "O"], ["not_available", None]]
    assert {category: rest for category, rest in found.items() if category != "oip"} == {
        "asylum_seekers": [0, 430, 86_526, ["A"], [None]],
        "ooc": [0, 1_041, 374_024, ["A"], [None]],
        "refugees": [0, 175, 530_195, ["A"], [None]],
        "returned_refugees": [0, 1_012, 40_233, ["A"], [None]],
        "stateless": [0, 1_029, 302_477, ["A"], [None]],
    }


def test_persons_from_kazakhstan_are_told_by_country_of_asylum(published: Reader) -> None:
    rows = published.execute(
        f"select category, sum(persons) from ({FIGURES}) as figure where counterpart_code = 'KAZ' and year = 2024 group by 1 order by 1"
    ).fetchall()
    assert rows == [("asylum_seekers", 12_388), ("oip", None), ("ooc", 0), ("refugees", 4_119), ("returned_refugees", 0), ("stateless", 0)]
    # Austria is AUS in the agency's own codes, and Australia AUL
    said = published.execute(
        f"select area_code, persons from ({FIGURES}) as figure"
        " where counterpart_code = 'KAZ' and year = 2024 and category = 'refugees' and area_code in ('AUT', 'AUS') order by 1"
    ).fetchall()
    assert said == [("AUS", 0), ("AUT", 91)]


def test_the_stateless_have_no_country_of_origin(published: Reader) -> None:
    rows = published.execute(
        f"select counterpart_code, sum(persons) from ({FIGURES}) as figure"
        " where area_code = 'KAZ' and year = 2025 and category = 'stateless' and persons > 0 group by 1"
    ).fetchall()
    assert rows == [("_Z", 7_857)]
