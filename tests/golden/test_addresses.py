"""From a fact to the very cell: its snapshot's archived bytes hold the figure at its address (law 7)."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from expectations.intake import Intake
from extractors.archive import Archive
from tests.state import read
from warehouse.profile import Profile


@pytest.mark.parametrize(
    ("dataset", "facts"),
    # answers written in several parts first: 231 origins in seven answers
    [("students_to_kazakhstan", 231), ("students_from_kazakhstan", 256), ("inbound_and_net_flow", 4698), ("outbound_totals", 2267)],
)
def test_every_count_of_students_lies_where_its_address_says(bundled: tuple[Profile, dict[str, Intake]], dataset: str, facts: int) -> None:
    archive = Archive(bundled[0].archive)
    rows = read(
        bundled[0],
        f"""
        select snapshot.manifest, fact.source_row, raw.indicator_id, raw.geo_unit, raw.year, fact.value
        from (
            select release_key, snapshot_key, source_row, value from bi.fct_student_mobility_vintage
            union all
            select release_key, snapshot_key, source_row, value from bi.fct_area_indicator_vintage
        ) as fact
        join raw.uis_observation as raw
            on raw._release_key = fact.release_key and raw._snapshot_key = fact.snapshot_key and raw._row = fact.source_row
        join meta.snapshot as snapshot using (snapshot_key)
        where snapshot.source = 'uis' and snapshot.dataset = '{dataset}'
        """,
    )
    assert len(rows) == facts
    answers: dict[str, Any] = {}
    for manifest, address, indicator, unit, year, value in map(tuple[Any, ...], rows):
        if manifest not in answers:
            answers[manifest] = json.loads(archive.body(archive.read_manifest(manifest)), parse_float=Decimal, parse_int=Decimal)
        cell = answers[manifest]
        for part in address.removeprefix("/").split("/"):
            cell = cell[int(part)] if isinstance(cell, list) else cell[part]
        assert (cell["indicatorId"], cell["geoUnit"], str(cell["year"])) == (indicator, unit, year)
        assert value is None or abs(value - cell["value"]) <= Decimal("0.0000005")
