"""Codes, days, editions and keys as other tools take them."""

from __future__ import annotations

import datetime

from tests.golden.conftest import Reader

MARTS = """
    select c.relname, a.attname, format_type(a.atttypid, null) from pg_class as c
    join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0
    where c.relnamespace = 'bi'::regnamespace and c.relkind in ('r', 'v') and c.relname !~ '^(dim|bridge|fct)_' and not a.attisdropped
"""


def test_marts_have_keys_that_no_client_spoils(published: Reader) -> None:
    columns = published.execute(MARTS).fetchall()
    keys = [(relation, name, kind) for relation, name, kind in columns if str(name).endswith("_key")]
    assert len(keys) > 60
    assert [key for key in keys if key[2] != "text"] == []
    rows = published.execute(
        "select count(*), count(*) filter (where p.release_key ~ '^[0-9a-f]{16}$'), count(r.release_code), max(r.dataset)"
        " from bi.population as p left join bi.dim_release as r on r.release_code = p.release_key"
    ).fetchall()
    assert rows == [(648, 648, 648, "population")]


def test_areas_have_the_codes_that_maps_ask_for(published: Reader) -> None:
    rows = published.execute(
        "select area_code, area_iso_code, un_region_name_en, un_subregion_code, area_name_en from bi.dim_area"
        " where area_code in ('19', '51', 'DEU', 'KAZ', 'W1', 'XKX') order by 1"
    ).fetchall()
    assert rows == [
        ("19", "KZ-19", None, None, "Almaty region"), ("51", None, None, None, "Ontustik Kazakhstan"),
        ("DEU", "DEU", "Europe", "155", "Germany"), ("KAZ", "KAZ", "Asia", "143", "Republic of Kazakhstan"),
        ("W1", None, None, None, "All countries"), ("XKX", None, None, None, "Kosovo (SCR 2144)"),
    ]  # fmt: skip
    rows = published.execute(
        "select count(*), count(distinct un_region_code), count(distinct un_subregion_code) from bi.dim_country"
    ).fetchall()
    assert rows[0][1:] == (5, 17)
    assert published.execute("select area_iso_code from bi.region_migration where area_code = '10' limit 1").fetchall() == [("KZ-10",)]


def test_days_and_years_have_no_gap(published: Reader) -> None:
    rows = published.execute("select count(*), max(date) - min(date) + 1, count(distinct date_key) from bi.dim_date").fetchall()
    assert len(set(rows[0])) == 1
    rows = published.execute(
        "select min(year), max(year), count(*), count(figures.year) from bi.dim_year"
        " left join (select distinct year from bi.migration_balance) as figures using (year)"
    ).fetchall()
    assert rows == [(1990, 2026, 37, 35)]


def test_an_edition_is_a_short_label_and_a_day(published: Reader) -> None:
    rows = published.execute(
        "select distinct edition_label, edition_date from bi.dim_release where edition in"
        " ('2020', '20250416-f6707727', '2026-04-30', 'retrieved 2026-09-30T00:00:00+00:00') order by 1"
    ).fetchall()
    day = datetime.date
    assert rows == [
        ("2020", None), ("2025-04-16", day(2025, 4, 16)), ("2026-04-30", day(2026, 4, 30)), ("retrieved 2026-09-30", day(2026, 9, 30)),
    ]  # fmt: skip
    rows = published.execute("select edition_label, edition_date from bi.migration_balance where year = 2024").fetchall()
    assert rows == [("retrieved 2026-09-28", day(2026, 9, 28))]
