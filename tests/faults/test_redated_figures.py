"""A printed figure may be dated anew by a later reading; none may get lost on the way."""

from __future__ import annotations

import csv
import io

from expectations.intake import take_in
from expectations.settle import settle
from extractors.bns.printed import PRINTED
from tests.small import put
from tests.state import read
from warehouse.profile import Profile

Figure = dict[str, str]
SHOWN = "select period_label, period_kind, year, persons::int from bi.repatriation_all where persons is not null order by 1"


def _figure(number: int, start: str, end: str, value: str, **more: str) -> Figure:
    same = {"document": "paper", "measure": "repatriates", "unit": "persons", "reporting_area": "KAZ", "direction": "arrivals"}
    about = {"figure_id": f"S{number}", "period_start": start, "period_end": end, "value": value, "qualifier": "exact", "tolerance": "0"}
    return dict.fromkeys(PRINTED, "") | same | about | more


def _take_in(profile: Profile, delivered: str, *figures: Figure) -> list[str]:
    """Delivers the figures and returns the reasons for which they were rejected."""
    text = io.StringIO()
    writer = csv.DictWriter(text, PRINTED, lineterminator="\n")
    writer.writeheader()
    writer.writerows(figures)
    put(profile, "kandas", text.getvalue().encode(), delivered)
    return [reason for verdict in take_in(profile, "bns", "kandas").rejected for reason in verdict.reasons]


def test_a_figure_that_was_dated_anew_replaces_itself_and_warns(profile: Profile) -> None:
    assert _take_in(profile, "2026-02-01", _figure(1, "2024", "2024", "16535"), _figure(2, "1991", "2024", "1146400")) == []
    assert settle(profile).outcome == "published"
    assert read(profile, SHOWN) == [("1991–2024", "range", None, 1146400), ("2024", "year", 2024, 16535)]
    anew = (_figure(1, "2024-01", "2024-10", "16535"), _figure(2, "1991", "2024-11", "1146400"))
    assert _take_in(profile, "2026-03-01", *anew) == []
    assert settle(profile).outcome == "published"
    assert read(profile, SHOWN) == [("1991–2024-11", "range", None, 1146400), ("2024-01–2024-10", "year-to-date", None, 16535)]
    warned = read(
        profile,
        "select outcome, unexpected_count from quality.validation_result"
        " where not success and expectation = 'no figure of the release below is dated anew'",
    )
    assert warned == [("warn", 2)]


def test_a_figure_that_is_lost_or_becomes_another_rejects_as_before(profile: Profile) -> None:
    first, second = _figure(1, "2024", "2024", "16535"), _figure(2, "1991", "2024", "1146400")
    assert _take_in(profile, "2026-02-01", first, second) == []
    lost = _take_in(profile, "2026-03-01", _figure(1, "2024-01", "2024-10", "16535"))
    assert ["no observation of the release below is missing" in reason for reason in lost] == [True]
    families = second | {"measure": "repatriate_families", "unit": "families"}
    other = _take_in(profile, "2026-03-02", first, families)
    assert ["no observation of the release below is missing" in reason for reason in other] == [True]
