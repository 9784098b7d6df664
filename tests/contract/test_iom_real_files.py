"""The Missing Migrants answer of 2018, as served and as bundled: identities (iom.md 8)."""

from __future__ import annotations

import json
import re
from collections import Counter
from datetime import date
from pathlib import Path

from extractors.archive import Archive, Snapshot
from extractors.http import ReplayTransport
from extractors.iom.client import fetch
from extractors.iom.parse import INCIDENT
from extractors.rows import Row
from sample.iom import FREE_TEXT, write
from tests.asked import as_bundled
from tests.asked import parse as read

SOURCE = as_bundled("iom")
DATASET = SOURCE.dataset("missing_migrants")
ANSWER = "iom/iom_mmp/2018-json.json"
EXCERPT = "iom/iom_mmp/mmp_central_asia_rows_2014-2025.json"


def value(row: Row, name: str) -> str | None:
    """The row's value of a column."""
    return row[1 + INCIDENT.index(name)]


def count(row: Row, name: str) -> int:
    """A count of persons; the identity reads an empty one as 0."""
    return int(value(row, name) or 0)


def original(shared_data: Path) -> list[Row]:
    """The rows of the answer as served."""
    return list(read("iom", DATASET, [(shared_data / ANSWER).read_bytes()]).slices["2018"])


def bundled(shared_data: Path) -> tuple[Snapshot, list[Row]]:
    """The bundled answer, through the client, and its rows."""
    archive = Archive("memory://iom_real_files")
    assert write(shared_data / "iom", archive) == 1
    [delivery] = archive.deliveries("iom", "missing_migrants")
    [snapshot] = fetch(SOURCE, DATASET, ReplayTransport(archive, "iom", "missing_migrants", delivery))
    return snapshot, list(read("iom", DATASET, [archive.body(snapshot)]).slices["2018"])


def test_the_answer_of_2018_is_read_whole_and_holds_no_unknown_field(shared_data: Path) -> None:
    rows = original(shared_data)
    assert len(rows) == 1684
    assert {value(row, "other_fields") for row in rows} == {None}
    assert sum(count(row, "total_dead_and_missing") for row in rows) == 5008


def test_dead_and_missing_are_the_total_in_every_incident(shared_data: Path) -> None:
    # the identity takes the negative counts at their word: -4 missing with 4 dead is a total of 0
    assert all(
        count(row, "number_dead") + count(row, "number_missing") == count(row, "total_dead_and_missing") for row in original(shared_data)
    )


def test_three_counts_are_negative_and_stand_beside_a_total_of_zero(shared_data: Path) -> None:
    strange = [row for row in original(shared_data) if count(row, "number_missing") < 0]
    assert sorted(count(row, "number_missing") for row in strange) == [-9, -4, -2]
    assert {value(row, "total_dead_and_missing") for row in strange} == {"0"}


def test_ids_repeat_and_ten_incidents_are_told_twice(shared_data: Path) -> None:
    rows = original(shared_data)
    ids = Counter(value(row, "web_id") for row in rows)
    assert (sum(1 for times in ids.values() if times > 1), max(ids.values())) == (26, 9)
    assert len({row[1:] for row in rows}) == 1674


def test_dates_and_ids_are_those_of_the_year(shared_data: Path) -> None:
    dates = sorted(date.fromisoformat(value(row, "reported_date") or "") for row in original(shared_data))
    assert (dates[0], dates[-1]) == (date(2018, 1, 1), date(2018, 12, 31))
    assert all((value(row, "web_id") or "").startswith("2018") for row in original(shared_data))


def test_places_are_raw_and_coordinates_are_latitude_then_longitude(shared_data: Path) -> None:
    rows = original(shared_data)
    assert all((value(row, "location_description") or "").endswith("\n") for row in rows)
    assert sum(1 for row in rows if re.search(r"&#?\w+;", value(row, "location_description") or "")) == 38
    [aktobe] = [row for row in rows if value(row, "country_of_incident") == "Kazakhstan"]
    assert (value(aktobe, "web_id"), value(aktobe, "number_dead"), value(aktobe, "number_of_survivors")) == ("2018.MMP00048", "52", "5")
    latitude, longitude = (float(part) for part in (value(aktobe, "location_coodinates") or "").split(", "))
    assert 40 < latitude < 56 < longitude < 88


def test_country_and_place_may_disagree_and_are_landed_as_they_are(shared_data: Path) -> None:
    thailand, aktobe = read("iom", DATASET, [(shared_data / EXCERPT).read_bytes()]).slices["2018"]
    assert (value(thailand, "country_of_incident"), value(thailand, "region")) == ("Tajikistan", "South-eastern Asia")
    assert aktobe[1:] == next(row for row in original(shared_data) if value(row, "country_of_incident") == "Kazakhstan")[1:]


def test_the_bundled_answer_has_the_codes_and_counts_of_the_original_and_no_free_text(shared_data: Path) -> None:
    snapshot, rows = bundled(shared_data)
    assert (snapshot.capture, snapshot.size_bytes < 1_000_000) == ("reconstructed", True)
    kept = [name for name in INCIDENT if name not in FREE_TEXT]
    assert [[value(row, name) for name in kept] for row in rows] == [[value(row, name) for name in kept] for row in original(shared_data)]
    assert {value(row, name) for row in rows for name in FREE_TEXT} == {None}


def test_the_bundled_fields_are_those_of_the_agency_less_the_free_text(shared_data: Path) -> None:
    served = {name for incident in json.loads((shared_data / ANSWER).read_text("utf-8")) for name in incident}
    assert served - set(FREE_TEXT) <= set(INCIDENT)
    assert len(served) == 19
