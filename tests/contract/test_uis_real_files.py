"""UIS against real files: captured answers and exports, and the identities that the figures at hand keep."""

from __future__ import annotations

import csv
import json
from collections import Counter, defaultdict
from decimal import Decimal
from pathlib import Path

import pytest

from extractors.archive import Archive, Snapshot
from extractors.http import ReplayTransport
from extractors.rows import WHOLE, ContractError
from extractors.source import Dataset, load_source
from extractors.uis import client, parse
from sample import uis
from tests.asked import as_bundled
from tests.asked import parse as read
from warehouse.profile import BUNDLED_ARCHIVE

SOURCE = as_bundled("uis")
VERSION = b'{"version":"20260507-91260335","publicationDate":null,"description":"string","themeDataStatus":[]}'
OLD, NEW = "2021", "20250416-f6707727"
Figures = dict[tuple[str, str, int], Decimal]


class ReadingReplay(ReplayTransport):
    """Answers from a delivery, and their bytes."""

    def __init__(self, archive: Archive, dataset: str, delivery: str) -> None:
        super().__init__(archive, "uis", dataset, delivery)
        self.archive = archive

    def body(self, snapshot: Snapshot) -> bytes:
        return self.archive.body(snapshot)


@pytest.fixture
def archive(shared_data: Path, tmp_path: Path) -> Archive:
    made = Archive(str(tmp_path))
    uis.write(shared_data / "uis", made)
    return made


def asking(*indicators: str) -> Dataset:
    return SOURCE.dataset("outbound_totals").model_copy(update={"request": {"indicators": list(indicators)}})


def delivered(archive: Archive, dataset: str, edition: str) -> list[tuple[str | None, ...]]:
    for delivery in archive.deliveries("uis", dataset):
        snapshots = client.fetch(SOURCE, SOURCE.dataset(dataset), ReadingReplay(archive, dataset, delivery))
        parsed = read("uis", SOURCE.dataset(dataset), [archive.body(snapshot) for snapshot in snapshots])
        if parsed.edition == edition:
            return [row[1:] for row in parsed.slices[WHOLE]]
    raise AssertionError(f"no delivery of {dataset} in edition {edition}")


def figures(rows: list[tuple[str | None, ...]]) -> Figures:
    return {(str(row[0]), str(row[1]), int(str(row[2]))): Decimal(str(row[3])) for row in rows}


def test_a_captured_answer_gives_all_its_records(shared_data: Path) -> None:
    body = (shared_data / "uis/api_captured/uis_data_records.json").read_bytes()
    rows = list(read("uis", asking("CR.1"), [body, VERSION]).slices[WHOLE])
    assert len(rows) == 14
    assert rows[0] == ("/records/0", "CR.1", "CHE", "2006", "97.72", None, None)
    assert "99.35000000000001" in {row[4] for row in rows}


def test_a_captured_empty_answer_is_empty(shared_data: Path) -> None:
    body = (shared_data / "uis/api_captured/uis_data_empty.json").read_bytes()
    assert list(read("uis", asking("10"), [body, VERSION]).slices[WHOLE]) == []


def test_a_captured_hint_and_summaries_that_are_no_answers_are_refused(shared_data: Path) -> None:
    for name in ("uis_data_unknown_geounit", "uis_data_year_filter", "uis_indicator_themes", "uis_versions", "uis_definitions_geounits"):
        with pytest.raises(ContractError):
            read("uis", asking("CR.1"), [(shared_data / f"uis/api_captured/{name}.json").read_bytes(), VERSION])


def test_a_real_export_gives_every_record_with_its_digits(shared_data: Path) -> None:
    body = (shared_data / "uis/api_export/export_ROFST.1T3.GPIA.CP_data.json").read_bytes()
    rows = list(read("uis", asking("ROFST.1T3.GPIA.CP"), [body, VERSION]).slices[WHOLE])
    expected = json.loads(body, parse_float=str, parse_int=str)["records"]
    assert [row[1:] for row in rows] == [tuple(found[field] for field in parse.FIELDS) for found in expected]
    assert len(rows) == 2409
    assert Counter(row[6] for row in rows)["UIS_EST"] == 396
    assert Counter(row[6] for row in rows)["NAT_EST"] == 993


def test_every_published_version_can_be_read(shared_data: Path) -> None:
    versions = json.loads((shared_data / "uis/api_captured/uis_versions.json").read_bytes())
    assert len([parse.read_version(json.dumps(version).encode()) for version in versions]) == 15


def test_the_client_sends_only_parameters_that_the_agency_knows(shared_data: Path) -> None:
    known = json.loads((shared_data / "uis/api_captured/uis_openapi_query_params.json").read_bytes())["/api/public/data/indicators"]
    for dataset in SOURCE.datasets.values():
        for request in client.requests(SOURCE, dataset, NEW):
            assert {key for key, _ in request.params} <= set(known)


def test_all_declared_origins_are_those_of_the_agencys_labels(shared_data: Path) -> None:
    with (shared_data / "uis/bdds/OPRI_LABEL.csv").open(encoding="utf-8-sig", newline="") as lines:
        labels = {row["INDICATOR_ID"]: row["INDICATOR_LABEL_EN"] for row in csv.DictReader(lines)}
    origins = load_source("uis").dataset("students_to_kazakhstan").request["indicators"]
    assert {code for code, label in labels.items() if ": Students from " in label} == set(origins)
    assert labels["26540"] == "Asia: Students from Kazakhstan, both sexes (number)"


def test_hosts_of_2019_are_those_of_the_release_of_2022(archive: Archive) -> None:
    hosts = figures(delivered(archive, "students_from_kazakhstan", "2022"))
    assert len(hosts) == 256
    of_2019 = {unit: value for (_, unit, year), value in hosts.items() if year == 2019}
    assert {unit: int(value.quantize(Decimal(1))) for unit, value in of_2019.items()} == {
        "RUS": 71368, "KGZ": 2479, "TUR": 2191, "CZE": 1751, "GBR": 1272, "DEU": 963,
        "POL": 759, "KOR": 749, "CAN": 576, "MYS": 572, "_O": 3935,
    }  # fmt: skip
    # Russia did not report in these years, and is missing as a host
    assert {year for year in range(2000, 2021) if ("26540", "RUS", year) not in hosts} == {2010, 2013, 2020}


def test_usa_2018_contains_another_point_and_says_so(archive: Archive) -> None:
    rows = delivered(archive, "students_from_kazakhstan", "2022")
    assert [row[3:] for row in rows if row[1:3] == ("USA", "2018")] == [("1764.47354", "INCLUDES", None)]


def test_origins_of_2020_are_those_of_the_release_of_2022(archive: Archive) -> None:
    origins = figures(delivered(archive, "students_to_kazakhstan", "2022"))
    assert len(origins) == 231
    of_2020 = {code: int(value) for (code, _, year), value in origins.items() if year == 2020}
    # UZB, IND, TKM, RUS, KGZ, CHN, MNG
    codes = ("26567", "26533", "26565", "26604", "26544", "26528", "26550")
    assert [of_2020[code] for code in codes] == [26130, 4453, 3294, 1487, 1161, 989, 973]
    assert sum(of_2020.values()) == 40738


def test_national_totals_come_with_their_marks_and_no_region_among_them(archive: Archive) -> None:
    rows = delivered(archive, "inbound_and_net_flow", NEW)
    assert len(rows) == 4698
    assert len({row[1] for row in rows}) == 186
    assert all(len(str(row[1])) == 3 for row in rows)
    marks = Counter((row[0], row[4]) for row in rows)
    # a printed 0 is "not applicable" 121 times and nil 66 times
    assert (marks["26637", "NA"], marks["26637", "NIL"]) == (121, 66)
    assert {row[3] for row in rows if row[4]} == {"0"}
    # "(UIS estimate)" in the label is not the mark of the point
    unmarked = {int(str(row[2])) for row in rows if row[:2] == ("MENF.5T8", "KAZ") and row[5] is None}
    assert unmarked == {2015, 2016, 2017, 2018, 2020}


def test_outbound_is_inbound_minus_net_flow(archive: Archive) -> None:
    totals, outbound = figures(delivered(archive, "inbound_and_net_flow", NEW)), figures(delivered(archive, "outbound_totals", NEW))
    for (_, unit, year), value in outbound.items():
        assert value == totals["26637", unit, year] - totals["MENF.5T8", unit, year]
    kazakhstan = {year: int(value) for (_, unit, year), value in outbound.items() if unit == "KAZ"}
    # 2002 and 2021 on are absent: Kazakhstan did not report
    assert kazakhstan == {
        2000: 20468, 2001: 23713, 2003: 25735, 2004: 27527, 2005: 29163, 2006: 27239, 2007: 29362, 2008: 46809, 2009: 35931, 2010: 39267,
        2011: 42244, 2012: 42444, 2013: 54172, 2014: 66998, 2015: 78253, 2016: 90213, 2017: 84859, 2018: 88119, 2019: 89347, 2020: 79901,
    }  # fmt: skip
    of_2021 = [int(outbound["OE.5T8.40510", unit, 2021]) for unit in ("CHN", "IND", "VNM", "DEU", "UZB")]
    assert of_2021 == [1038886, 515082, 138921, 126111, 126935]


def test_outbound_is_not_derived_from_what_is_not_applicable_nor_below_nothing(archive: Archive) -> None:
    rows = delivered(archive, "inbound_and_net_flow", NEW)
    outbound = figures(delivered(archive, "outbound_totals", NEW))
    not_applicable = {(str(row[1]), int(str(row[2]))) for row in rows if row[4] == "NA"}
    assert not not_applicable & {(unit, year) for _, unit, year in outbound}
    # inbound 204,942 and net flow 211,987: the two were not revised together
    assert ("OE.5T8.40510", "ARE", 2019) not in outbound
    assert min(outbound.values()) >= 0
    # 2,298 pairs of inbound and net flow, less 120 not applicable and the Emirates
    assert len(outbound) == 2177


def test_outbound_of_2018_has_two_vintages(archive: Archive) -> None:
    old, new = (figures(delivered(archive, "outbound_totals", edition)) for edition in (OLD, NEW))
    assert len(old) == 90
    assert (int(old["OE.5T8.40510", "KAZ", 2018]), int(new["OE.5T8.40510", "KAZ", 2018])) == (78337, 88119)
    # four digits of a year sort below the version that begins with a later one
    assert OLD < "2022" < NEW


def test_hosts_never_exceed_outbound_and_cover_it_but_for_three_years(archive: Archive) -> None:
    hosts, outbound = figures(delivered(archive, "students_from_kazakhstan", "2022")), figures(delivered(archive, "outbound_totals", NEW))
    sums: dict[int, Decimal] = defaultdict(Decimal)
    for (_, _, year), value in hosts.items():
        sums[year] += value
    coverage = {year: sums[year] / value for (_, unit, year), value in outbound.items() if unit == "KAZ"}
    assert max(coverage.values()) <= 1
    assert {year for year, share in coverage.items() if share < Decimal("0.9")} == {2000, 2010, 2013, 2020}
    rounded = {year: round(float(share), 3) for year, share in coverage.items()}
    assert {year: rounded[year] for year in (2000, 2010, 2013, 2016, 2019, 2020)} == {
        2000: 0.841, 2010: 0.233, 2013: 0.250, 2016: 0.999, 2019: 0.969, 2020: 0.043,
    }  # fmt: skip


def test_origins_never_exceed_inbound(archive: Archive) -> None:
    origins, totals = (
        figures(delivered(archive, "students_to_kazakhstan", "2022")),
        figures(delivered(archive, "inbound_and_net_flow", NEW)),
    )
    sums: dict[int, Decimal] = defaultdict(Decimal)
    for (_, _, year), value in origins.items():
        sums[year] += value
    gaps = {year: int(value - sums[year]) for (code, unit, year), value in totals.items() if (code, unit) == ("26637", "KAZ")}
    assert min(gaps.values()) >= 0
    assert {year: gap for year, gap in gaps.items() if gap > 25} == {2000: 2637, 2001: 57, 2008: 111, 2013: 213}


def test_bundled_answers_are_credited_shared_alike_and_small(archive: Archive) -> None:
    size = 0
    for dataset in SOURCE.datasets:
        for delivery in archive.deliveries("uis", dataset):
            for snapshot in archive.snapshots("uis", dataset, delivery):
                size += snapshot.size_bytes
                assert snapshot.capture == "reconstructed"
                assert snapshot.licence.startswith("CC BY-SA")
                assert "UNESCO Institute for Statistics (UIS)" in snapshot.attribution
                assert ("derived" in snapshot.note) == snapshot.attribution.startswith("Adapted from")
    assert size < 1_000_000


@pytest.mark.parametrize(
    ("dataset", "copy", "here", "there", "rows"),
    [
        ("students_to_kazakhstan", "origins-by-destination", "dest_country_name", "origin_country_lumped", 231),
        ("students_from_kazakhstan", "destinations-by-origin", "origin_country_name", "dest_country_lumped", 256),
    ],
)
def test_every_bilateral_figure_leads_to_one_cell_of_the_copy(
    shared_data: Path, dataset: str, copy: str, here: str, there: str, rows: int
) -> None:
    """The way that docs/data.md describes, from the bundled answers to the row of the complete copy."""
    with (shared_data / "uis/bilateral/360info_country-names.csv").open(encoding="utf-8-sig", newline="") as lines:
        known = list(csv.DictReader(lines))
    column = "INDICATOR_ID" if dataset == "students_to_kazakhstan" else "country_code"
    names = {row[column]: row["country_name"] for row in known} | {"_O": "Other countries"}
    with (shared_data / f"uis/bilateral/360info_popular-{copy}.csv").open(encoding="utf-8-sig", newline="") as lines:
        cells = [row for row in csv.DictReader(lines) if row[here] == "Kazakhstan"]
    bundled = Archive(str(BUNDLED_ARCHIVE))
    [delivery] = bundled.deliveries("uis", dataset)
    bodies = [json.loads(bundled.body(found), parse_float=str) for found in bundled.snapshots("uis", dataset, delivery)]
    records = [record for body in bodies for record in body.get("records", [])]
    assert len(records) == rows
    for record in records:
        member = record["indicatorId" if column == "INDICATOR_ID" else "geoUnit"]
        [cell] = [row for row in cells if (row["year"], row[there]) == (str(record["year"]), names[member])]
        assert str(record["value"]) == cell["value_lumped"]
