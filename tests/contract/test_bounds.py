"""What two releases are compared by, against a reckoning of its own: only what both speak of counts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import psycopg
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from expectations.check import BATCH, BELOW, Check
from expectations.suites.continuity import same_unit, still_there
from extractors.source import Continuity
from warehouse.connection import connect
from warehouse.profile import Profile

KEY = ("area_code", "year")
Figures = Mapping[tuple[str, int], int | None]

years, areas = st.integers(2018, 2021), st.sampled_from("ABCDEFG")
figures = st.dictionaries(st.tuples(areas, years), st.one_of(st.none(), st.integers(-50, 10_000)), max_size=28)
sound = st.dictionaries(st.tuples(areas, years), st.integers(1, 10_000), min_size=1, max_size=28)
cheaply = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def link(bare: Profile) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    with connect(bare) as connection:
        for name in ("batch", "below"):
            connection.execute(
                f"create temp table {name} (release_key bigint, newer_key bigint, area_code text, year int, value numeric,"
                " period_start_date date, period_end_date date)"
            )
        yield connection


def _said(
    link: psycopg.Connection[tuple[object, ...]], check: Check, below: Figures, now: Figures, month_below: int = 12
) -> list[tuple[str, str]]:
    """Place and detail of what the check finds."""
    for table, rows, month in (("batch", now, 12), ("below", below, month_below)):
        link.execute(f"truncate {table}")
        with link.cursor() as cursor:
            cursor.executemany(
                f"insert into {table} values (1, 1, %s, %s, %s, make_date(%s, 1, 1), make_date(%s, {month}, 30))",
                [(area, year, value, year, year) for (area, year), value in rows.items()],
            )
    query = check.offenders.replace(BATCH, "batch").replace(BELOW, "below")
    return [(str(place), str(detail)) for _, _, place, detail in link.execute(query).fetchall()]


def _whole(said: list[tuple[str, str]], what: str) -> bool:
    return any(place == "the whole slice" and detail.startswith(what) for place, detail in said)


@cheaply
@given(below=figures, now=figures, new=st.dictionaries(st.tuples(areas, st.integers(2022, 2025)), st.integers(-50, 10_000)))
def test_new_periods_never_count(link: psycopg.Connection[tuple[object, ...]], below: Figures, now: Figures, new: Figures) -> None:
    for check in (same_unit(KEY), still_there(KEY, Continuity())):
        before = {found for found in _said(link, check, below, now) if not found[1].startswith("none of")}
        assert {found for found in _said(link, check, below, {**now, **new}) if not found[1].startswith("none of")} == before


@cheaply
@given(below=sound, power=st.sampled_from((1, 2, 3, 6)), is_up=st.booleans())
def test_a_power_of_ten_is_another_unit(link: psycopg.Connection[tuple[object, ...]], below: Figures, power: int, is_up: bool) -> None:
    more = {at: (value or 0) * 10**power for at, value in below.items()}
    said = _said(link, same_unit(KEY), *((below, more) if is_up else (more, below)))
    assert _whole(said, "in the median")
    assert not _said(link, same_unit(KEY), below, below)


@cheaply
@given(below=sound, data=st.data())
def test_the_bounds_are_where_they_are_declared(link: psycopg.Connection[tuple[object, ...]], below: Figures, data: st.DataObject) -> None:
    gone = data.draw(st.sets(st.sampled_from(sorted(below))))
    assume(len(gone) < len(below))
    kept = {at: value for at, value in below.items() if at not in gone}
    tripled = data.draw(st.sets(st.sampled_from(sorted(kept))))
    now = {at: (value or 0) * (3 if at in tripled else 2) for at, value in kept.items()}
    said = _said(link, still_there(KEY, Continuity()), below, now)
    assert _whole(said, "lost") == (len(gone) >= 0.5 * len(below) and bool(gone))
    assert _whole(said, "changed") == (len(tripled) > 0.25 * len(kept)), "twice as much is within the factor"
    wide = Continuity(lost=1, changed=1)
    # that all of a period is gone is said whatever may go
    assume({year for _, year in kept} == {year for _, year in below})
    assert not _said(link, still_there(KEY, wide), below, now)


def test_a_period_that_is_gone_or_in_another_unit_is_found_among_others(link: psycopg.Connection[tuple[object, ...]]) -> None:
    below = {(area, year): 100 + number for year in range(2018, 2022) for number, area in enumerate("ABCDEFG")}
    gone = {at: value for at, value in below.items() if at[1] != 2019}
    assert [place for place, _ in _said(link, still_there(KEY, Continuity()), below, gone)] == ["period 2019"]
    zero = {at: 0 if at[1] == 2019 else value for at, value in below.items()}
    assert ("period 2019", "none of 7 rows says anything but 0") in _said(link, still_there(KEY, Continuity()), below, zero)
    thousands = {at: 1000 * value if at[1] == 2019 else value for at, value in below.items()}
    assert [place for place, _ in _said(link, same_unit(KEY), below, thousands)] == ["period 2019"]


def test_a_figure_to_date_is_compared_with_that_of_the_same_date_only(link: psycopg.Connection[tuple[object, ...]]) -> None:
    below = {("A", 2026): 1000, ("B", 2026): 2000}
    tenfold = {at: 10 * value for at, value in below.items()}
    assert _said(link, same_unit(KEY), below, tenfold)
    for check in (same_unit(KEY), still_there(KEY, Continuity())):
        assert not _said(link, check, below, tenfold, month_below=6)
