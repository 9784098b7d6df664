"""What readers have does not go away, and does not become something else, without a person's word."""

from __future__ import annotations

import json

from expectations.intake import take_in
from expectations.settle import settle
from extractors.archive import archive_of
from extractors.bundled.answer import store
from extractors.iom.client import requests
from extractors.source import load_source
from reporting.datasets import lines
from tests.small import NOTE
from tests.state import read
from warehouse.profile import Profile


def _incidents(count: int, factor: int = 1) -> bytes:
    incident = {name: "" for name in ("number_of_survivors", "number_of_female", "number_of_male", "number_of_children")}
    incident |= {"region": "Central Asia", "reported_date": "2018-03-01", "number_missing": "0", "country_of_incident": "Kazakhstan"}
    incident |= {"location_coodinates": "43.2, 76.9", "source_quality": "4"}
    return json.dumps(
        [
            incident | {"web_id": f"2018.MMUS{number:04}", "number_dead": f"{factor * (1 + number % 7)}"}
            | {"total_dead_and_missing": f"{factor * (1 + number % 7)}"}
            for number in range(count)
        ]
    ).encode()  # fmt: skip


def _deliver(profile: Profile, body: bytes, day: str) -> list[str]:
    source = load_source("iom")
    asked = requests(source, source.dataset("missing_migrants"))
    store(
        archive_of(profile), source, "missing_migrants", asked[0], body,
        delivered=f"{day}T00:00:00+00:00", content_type="application/json", note=NOTE,
    )  # fmt: skip
    return [verdict.state for verdict in take_in(profile, "iom", "missing_migrants").verdicts]


SHOWN = "select count(*) from bi.migration_incidents"


def test_an_empty_year_waits_for_a_decision_through_everything_and_passes_once(profile: Profile) -> None:
    assert _deliver(profile, _incidents(200), "2026-02-01") == ["accepted"]
    assert settle(profile).outcome == "published"
    assert _deliver(profile, b"", "2026-03-01") == ["undecided"]
    print(lines(profile))
    assert settle(profile).outcome == "nothing new"
    assert _deliver(profile, b"[]", "2026-03-02") == []
    assert read(profile, SHOWN) == [(200,)]
