"""Migrants by residence and origin, and incidents on the way: figures of UN DESA and of IOM (undesa.md 6 and 8, iom.md 8)."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any


def test_two_editions_of_the_born_in_kazakhstan(published: Any) -> None:
    # the ratio has the population of its own edition: 100 * 4,203,899 / 18,776,707 = 22.3889 %; that of edition 2024 is not at hand
    query = """
        select edition, living_abroad_persons, living_abroad_to_population_pct from bi.migrant_stock_by_edition
        where area_code = 'KAZ' and year = 2020 order by 1
    """
    assert published.execute(query).fetchall() == [("2020", 4_203_899, Decimal("22.3889")), ("2024", 3_029_566, None)]


def test_foreign_born_in_kazakhstan_and_in_the_world(published: Any) -> None:
    query = "select living_here_persons from bi.migrant_stock_by_edition where area_code = 'KAZ' and year = 2024"
    assert published.execute(query).fetchall() == [(2_089_797,)]
    query = "select edition, persons, men_persons + women_persons from bi.world_migrant_stock where year = 2024"
    assert published.execute(query).fetchall() == [("2024", 304_021_813, 304_021_813)]


def test_leaves_add_up_to_the_born_in_kazakhstan_who_live_elsewhere(published: Any) -> None:
    # men and women by residence: 1,297,366 + 1,499,206 = 2,796,572 in 2024
    query = """
        select sum(persons) filter (where sex_code = 'M'), sum(persons) filter (where sex_code = 'F'), sum(persons) from bi.migrant_stock
        where origin_code = 'KAZ' and year = 2024
    """
    assert published.execute(query).fetchall() == [(1_297_366, 1_499_206, 2_796_572)]


def test_leaves_add_up_to_every_total_of_an_origin(published: Any) -> None:
    # 6 origins x 7 dates in edition 2020, 16 x 8 in edition 2024 have a total: 42 + 128 = 170
    query = """
        with leaves as (
            select edition, origin_code, year, sum(persons) as persons from bi.migrant_stock_vintage
            where residence_code <> 'WLD' and sex_code <> '_T' group by edition, origin_code, year
        )
        select count(*), count(*) filter (where leaves.persons is distinct from total.persons)
        from bi.migrant_stock_vintage as total left join leaves using (edition, origin_code, year)
        where total.residence_code = 'WLD' and total.origin_code <> 'WLD' and total.sex_code = '_T' and total.persons is not null
    """
    assert published.execute(query).fetchall() == [(170, 0)]


def test_a_part_of_the_residences_has_no_total(published: Any) -> None:
    # of the origins that are no comparator only some residences are at hand: their sum is no figure of the origin
    query = """
        select persons, value_missing_reason from bi.migrant_stock_all
        where origin_code = 'AFG' and residence_code = 'WLD' and sex_code = '_T' and year = 2024
    """
    assert published.execute(query).fetchall() == [(None, "the set at hand is partial, and a part has no total")]


def test_what_the_edition_lacks_stands_beside_its_figures(published: Any) -> None:
    # 15 residences of edition 2020, of these the USA 36,353 and the United Kingdom 3,882, are not in edition 2024: 56,967 persons in 2020
    query = """
        select distinct year, edition, coverage, lacks_count, lacks_persons, left(lacks, 8), lacks_of from bi.migrant_stock_latest
        where origin_code = 'KAZ'
    """
    assert published.execute(query).fetchall() == [(2024, "2024", 1, 15, 56_967, "USA, GBR", "edition 2020, 2020-07-01")]


def test_the_bus_fire_near_aktobe(published: Any) -> None:
    query = "select period_start_date, dead_persons, missing_persons, latitude from bi.migration_incidents where area_code = 'KAZ'"
    assert published.execute(query).fetchall() == [(datetime.date(2018, 1, 18), 52, None, Decimal("49.0648541"))]


def test_incidents_of_2018(published: Any) -> None:
    # 1,684 objects less 3 with a negative count (set aside; each of them counts 0 in all): 1,681, with 10 complete duplicates
    query = "select count(*), count(*) filter (where is_duplicate), sum(published_dead_and_missing_persons) from bi.{} where year = 2018"
    assert published.execute(query.format("migration_incidents_all")).fetchall() == [(1681, 10, 5008)]
    assert published.execute(query.format("migration_incidents")).fetchall() == [(1671, 0, 5008)]
