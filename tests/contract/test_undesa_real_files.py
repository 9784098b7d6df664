"""The migrant stock figures at hand, and the bundled answers written from them: identities (undesa.md 8)."""

from __future__ import annotations

import csv
import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import pytest

from extractors.archive import Archive, Snapshot
from extractors.http import ReplayTransport
from extractors.rows import WHOLE, Row
from extractors.source import load_source
from extractors.undesa.client import fetch
from extractors.undesa.parse import STOCK
from sample.undesa import write
from tests.asked import parse as read

SOURCE = load_source("undesa")
PAIRS = "stock_by_destination_and_origin"
WORKBOOK = "iom/un_desa/undesa_pd_2020_ims_stock_by_sex_and_destination.xlsx"
KAZ, WORLD, OTHERS = "398", "900", "2003"
BOTH, MALES, FEMALES = SOURCE.dataset(PAIRS).request["blocks"]
LONG_COPIES = {"2020": "undesa_stocks_2020rev_gdidata_ca_rus.csv", "2024": "undesa_stocks_2024rev_gdidata.csv"}
BY_AGE_COPIES = {"2020": "undesa_ims2020_kaz_by_age_andreev.csv", "2024": "undesa_ims2024_kaz_by_age_andreev.csv"}


@lru_cache
def written(inputs: Path) -> Archive:
    """The bundled answers, in memory."""
    archive = Archive("memory://undesa_real_files")
    assert write(inputs, archive) == 4
    return archive


def snapshots(inputs: Path, dataset: str) -> list[Snapshot]:
    """What the client gets of each delivery."""
    archive = written(inputs)
    transports = [ReplayTransport(archive, "undesa", dataset, delivery) for delivery in archive.deliveries("undesa", dataset)]
    return [snapshot for transport in transports for snapshot in fetch(SOURCE, SOURCE.dataset(dataset), transport)]


@lru_cache
def pairs(inputs: Path, edition: str) -> dict[tuple[str, str, str, str], int]:
    """The bundled figures of an edition by destination, origin, year and block."""
    archive = written(inputs)
    for snapshot in snapshots(inputs, PAIRS):
        found = read("undesa", SOURCE.dataset(PAIRS), [archive.body(snapshot)])
        if found.edition == edition:
            names = ("destination_code", "origin_code", "period", "block")
            return {tuple(value(row, name) for name in names): int(value(row, "value")) for row in found.slices[WHOLE]}  # type: ignore[misc]
    raise AssertionError(f"edition {edition} is not in the archive")


def value(row: Row, name: str) -> str:
    """The row's value of a column, empty if missing."""
    return row[1 + STOCK.index(name)] or ""


@lru_cache
def table(shared_data: Path, number: int, blocks: tuple[str, ...]) -> tuple[Row, ...]:
    """The rows of one table of the original workbook of 2020."""
    declared = SOURCE.dataset("stock_by_destination")
    request = {**declared.request, "table": f"Table {number}", "blocks": list(blocks)}
    body = (shared_data / WORKBOOK).read_bytes()
    return tuple(read("undesa", declared.model_copy(update={"request": request}), [body]).slices[WHOLE])


def by_sex(title: str, unit: str = "") -> tuple[str, ...]:
    """The three blocks of a table."""
    return tuple(f"{title}, {sex}{unit}" for sex in ("both sexes combined", "males", "females"))


def kazakhstan(rows: Sequence[Row], block: str) -> dict[str, float]:
    """Figures of Kazakhstan by period."""
    return {
        value(row, "period"): float(value(row, "value"))
        for row in rows
        if value(row, "destination_code") == KAZ and value(row, "block") == block
    }


def stock(shared_data: Path) -> tuple[Row, ...]:
    """Table 1 of the original."""
    return table(shared_data, 1, (BOTH, MALES, FEMALES))


def test_the_original_workbook_is_read_whole(shared_data: Path) -> None:
    found = stock(shared_data)
    # 283 lines x 3 blocks x 7 years
    assert len(found) == 5943
    assert Counter(value(row, "value") for row in found)[".."] == 122
    parsed = read("undesa", SOURCE.dataset("stock_by_destination"), [(shared_data / WORKBOOK).read_bytes()])
    # the five other tables have 283 lines each
    assert (parsed.edition, parsed.out_of_scope) == ("2020", 5 * 283)


def test_males_and_females_are_both_sexes_in_every_line_and_year(shared_data: Path) -> None:
    figures: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for row in stock(shared_data):
        figures[value(row, "line_number"), value(row, "period")][value(row, "block")] = value(row, "value")
    known = [cells for cells in figures.values() if ".." not in cells.values()]
    assert len(known) > 1900
    assert all(int(cells[MALES]) + int(cells[FEMALES]) == int(cells[BOTH]) for cells in known)
    assert kazakhstan(stock(shared_data), MALES)["2020"] + kazakhstan(stock(shared_data), FEMALES)["2020"] == 3_732_073


def test_the_232_countries_add_up_to_the_world(shared_data: Path) -> None:
    rows = [row for row in stock(shared_data) if value(row, "block") == BOTH and value(row, "period") == "2020"]
    countries = [int(value(row, "value")) for row in rows if value(row, "data_type")]
    assert (len(countries), sum(countries)) == (232, 280_598_105)


def test_what_the_workbook_repeats_and_misspells_is_landed_as_it_is(shared_data: Path) -> None:
    rows = [row for row in stock(shared_data) if value(row, "block") == BOTH and value(row, "period") == "2020"]
    codes = Counter(value(row, "destination_code") for row in rows)
    assert [code for code, times in codes.items() if times > 1] == ["927"]
    assert [row[0] for row in rows if value(row, "destination_code") == "927"] == ["Table 1!L19", "Table 1!L268"]
    assert Counter(value(row, "data_type") for row in rows)["B R "] == 1
    assert sum(1 for row in rows if value(row, "destination").endswith("*")) == 62


def test_shares_and_rates_of_change_follow_from_stock_and_population(shared_data: Path) -> None:
    population = table(shared_data, 2, by_sex("Total population at mid-year", " (thousands)"))
    titles = by_sex("International migrant stock as a percentage of the total population")
    share = kazakhstan(table(shared_data, 3, titles), titles[0])
    titles = by_sex("Annual rate of change of the migrant stock")
    change = kazakhstan(table(shared_data, 5, titles), titles[0])
    stocks, thousands = kazakhstan(stock(shared_data), BOTH), kazakhstan(population, value(population[0], "block"))
    # 100 x 3,732,073 / (1000 x 18,776.707) = 19.876; 100 x ln(3,732,073 / 3,546,060) / 5 = 1.0225
    assert share["2020"] == pytest.approx(100 * stocks["2020"] / (1000 * thousands["2020"]))
    assert round(share["2020"], 3) == 19.876
    assert change["2015-2020"] == pytest.approx(100 * math.log(stocks["2020"] / stocks["2015"]) / 5)
    assert round(change["2015-2020"], 4) == 1.0225


def test_the_bundled_workbook_of_destinations_is_the_original_cell_by_cell(shared_data: Path) -> None:
    original = (shared_data / WORKBOOK).read_bytes()
    for dataset in ("stock_by_destination", "population_by_destination"):
        [snapshot] = snapshots(shared_data / "iom", dataset)
        bundled = read("undesa", SOURCE.dataset(dataset), [written(shared_data / "iom").body(snapshot)])
        assert list(bundled.slices[WHOLE]) == list(read("undesa", SOURCE.dataset(dataset), [original]).slices[WHOLE])


@pytest.mark.parametrize("edition", ["2020", "2024"])
def test_the_bundled_pairs_are_those_of_the_copy_and_no_others(shared_data: Path, edition: str) -> None:
    bundled = pairs(shared_data / "iom", edition)
    with (shared_data / "iom/ref/countrynames_gdidata.csv").open(encoding="utf-8", newline="") as lines:
        codes = {row["iso3"]: str(int(float(row["m49"]))) for row in csv.DictReader(lines) if row["m49"]}
    found = 0
    with (shared_data / "iom/un_desa" / LONG_COPIES[edition]).open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            key = (codes[row["geo"]], codes[row["from"]], row["t"], {"male": MALES, "female": FEMALES}[row["sex"]])
            if key in bundled:
                assert bundled[key] == int(row["n"])
                found += 1
    leaves = [key for key in bundled if WORLD not in key[:2] and key[3] != BOTH]
    # edition 2020: 581 pairs x 7 years x 2 sexes, edition 2024: 1,630 x 8 x 2
    assert found == len(leaves) == {"2020": 581 * 14, "2024": 1630 * 16}[edition]
    assert not [key for key in leaves if key[0] == key[1]]
    both = {key[:3]: figure for key, figure in bundled.items() if key[3] == BOTH}
    assert all(figure == bundled[(*key, MALES)] + bundled[(*key, FEMALES)] for key, figure in both.items())


@pytest.mark.parametrize("edition", ["2020", "2024"])
def test_kazakhstan_agrees_with_the_independent_copy_by_age_in_every_year(shared_data: Path, edition: str) -> None:
    bundled = pairs(shared_data / "iom", edition)
    checked = 0
    with (shared_data / "iom/un_desa" / BY_AGE_COPIES[edition]).open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            # (0, 0) is all ages, sex 0 both sexes, origin 0 all origins
            if [float(row[name]) for name in ("LocID", "LocIDorg", "sex", "age", "agelength")] == [398, 0, 0, 0, 0]:
                assert bundled[KAZ, WORLD, row["yearref"][:4], BOTH] == float(row["value"])
                checked += 1
    assert checked == {"2020": 7, "2024": 8}[edition]


def test_totals_with_the_world_are_the_sums_of_their_pairs_and_only_complete_sets_have_one(shared_data: Path) -> None:
    for edition, countries in (("2020", 6), ("2024", 16)):
        bundled = pairs(shared_data / "iom", edition)
        abroad = {key[1] for key in bundled if key[0] == WORLD} - {WORLD}
        assert len(abroad) == countries
        assert abroad == {key[0] for key in bundled if key[1] == WORLD} - {WORLD}
        sums: Counter[tuple[str, str, str, str]] = Counter()
        for (destination, origin, year, block), figure in bundled.items():
            if WORLD not in (destination, origin):
                sums[WORLD, origin, year, block] += figure
                sums[destination, WORLD, year, block] += figure
        totals = {key: figure for key, figure in bundled.items() if WORLD in key[:2] and key[:2] != (WORLD, WORLD)}
        assert all(sums[key] == figure for key, figure in totals.items())


def test_the_published_totals_of_both_editions_are_reproduced(shared_data: Path) -> None:
    old, new = pairs(shared_data / "iom", "2020"), pairs(shared_data / "iom", "2024")
    assert (old[WORLD, KAZ, "2020", BOTH], new[WORLD, KAZ, "2020", BOTH]) == (4_203_899, 3_029_566)
    assert (old[KAZ, WORLD, "2020", BOTH], new[KAZ, WORLD, "2020", BOTH]) == (3_732_073, 1_990_268)
    assert (new[WORLD, KAZ, "2024", BOTH], new[KAZ, WORLD, "2024", BOTH]) == (2_796_572, 2_089_797)
    assert (new[WORLD, KAZ, "2024", FEMALES], new[WORLD, KAZ, "2024", MALES]) == (1_499_206, 1_297_366)
    worlds = [old[WORLD, WORLD, "2020", BOTH], new[WORLD, WORLD, "2020", BOTH], new[WORLD, WORLD, "2024", BOTH]]
    assert worlds == [280_598_105, 275_284_032, 304_021_813]
    own_born = {"860": 2_114_480, "417": 540_573, "762": 514_478, "795": 365_787}
    assert {code: new[WORLD, code, "2024", BOTH] for code in own_born} == own_born


def test_where_the_kazakhstan_born_live_and_who_lives_in_kazakhstan(shared_data: Path) -> None:
    new = pairs(shared_data / "iom", "2024")
    abroad = {key[0]: figure for key, figure in new.items() if key[1:] == (KAZ, "2024", BOTH) and key[0] != WORLD}
    top = {"643": 1_321_004, "276": 896_268, "804": 228_982, "792": 84_823, "112": 68_126, "410": 30_061}
    assert {code: abroad[code] for code in top} == top
    # concentration: the sum of squared shares over 45 destinations
    assert len(abroad) == 45
    assert round(sum((figure / 2_796_572) ** 2 for figure in abroad.values()), 3) == 0.334
    here = {key[1]: figure for key, figure in new.items() if (key[0], *key[2:]) == (KAZ, "2024", BOTH) and key[1] != WORLD}
    assert (len(here), here["860"], here["643"], here["156"], here[OTHERS]) == (29, 744_161, 552_258, 196_398, 104_104)


def test_a_pair_that_an_edition_does_not_list_is_absent_and_not_zero(shared_data: Path) -> None:
    old, new = pairs(shared_data / "iom", "2020"), pairs(shared_data / "iom", "2024")
    # the United States as residence of the Kazakhstan-born: 36,353 in the edition 2020, not listed in 2024
    assert old["840", KAZ, "2020", BOTH] == 36_353
    assert ("840", KAZ, "2020", BOTH) not in new
    # China is new: 59 destinations become 45
    assert ("156", KAZ, "2020", BOTH) not in old
    assert new["156", KAZ, "2020", BOTH] >= 0
    assert len({key[0] for key in old if key[1] == KAZ and key[0] != WORLD}) == 59


def test_only_the_later_edition_is_near_the_census_of_2021(shared_data: Path) -> None:
    census = 1_999_142
    old, new = (pairs(shared_data / "iom", edition)[KAZ, WORLD, "2020", BOTH] for edition in ("2020", "2024"))
    assert abs(new / census - 1) < 0.005 < abs(old / census - 1)


def test_the_diaspora_ratio_of_2020_has_a_denominator_of_its_own_edition(shared_data: Path) -> None:
    population = table(shared_data, 2, by_sex("Total population at mid-year", " (thousands)"))
    persons = 1000 * kazakhstan(population, value(population[0], "block"))["2020"]
    # 100 x 4,203,899 / 18,776,707 = 22.39
    assert round(100 * pairs(shared_data / "iom", "2020")[WORLD, KAZ, "2020", BOTH] / persons, 2) == 22.39


def test_bundled_answers_are_small_marked_and_cite_their_own_edition(shared_data: Path) -> None:
    old, new = snapshots(shared_data / "iom", PAIRS)
    assert old.capture == new.capture == "reconstructed"
    assert old.attribution.endswith("(2020). International Migrant Stock 2020.")
    assert new.attribution.endswith("(2024). International Migrant Stock 2024.")
    # the licence of 2024 is known from readers of the workbook only, and says so
    assert old.licence.startswith("CC BY 3.0 IGO (")
    assert new.licence.startswith("CC BY 3.0 IGO as readers of the workbook quote it")
    assert old.size_bytes + new.size_bytes < 1_000_000
