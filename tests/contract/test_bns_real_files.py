"""The bureau's parsers on the files at hand, and the identities that hold in them."""

from __future__ import annotations

import csv
import hashlib
from collections import defaultdict
from pathlib import Path

import pytest

from extractors.archive import Archive
from extractors.bns.client import fetch
from extractors.http import ReplayTransport
from extractors.rows import WHOLE, Parsed
from sample.bns import write
from tests.asked import as_bundled
from tests.asked import parse as read
from warehouse.profile import BUNDLED_ARCHIVE

SOURCE = as_bundled("bns")
WORKBOOK = "bns/bns_6584_population_by_region_sex_2000_2023_ru.xlsx"
REPUBLIC = "РЕСПУБЛИКА КАЗАХСТАН"
CITIES = ("Astana_city", "Almaty_city", "Shymkent_city")
# KATO → the name in the by-region tables, in the order of the codes, which is the workbook's
REGIONS = (
    ("10", "Abay"), ("11", "Aqmola"), ("15", "Aqtobe"), ("19", "Almaty region"), ("23", "Atyrau"), ("27", "West Kazakhstan"),
    ("31", "Jambyl"), ("33", "Jetisu"), ("35", "Qaraganda"), ("39", "Qostanay"), ("43", "Qyzylorda"), ("47", "Mangystau"),
    ("55", "Pavlodar"), ("59", "North Kazakhstan"), ("61", "Turkistan"), ("62", "Ulutay"), ("63", "East Kazakhstan"),
    ("71", "Astana city"), ("75", "Almaty city"), ("79", "Shymkent city"),
)  # fmt: skip
Rows = list[dict[str, str | None]]


@pytest.fixture
def bundled(shared_data: Path, tmp_path: Path) -> Archive:
    """The answers that the generator writes from the files at hand."""
    archive = Archive(str(tmp_path))
    write(shared_data / "bns", archive)
    return archive


def delivered(archive: Archive, dataset: str) -> list[Parsed]:
    """All deliveries of a dataset, fetched by its own client."""
    declared = SOURCE.dataset(dataset)
    found = []
    for delivery in archive.deliveries("bns", dataset):
        snapshots = fetch(SOURCE, declared, ReplayTransport(archive, "bns", dataset, delivery))
        found.append(read("bns", declared, [archive.body(snapshot) for snapshot in snapshots]))
    return found


def rows_of(parsed: Parsed, name: str = WHOLE) -> Rows:
    return [dict(zip(("_row", *parsed.columns), row, strict=True)) for row in parsed.slices[name]]


def persons(text: str | None) -> int:
    assert text is not None
    return int(text.replace(" ", ""))


def year_flows(archive: Archive, dataset: str) -> dict[str, int]:
    return {str(row["period"])[2:]: persons(row["value"]) for row in rows_of(delivered(archive, dataset)[0])}


def net_of_regions(archive: Archive, year: str) -> dict[str, int]:
    rows = rows_of(delivered(archive, "net_migration")[0])
    return {str(row["territory"]): persons(row["value"]) for row in rows if row["period"] == f"{year}12" and row["territory"] != REPUBLIC}


def by_term(archive: Archive, dataset: str, year: str) -> dict[str, int]:
    rows = rows_of(delivered(archive, dataset)[0])
    return {str(row["term_name"]): persons(row["value"]) for row in rows if row["period"] == f"31.12.{year}"}


def population(archive: Archive, year: str) -> list[int]:
    """The twenty regions in the extract of 2026, in the order of their codes."""
    return [persons(row["value"]) for row in rows_of(delivered(archive, "population")[1], f"region/{year}-01-01")]


def internal(archive: Archive, year: str, measure: str) -> dict[str, int]:
    rows = rows_of(delivered(archive, "internal_by_region")[0], year)
    return {str(row["territory"]): persons(row["value"]) for row in rows if row["indicator"] == measure and row["section"] == "Total"}


def matrix(archive: Archive, year: str) -> dict[tuple[str, str], int]:
    rows = rows_of(delivered(archive, "internal_matrix")[0], year)
    return {(str(row["origin"]), str(row["destination"])): persons(row["value"]) for row in rows}


def net_of_matrix(moves: dict[tuple[str, str], int]) -> dict[str, int]:
    net: dict[str, int] = defaultdict(int)
    for (origin, destination), number in moves.items():
        net[origin] -= number
        net[destination] += number
    return net


def printed(archive: Archive, dataset: str, **where: str | None) -> dict[tuple[str | None, str | None, str | None], int]:
    """(counterpart, category, direction) → figure, of the lines that have all that `where` asks for."""
    rows = rows_of(delivered(archive, dataset)[0], "2022")
    chosen = [row for row in rows if all(row[column] == wanted for column, wanted in where.items())]
    return {(row["counterpart_area"], row["category"], row["direction"]): persons(row["value"]) for row in chosen}


def test_the_real_excerpt_gives_the_republic_the_regions_and_its_districts_as_out_of_scope(shared_data: Path) -> None:
    parsed = read("bns", SOURCE.dataset("net_migration"), [(shared_data / "bns/bns_6567_migration_balance_excerpt_ru.csv").read_bytes()])
    rows = rows_of(parsed)
    # 111 lines: 3 localities x 25 years of the republic, 2 years of Almaty city and of Zhetisu, and 32 lines of districts
    assert len(rows) + parsed.out_of_scope == 111
    assert sorted({str(row["territory"]) for row in rows}) == ["Г.АЛМАТЫ", "ОБЛАСТЬ ЖЕТІСУ", REPUBLIC]
    assert parsed.out_of_scope == 32
    # in the order of the file, the territory of the city with its urban line alone
    assert [row["period"] for row in rows[:3]] == ["201712", "201212", "201412"]
    assert {row["locality"] for row in rows if row["territory"] == "Г.АЛМАТЫ"} == {"городская местность"}


def test_every_bundled_answer_is_no_copy_of_a_file_at_hand_and_says_what_it_is(shared_data: Path, bundled: Archive) -> None:
    originals = {hashlib.sha256(file.read_bytes()).hexdigest() for file in (shared_data / "bns").rglob("*") if file.is_file()}
    for name, dataset in SOURCE.datasets.items():
        for delivery in bundled.deliveries("bns", name):
            for snapshot in bundled.snapshots("bns", name, delivery):
                assert snapshot.sha256 not in originals
                assert snapshot.capture == ("transcribed" if dataset.only_transcribed else "reconstructed")
                assert snapshot.licence
                assert snapshot.note
                assert ("Ministry of Labour" in snapshot.attribution) == (name == "kandas")


def test_identity_1_arrivals_minus_departures_are_the_published_balance(bundled: Archive) -> None:
    arrivals, departures = year_flows(bundled, "external_arrivals"), year_flows(bundled, "external_departures")
    rows = [row for row in rows_of(delivered(bundled, "net_migration")[0]) if row["territory"] == REPUBLIC]
    by_locality: dict[str, dict[str, int]] = defaultdict(dict)
    for row in rows:
        by_locality[str(row["locality"])][str(row["period"])[:4]] = persons(row["value"])
    total = by_locality["Всего"]
    assert list(total) == [str(year) for year in range(2000, 2025)]
    assert total == {year: arrivals[year] - departures[year] for year in total}
    assert total == {year: by_locality["городская местность"][year] + by_locality["сельская местность"][year] for year in total}
    assert (total["2022"], total["2023"], total["2024"]) == (-6722, 9293, 16550)


def test_identity_2_the_flows_of_2006_to_2022_are_the_printed_totals(bundled: Archive) -> None:
    years = [str(year) for year in range(2006, 2023)]
    arrivals, departures = year_flows(bundled, "external_arrivals"), year_flows(bundled, "external_departures")
    assert (sum(arrivals[year] for year in years), sum(departures[year] for year in years)) == (467_777, 572_692)
    assert (max(departures.values()), departures["1994"]) == (477_068, 477_068)
    assert (min(departures.values()), departures["2025"]) == (7_608, 7_608)


def test_identity_3_the_regions_add_up_to_the_republic(bundled: Archive, shared_data: Path) -> None:
    assert sum(net_of_regions(bundled, "2023").values()) == 9293
    assert sum(net_of_regions(bundled, "2024").values()) == 16550
    real = read("bns", SOURCE.dataset("population"), [(shared_data / WORKBOOK).read_bytes()])
    for name in real.slices:
        by_part: dict[tuple[str | None, str | None], list[int]] = defaultdict(list)
        for row in rows_of(real, name):
            if row["value"] != "-":
                by_part[row["sheet"], row["locality"]].append(persons(row["value"]))
        for republic, *regions in by_part.values():
            assert republic == sum(regions), name


def test_identity_3_men_and_women_are_all_and_urban_and_rural_are_the_whole(shared_data: Path) -> None:
    real = read("bns", SOURCE.dataset("population"), [(shared_data / WORKBOOK).read_bytes()])
    cells: dict[tuple[str | None, str | None], dict[tuple[str | None, str], int]] = defaultdict(dict)
    for name in real.slices:
        for row in rows_of(real, name):
            if row["value"] != "-":
                cells[row["sheet"], row["locality"]][row["period"], str(row["territory"]).strip()] = persons(row["value"])
    everyone, men, women = (cells[sheet, None] for sheet in ("Все население", "Мужчины", "Женщины"))
    assert len(everyone) == 421
    assert everyone == {cell: men[cell] + women[cell] for cell in everyone}
    for sheet, whole in (("Мужчины", men), ("Женщины", women)):
        urban, rural = cells[sheet, "Городское население"], cells[sheet, "Сельское население"]
        # the three cities have no rural population
        assert whole == {cell: urban[cell] + rural.get(cell, 0) for cell in whole}


def test_identity_4_population_natural_increase_and_net_migration_make_the_next_population(bundled: Archive) -> None:
    natural = {year: sum(by_term(bundled, "natural_increase", year).values()) for year in ("2022", "2023", "2024")}
    assert natural == {"2022": 270_370, "2023": 257_742, "2024": 233_007}
    assert sum(population(bundled, "2022")) + natural["2022"] - 6722 == sum(population(bundled, "2023")) == 19_766_807
    residuals = {}
    for year, following in (("2023", "2024"), ("2024", "2025")):
        names = list(by_term(bundled, "natural_increase", year))
        before, after = population(bundled, year), population(bundled, following)
        increase, net = by_term(bundled, "natural_increase", year), net_of_regions(bundled, year)
        residuals[year] = [p1 - p0 - increase[name] - net[name] for name, p0, p1 in zip(names, before, after, strict=True)]
    assert residuals["2023"] == [0] * 20
    # 2024: nine regions are off, by KATO 11 +5, 27 +1, 43 +2, 47 +4, 55 +1, 61 -1, 62 +2, 71 -12, 75 -2; the sum is 0
    assert sorted(value for value in residuals["2024"] if value) == [-12, -2, -1, 1, 1, 2, 2, 4, 5]
    assert sum(residuals["2024"]) == 0


def test_births_are_never_below_natural_increase(bundled: Archive) -> None:
    for year in ("2022", "2023", "2024"):
        births, natural = by_term(bundled, "births", year), by_term(bundled, "natural_increase", year)
        assert len(births) == 20
        assert all(births[name] >= natural[name] for name in births)


def test_identity_5_internal_arrivals_are_internal_departures(bundled: Archive) -> None:
    for year, expected in (("2022", 803_033), ("2023", 1_023_573)):
        arrivals, departures, net = (internal(bundled, year, measure) for measure in ("arrivals", "departures", "net"))
        assert sum(arrivals.values()) == sum(departures.values()) == expected
        assert net == {region: arrivals[region] - departures[region] for region in arrivals}
        assert len(net) == 20


def test_identity_6_the_external_net_of_2023_is_the_rest_of_all_flows(bundled: Archive) -> None:
    # all-flows net - internal net: Almaty city 43 210 - 38 113 = 5 097, Astana 51 539 - 50 078 = 1 461,
    # Mangystau 2 224 + 1 192 = 3 416, Almaty region 994 + 202 = 1 196, East Kazakhstan -3 864 + 2 885 = -979
    everything, within = net_of_regions(bundled, "2023"), internal(bundled, "2023", "net")
    pairs = {
        "Г.АЛМАТЫ": ("Almaty city", 5097),
        "Г.АСТАНА": ("Astana city", 1461),
        "МАНГИСТАУСКАЯ ОБЛАСТЬ": ("Mangystau", 3416),
        "АЛМАТИНСКАЯ ОБЛАСТЬ": ("Almaty region", 1196),
        "ВОСТОЧНО-КАЗАХСТАНСКАЯ ОБЛАСТЬ": ("East Kazakhstan", -979),
    }
    assert {name: everything[name] - within[region] for name, (region, _) in pairs.items()} == {n: v for n, (_, v) in pairs.items()}
    assert sum(everything.values()) - sum(within.values()) == 9293


def test_identity_7_internal_rates_of_2022_are_those_printed(bundled: Archive, shared_data: Path) -> None:
    # per 10 000 of the mean of the two start-of-year populations, on the printed territory: 19+33, 35+62, 63+10
    net, means = internal(bundled, "2022", "net"), {}
    order = [code for code, _ in REGIONS]
    for code, first, second in zip(order, population(bundled, "2022"), population(bundled, "2023"), strict=True):
        means[code] = (first + second) / 2
    by_code = {code: net[name] for code, name in REGIONS}
    spelt = {"Akmola": "11", "Aktobe": "15", "Almaty region": "19 33", "Atyrau": "23", "West Kazakhstan": "27", "Zhambyl": "31",
             "Karagandy": "35 62", "Kostanay": "39", "Kyzylorda": "43", "Mangystau": "47", "Pavlodar": "55", "North Kazakhstan": "59",
             "Turkistan": "61", "East Kazakhstan": "63 10", "Astana city": "71", "Almaty city": "75", "Shymkent city": "79"}  # fmt: skip
    with (shared_data.parent / "published/figures.csv").open(encoding="utf-8", newline="") as lines:
        table = [
            row
            for row in csv.DictReader(lines)
            if row["locator"] == "table 3" and row["period_start"] == "2022" and row["scope"] == "internal" and row["region"]
        ]
    assert len(table) == 17
    for row in table:
        codes = spelt[row["region"]].split()
        rate = 10_000 * sum(by_code[code] for code in codes) / sum(means[code] for code in codes)
        assert round(rate) == int(row["value"]), row["region"]


def test_trap_11_the_matrix_of_2022_is_symmetric_and_contradicts_the_by_region_table(bundled: Archive) -> None:
    symmetric = {}
    for year in ("2010", "2015", "2020", "2021", "2022", "2023", "2024", "2025"):
        moves = matrix(bundled, year)
        assert len(moves) == 380
        symmetric[year] = sum(1 for (origin, to), number in moves.items() if origin < to and moves[to, origin] == number)
    assert symmetric.pop("2022") == 64
    assert max(symmetric.values()) <= 6
    net = net_of_matrix(matrix(bundled, "2022"))
    assert (net["Astana_city"], net["Almaty_city"], net["Turkestan"]) == (-25_543, -22_812, 15_748)
    region = internal(bundled, "2022", "net")
    assert (region["Astana city"], region["Almaty city"], region["Turkistan"]) == (33_798, 35_302, -18_066)


def test_traps_12_and_13_the_matrix_of_2023_has_the_same_net_but_fewer_moves(bundled: Archive) -> None:
    assert sum(matrix(bundled, "2022").values()) == 370_572
    assert sum(matrix(bundled, "2023").values()) == 472_227 < sum(internal(bundled, "2023", "arrivals").values())
    spelt = {"Akmola": "Aqmola", "Aktobe": "Aqtobe", "Almaty": "Almaty region", "Almaty_city": "Almaty city", "Astana_city": "Astana city",
             "East_Kaz": "East Kazakhstan", "Karaganda": "Qaraganda", "Kostanay": "Qostanay", "Kyzylorda": "Qyzylorda",
             "North_Kaz": "North Kazakhstan", "Shymkent_city": "Shymkent city", "Turkestan": "Turkistan", "Ulytau": "Ulutay",
             "West_Kaz": "West Kazakhstan", "Zhambyl": "Jambyl", "Zhetysu": "Jetisu"}  # fmt: skip
    region = internal(bundled, "2023", "net")
    differences = {name: net - region[spelt.get(name, name)] for name, net in net_of_matrix(matrix(bundled, "2023")).items()}
    # Almaty region -849 against -202, Shymkent 4 063 against 3 416
    assert {name: value for name, value in differences.items() if value} == {"Almaty": -647, "Shymkent_city": 647}


def test_identity_8_countries_and_groups_add_up_to_the_flows_of_2022(bundled: Archive) -> None:
    flows = printed(bundled, "external_by_country")
    assert len(flows) == 78
    for direction, total, cis in (("arrivals", 17_425, 14_796), ("departures", 24_147, 20_098)):
        by_country = {area: value for (area, _, way), value in flows.items() if way == direction}
        assert by_country.pop("CIS") == cis
        assert by_country.pop("OTHER") == total - cis
        assert sum(by_country.values()) == total
    assert (flows["OTHER_UNLISTED", None, "arrivals"], flows["OTHER_UNLISTED", None, "departures"]) == (408, 342)


def test_identity_9_specialties_cover_tertiary_and_vocational_education_exactly(bundled: Archive) -> None:
    education = printed(bundled, "all_flows_by_education")
    external = printed(bundled, "flows_by_specialty", scope="external")
    within = printed(bundled, "flows_by_specialty", scope="internal")
    for direction, both, crossing in (("arrivals", 524_990, 8_470), ("departures", 528_918, 12_398)):
        whole = [value for (area, _, way), value in external.items() if area is None and way == direction]
        inside = [value for (_, _, way), value in within.items() if way == direction]
        assert (len(whole), sum(whole), sum(inside)) == (8, crossing, 516_520)
        levels = education[None, "tertiary", direction] + education[None, "vocational_secondary", direction]
        assert sum(whole) + sum(inside) == levels == both
        for (area, specialty, way), value in external.items():
            if area is None and way == direction:
                assert external["CIS", specialty, way] + external["OTHER", specialty, way] == value


def test_kandas_stay_what_was_printed_for_the_periods_that_the_ministry_gives_them(bundled: Archive) -> None:
    rows = [row for name in delivered(bundled, "kandas")[0].slices for row in rows_of(delivered(bundled, "kandas")[0], name)]
    by_id = {row["figure_id"]: row for row in rows}
    assert len(by_id) == len(rows) == 18
    assert {row["measure"] for row in rows} == {"repatriates", "repatriates_share", "repatriate_families"}
    assert (by_id["F382"]["period_start"], by_id["F382"]["period_end"], by_id["F382"]["value"]) == ("1991", "2022-07", "1096900")
    # what the readers noted in words is a code: a mean of a year by quota, an end that is not printed, and dates that are not printed
    assert (by_id["F442"]["unit"], by_id["F442"]["category"]) == ("families per year", "quota")
    assert [key for key, row in by_id.items() if row["remark"] == "end_not_printed"] == ["F440", "F441"]
    ten_months = {(by_id[f"F{number}"]["period_start"], by_id[f"F{number}"]["period_end"]) for number in range(407, 414)}
    assert ten_months == {("2024-01", "2024-10")}
    assert (by_id["F430"]["period_end"], by_id["F430"]["remark"]) == ("2024-11", "end_by_cited_article")


def test_kandas_as_read_before_differ_from_the_new_reading_in_dates_alone(bundled: Archive) -> None:
    """The answer that was shipped stays: the corrected one is a later delivery."""
    dated = ("_row", "period_start", "period_end", "remark")
    before, after = (
        [{key: text for key, text in row.items() if key not in dated} for name in parsed.slices for row in rows_of(parsed, name)]
        for parsed in delivered(Archive(str(BUNDLED_ARCHIVE)), "kandas")
    )
    assert before == after


def test_external_flows_before_2000_are_those_of_cis_stat_and_not_of_taldau(shared_data: Path, bundled: Archive) -> None:
    """What seed series_origin says: Taldau's own file begins in 2000, and the nine years before are CIS Stat's to the person."""
    with (shared_data / "cisstat/cisstat_migration_KAZ_and_mirrors_1991_2025.csv").open(encoding="utf-8", newline="") as lines:
        by_flow: dict[str, dict[str, int]] = defaultdict(dict)
        for row in csv.DictReader(lines):
            if (row["reporter"], row["partner"]) == ("KAZ", "_T"):
                by_flow[row["flow"]][row["year"]] = round(float(row["persons"]))
    for flow, index in (("arrivals", "2929752"), ("departures", "2929753")):
        with (shared_data / f"bns/taldau_{index}_{flow}_2000_2025_before_gap_fill_b0a9c932.csv").open(
            encoding="utf-8", newline=""
        ) as lines:
            own = {row["date"][:4]: persons(row["value"].removesuffix(".0")) for row in csv.DictReader(lines)}
        delivered_flows = year_flows(bundled, f"external_{flow}")
        filled = {year: value for year, value in delivered_flows.items() if year not in own}
        assert sorted(filled) == [str(year) for year in range(1991, 2000)]
        assert filled == {year: by_flow[flow][year] for year in filled}
        assert {year: value for year, value in delivered_flows.items() if year in own} == own
