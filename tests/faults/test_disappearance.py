"""What readers have does not go away, and does not become something else, without a person's word."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from expectations import gate1
from expectations.intake import take_in
from expectations.settle import settle
from extractors import landing
from extractors import reparse as reparse_module
from extractors.archive import archive_of
from extractors.iom import parse as iom_parse
from extractors.iom.client import requests
from extractors.replay import catch_up
from extractors.rows import Answered, Parsed
from extractors.source import Dataset, load_source
from reporting.datasets import Line, lines
from sample.answer import store
from tests.conftest import new_profile
from tests.small import NOTE, land_all, population, put
from tests.state import read
from warehouse.keys import hex_key
from warehouse.profile import Profile
from warehouse.publication import decide


def _incidents(count: int, factor: int = 1) -> bytes:
    incident = dict.fromkeys(("number_of_survivors", "number_of_female", "number_of_male", "number_of_children"), "")
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
STATES = "select edition, state from meta.release order by rank"


def test_an_empty_year_waits_for_a_decision_through_everything_and_passes_once(
    profile: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _deliver(profile, _incidents(200), "2026-02-01") == ["accepted"]
    assert settle(profile).outcome == "published"
    assert _deliver(profile, b"", "2026-03-01") == ["undecided"]
    assert settle(profile).outcome == "nothing new"
    assert _deliver(profile, b"[]", "2026-03-02") == [], "the same again, in other bytes, is nothing new"

    # what is compared is what readers have, not what waits: a second bad one does not pass against the first
    assert _deliver(profile, _incidents(10), "2026-03-03") == ["undecided"]
    states = [(f"retrieved 2026-{day}T00:00:00+00:00", state) for day, state in (("02-01", "published"), ("03-01", "undecided"))]
    assert read(profile, STATES) == [*states, ("retrieved 2026-03-03T00:00:00+00:00", "undecided")]
    line = _line(profile)
    assert (line.word, line.undecided) == ("undecided", 1)
    key = read(profile, "select release_key from meta.release where state = 'undecided' order by rank desc limit 1")[0][0]
    assert "lost 190 of 200 figures, less than 50% may go, such as 2018.MMUS0010: was 4; " in line.details[0]
    assert line.details[0].endswith(f"waits for a decision: make decide KIND=accept RELEASE={hex_key(int(str(key)))} PERSON=… REASON=…")

    # code that reads otherwise, or judges otherwise, forgets nothing and lets nothing escape
    for module in (landing, reparse_module):
        monkeypatch.setattr(module, "parser_fingerprint", lambda code: "0123456789ab")
    monkeypatch.setattr(gate1, "verdict_fingerprint", lambda code: "0123456789ab")
    intake = take_in(profile, "iom", "missing_migrants")
    assert [verdict.state for verdict in intake.verdicts] == ["undecided", "undecided"]
    assert intake.deliveries[0].reparsed and not intake.deliveries[0].landed

    # nor does a database that is lost
    again = new_profile(tmp_path)
    catch_up(again)
    assert read(again, STATES) == [*states, ("retrieved 2026-03-03T00:00:00+00:00", "undecided")]
    assert read(again, SHOWN) == [(200,)]

    decide(again, "accept", "a test", "the agency moved them to another project", int(str(key)))
    assert _line(again).undecided == 0
    assert settle(again).outcome == "published"
    assert read(again, SHOWN) == [(10,)]
    # the next one is compared with the accepted one; what is there again is no loss; and the word was for that one release
    assert _deliver(again, _incidents(12), "2026-04-01") == ["accepted"]
    assert _deliver(again, _incidents(200), "2026-04-02") == ["accepted"]
    assert _deliver(again, _incidents(10), "2026-04-03") == ["undecided"]
    assert _deliver(again, _incidents(199), "2026-04-04") == ["accepted"]
    assert _line(again).undecided == 0, "a later delivery has it all again"


@pytest.mark.parametrize(
    ("body", "state", "said"),
    [
        (json.dumps(json.loads(_incidents(200)) * 2).encode(), "undecided", "changed by more than a factor of 2 are 200 of 200 figures"),
        (_incidents(100), "undecided", "lost 100 of 200 figures"),
        (_incidents(200, factor=3), "undecided", "changed by more than a factor of 2 are 200 of 200 figures"),
        (_incidents(200, factor=0), "undecided", "none of 200 rows says anything but 0"),
        (_incidents(200, factor=1000), "rejected", "in the median 1000.00 times the release below"),
    ],
    ids=["doubled", "halved", "tripled", "zeros", "thousands"],
)
def test_incidents_are_counted_and_their_figures_compared(profile: Profile, body: bytes, state: str, said: str) -> None:
    _deliver(profile, _incidents(200), "2026-02-01")
    assert _deliver(profile, body, "2026-03-01") == [state]
    assert said in str(read(profile, "select reason from meta.release order by rank desc limit 1")[0][0])


def test_what_waits_does_not_escape_where_new_code_reads_everything_anew_into_an_empty_database(
    profile: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _deliver(profile, _incidents(200), "2026-02-01")
    assert _deliver(profile, _incidents(10), "2026-03-01") == ["undecided"]
    again = new_profile(tmp_path)
    mended = iom_parse.parse

    def parse(dataset: Dataset, answers: Sequence[Answered]) -> Parsed:
        parsed = mended(dataset, answers)
        at = 1 + parsed.columns.index("location_description")
        return replace(parsed, slices={name: [(*r[:at], "?", *r[at + 1 :]) for r in rows] for name, rows in parsed.slices.items()})

    monkeypatch.setattr(iom_parse, "parse", parse)
    for module in (landing, reparse_module):
        monkeypatch.setattr(module, "parser_fingerprint", lambda code: "0123456789ab")
    assert len(catch_up(again).not_at_hand) == 2
    states = [verdict.state for verdict in take_in(again, "iom", "missing_migrants").verdicts]
    assert states == ["accepted", "undecided"]


def test_a_first_release_of_zeros_waits_for_a_decision(profile: Profile) -> None:
    assert _deliver(profile, _incidents(200, factor=0), "2026-02-01") == ["undecided"]


def test_slices_that_the_same_question_had_are_named(bare: Profile) -> None:
    source = load_source("bns")
    for day, years in (("2026-02-01", range(2018, 2022)), ("2026-03-01", range(2018, 2021)), ("2026-04-01", range(2018, 2022))):
        put(bare, "population", population(years), day)
    assert [landed.lacks for landed in land_all(bare, source, "population")] == [[], ["region/2021-01-01"], []]
    assert not [detail for line in lines(bare) for detail in line.details]
    put(bare, "population", population(range(2019, 2021)), "2026-05-01")
    land_all(bare, source, "population")
    (said,) = [detail for line in lines(bare) for detail in line.details]
    assert said.startswith("delivery 20260501T000000+0000 lacks 2 slices (region/2018-01-01, region/2021-01-01), which readers keep")
    # a release that is withdrawn is not missed, and what is not asked is no answer
    decide(
        bare, "withdraw", "a test", "gone for good", int(str(read(bare, "select release_key from meta.release where slice ~ '2018'")[0][0]))
    )
    put(bare, "population", population(range(2020, 2021)), "2026-06-01")
    assert land_all(bare, source, "population")[-1].lacks == ["region/2019-01-01", "region/2021-01-01"]


def _line(profile: Profile) -> Line:
    return next(line for line in lines(profile) if line.name == "iom.missing_migrants")
