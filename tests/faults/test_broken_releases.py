"""Broken deliveries end rejected or quarantined as declared, named by where they are broken; the others go on."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from openpyxl.cell.rich_text import CellRichText, TextBlock
from openpyxl.cell.text import InlineFont

from tests.small import REGIONS, arrivals, fill, population, put, run, tree
from tests.state import read, state
from warehouse.profile import Profile

LATER = "2026-03-01"
RAISED = InlineFont(vertAlign="superscript")


def _without_2019() -> bytes:
    return tree({year: value for year, value in arrivals().items() if year != 2019})


def _doubled() -> bytes:
    node = json.loads(tree(arrivals()))[0]
    return json.dumps([node, node], ensure_ascii=False).encode()


BROKEN: dict[str, tuple[Callable[[], bytes], str, str]] = {
    # what is broken: the bytes, the expectation that must name it, the position it must name
    "a letter in a figure": (lambda: tree(arrivals() | {2020: "1o20"}), "every value is readable", "/0/y122020"),
    "an unknown region": (lambda: tree(arrivals(), id="999999"), "every area is readable", "/0/y122018"),
    "a missing year": (_without_2019, "no year is missing between the first and the last", "year 2019"),
    "a doubled row": (_doubled, "one row for each area_code, period_start_date", "/1/y122018"),
    "half a JSON document": (lambda: tree(arrivals())[:60], "the answer is readable", "line 1 column"),
    "0 bytes": (lambda: b"", "the answer is readable", "byte 0"),
    "an unknown unit": (lambda: tree(arrivals(), measureName="Тысяч человек"), "every unit is readable", "/0/y122018"),
    "a period of the other form": (lambda: tree(arrivals() | {}, y201712="5"), "the answer is readable", "/0/y201712"),
    "a page instead of data": (lambda: b"<!DOCTYPE html><html></html>", "the answer is readable", "line 1 column 1"),
    "a year taken away": (lambda: tree(arrivals(range(2018, 2021))), "no observation of the release below is missing", "2021"),
    "a key twice": (lambda: tree(arrivals()).replace(b"{", b'{"y122018": "9", ', 1), "the answer is readable", "/0/y122018"),
    "a NUL in a text": (lambda: tree(arrivals(), text="a\0b"), "the answer is readable", "/0/y122018"),
    "a figure with a raised digit": (lambda: tree(arrivals() | {2020: "1020¹"}), "every value is readable", "/0/y122020"),
    "a negative number of persons": (lambda: tree(arrivals() | {2020: "-5"}), "no value below 0", "/0/y122020"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_delivery_of_arrivals_is_rejected_by_name_and_readers_see_no_change(settled: Profile, kind: str) -> None:
    body, expectation, position = BROKEN[kind]
    before = _readable(settled)
    put(settled, "external_arrivals", body(), LATER)
    intakes, end = run(settled)

    verdict = intakes["external_arrivals"].rejected[0]
    reason = " | ".join(verdict.reasons)
    assert expectation in reason
    assert position in reason
    named = read(settled, "select source, dataset, edition, state from meta.release where state = 'rejected'")
    assert named == [("bns", "external_arrivals", f"retrieved {LATER}T00:00:00+00:00", "rejected")]
    history = read(settled, f"select count(*) from quality.validation_result where not success and expectation = '{expectation}'")
    assert history == [(1,)]
    assert end.outcome == "nothing new"
    assert _readable(settled) == before

    # run again without change: known, nothing done
    sequence = read(settled, "select max(sequence) from meta.journal_entry")
    intakes, end = run(settled)
    assert all(delivery.known for intake in intakes.values() for delivery in intake.deliveries)
    assert end.outcome == "nothing new"
    assert read(settled, "select max(sequence) from meta.journal_entry") == sequence


@pytest.mark.parametrize("kind", ["half a JSON document", "a letter in a figure"])
def test_beside_a_broken_delivery_the_other_datasets_go_on(settled: Profile, kind: str) -> None:
    put(settled, "external_arrivals", BROKEN[kind][0](), LATER)
    put(settled, "external_departures", tree(dict.fromkeys(range(2018, 2022), 1400)), LATER)
    _, end = run(settled)
    assert end.outcome == "published"
    assert read(settled, "select dataset from meta.release where state = 'rejected'") == [("external_arrivals",)]
    assert read(settled, "select arrivals_persons, departures_persons from bi.migration_balance where year = 2020") == [(1020, 1400)]


def _readable(profile: Profile) -> dict[str, list[tuple[object, ...]]]:
    """All that readers see."""
    return {name: rows for name, rows in state(profile).items() if name.startswith("bi.")}


def test_above_the_cap_a_letter_in_one_region_rejects_its_date_and_no_other(settled: Profile) -> None:
    put(settled, "population", population(replace={(REGIONS[0], 2020): "1 002 00O"}), LATER)
    intakes, _ = run(settled)
    # 1 row of 18 is 5.6 % > 5 %: the cap rejects the slice of 2020; the other dates are unchanged
    assert [verdict.slice for verdict in intakes["population"].rejected] == ["region/2020-01-01"]
    assert "every value is readable" in intakes["population"].rejected[0].reasons[0]
    assert read(settled, "select count(*) from meta.release where dataset = 'population' and state = 'published'") == [(4,)]


def test_formulas_without_results_and_raised_digits_are_named_by_their_cells(settled: Profile) -> None:
    put(settled, "population", population(replace={(region, 2020): "=B3*1" for region in REGIONS}), LATER)
    put(settled, "population", population(replace={(REGIONS[0], 2020): CellRichText("1002000", TextBlock(RAISED, "1"))}), "2026-03-02")
    put(settled, "population", population(replace={(REGIONS[0], 2020): "#REF!"}), "2026-03-03")
    intakes, _ = run(settled)
    said = [(verdict.slice, verdict.reasons[0]) for verdict in intakes["population"].rejected]
    assert [name for name, _ in said] == ["unreadable", "region/2020-01-01", "region/2020-01-01"]
    for (_, reason), found in zip(said, ("a formula without one", "'1002000¹'", "'#REF!'"), strict=True):
        assert "Все население!D3" in reason and found in reason, reason


def test_below_the_cap_the_row_is_set_aside_with_a_pointer_to_it(profile: Profile, monkeypatch: pytest.MonkeyPatch) -> None:
    from extractors.source import Dataset

    generous = property(lambda self: 0.06)
    monkeypatch.setattr(Dataset, "quarantine_max_share", generous, raising=False)
    fill(profile)
    put(profile, "population", population(replace={(REGIONS[0], 2020): "1 002 00O"}), LATER)
    intakes, settled = run(profile)

    assert not intakes["population"].rejected
    pointers = read(profile, "select source_row, rule, detail from quality.quarantine")
    assert [(row, rule) for row, rule, _ in pointers] == [("Все население!D3", "every value is readable")]
    assert "'1 002 00O'" in str(pointers[0][2])
    # the row itself stays in raw, and no fact uses it: missing, not zero and not the older figure
    assert read(profile, "select count(*) from raw.bns_table where value = '1 002 00O'") == [(1,)]
    assert settled.outcome == "published"
    assert read(
        profile,
        "select count(*) from bi.fct_population join bi.dim_area using (area_key) join bi.dim_period using (period_key)"
        " where area_code = '11' and period_start_date = '2020-01-01'",
    ) == [(0,)]


def test_a_table_whose_regions_do_not_make_the_republic_is_rejected(settled: Profile) -> None:
    put(settled, "population", population(replace={(REGIONS[1], 2019): 1_001_001}), LATER)
    intakes, _ = run(settled)
    # 17 x 1,001,000 = 17,017,000 against 16 x 1,001,000 + 1,001,001 = 17,017,001
    assert "the republic is 17017000.000000, its regions make 17017001.000000" in intakes["population"].rejected[0].reasons[0]


def test_an_unknown_region_of_a_table_is_never_another_region(settled: Profile) -> None:
    put(settled, "population", population(labels={REGIONS[2]: "Алматинский край"}), LATER)
    intakes, _ = run(settled)
    rejected = intakes["population"].rejected
    assert [verdict.slice for verdict in rejected] == [f"region/{year}-01-01" for year in range(2018, 2022)]
    assert all("every area is readable" in verdict.reasons[0] and "Алматинский край" in verdict.reasons[0] for verdict in rejected)
