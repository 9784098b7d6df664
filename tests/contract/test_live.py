"""The profile `live`, end to end: the clients ask a server on loopback that answers in the agencies' shapes, and what it says lands."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from extractors import delivery
from extractors.archive import Archive
from extractors.delivery import deliver
from extractors.http import LiveTransport
from extractors.landing import Landed
from extractors.polite import FetchError
from extractors.raw import LandingError
from extractors.source import Source, load_source, source_codes
from extractors.undesa.client import requests as undesa_requests
from tests.agency import Agency, Reply
from tests.state import read
from warehouse.profile import BUNDLED_ARCHIVE, ROOT, Profile

BUNDLED = Archive(str(BUNDLED_ARCHIVE))


def play(agency: Agency, source: str, dataset: str) -> None:
    """The agency answers the questions of a dataset with the bytes of its last bundled delivery."""
    last = BUNDLED.deliveries(source, dataset)[-1]
    answers = [(snapshot.request, BUNDLED.body(snapshot)) for snapshot in BUNDLED.snapshots(source, dataset, last)]
    if source == "undesa":
        # of two of the three workbooks only the older edition is at hand: it is served where the newest is asked for
        declared = load_source(source)
        answers = [(undesa_requests(declared, declared.dataset(dataset))[0], answers[0][1])]
    agency.knows(answers)


def land(profile: Profile, source: str, dataset: str) -> list[Landed]:
    return list(deliver(profile, source, dataset))


@pytest.mark.slow
@pytest.mark.parametrize("code", source_codes())
def test_every_dataset_lands_from_what_the_agency_answers(live: Profile, agency: Agency, code: str) -> None:
    archive, source = Archive(live.archive), load_source(code)
    for name, dataset in source.datasets.items():
        play(agency, code, name)
        agency.seen.clear()
        results = land(live, code, name)
        expected = len(BUNDLED.deliveries(code, name)) if dataset.only_transcribed else 1
        assert [(result.unreadable, result.known) for result in results] == [("", False)] * expected, name
        assert results[0].landed >= 1 and results[0].rows > 0, name
        kept = [snapshot for folder in archive.deliveries(code, name) for snapshot in archive.snapshots(code, name, folder)]
        assert {snapshot.capture for snapshot in kept} == ({"transcribed"} if dataset.only_transcribed else {"live"})
        assert len(agency.seen) == (0 if dataset.only_transcribed else len(kept))
        # the ledger says where each figure came from
        listed = read(live, f"select manifest, capture, url from meta.snapshot where source = '{code}' and dataset = '{name}' order by 1")
        assert listed == sorted((snapshot.manifest, snapshot.capture, snapshot.request.url) for snapshot in kept)
        # asked again, the same answer is known: it is kept, and nothing lands
        assert all(result.known for result in land(live, code, name)), name
    assert read(live, "select distinct source from meta.release") == [(code,)]


def test_transcriptions_are_taken_from_the_bundled_archive_byte_for_byte(live: Profile, agency: Agency) -> None:
    land(live, "bns", "external_by_country")
    [folder] = BUNDLED.deliveries("bns", "external_by_country")
    for snapshot in BUNDLED.snapshots("bns", "external_by_country", folder):
        copied = Path(live.archive) / snapshot.manifest
        assert copied.read_bytes() == (BUNDLED_ARCHIVE / snapshot.manifest).read_bytes()
        assert Archive(live.archive).body(snapshot) == BUNDLED.body(snapshot)
    before = {file: file.stat().st_mtime_ns for file in Path(live.archive).rglob("*")}
    land(live, "bns", "external_by_country")
    assert {file: file.stat().st_mtime_ns for file in Path(live.archive).rglob("*")} == before
    assert agency.seen == []


def test_a_page_instead_of_data_is_kept_and_refused_by_the_parser(live: Profile, agency: Agency) -> None:
    agency.plays(Reply(body=b"<!DOCTYPE html><title>Just a moment</title>", headers={"Content-Type": "text/html"}))
    [landed] = land(live, "bns", "external_arrivals")
    assert "HTML" in landed.unreadable
    [folder] = Archive(live.archive).deliveries("bns", "external_arrivals")
    assert read(live, "select slice, state, capture, rows_landed from meta.release") == [("unreadable", "landed", "live", 0)]
    assert Archive(live.archive).snapshots("bns", "external_arrivals", folder)[0].content_type == "text/html"


def test_an_agency_that_does_not_answer_leaves_nothing(live: Profile, agency: Agency) -> None:
    agency.plays(*[Reply(503, b"maintenance")] * 3)
    with pytest.raises(FetchError, match=r"bns\.external_arrivals: POST .*status 503.*maintenance"):
        land(live, "bns", "external_arrivals")
    assert len(agency.seen) == 3
    assert Archive(live.archive).deliveries("bns", "external_arrivals") == []
    assert read(live, "select count(*) from meta.release") == [(0,)]


def test_a_workbook_put_by_hand_lands(live: Profile, agency: Agency, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    play(agency, "undesa", "stock_by_destination")
    [(_, body)] = [*agency.answers.items()]
    declared = load_source("undesa")
    name = undesa_requests(declared, declared.dataset("stock_by_destination"))[0].url.rpartition("/")[2]
    (tmp_path / name).write_bytes(body)
    monkeypatch.setenv("KOSHI_DROPIN_UNDESA", str(tmp_path))
    [landed] = land(live, "undesa", "stock_by_destination")
    assert (landed.landed, agency.seen) == (1, [])
    assert read(live, "select distinct capture from meta.release") == [("recorded",)]


def test_a_revision_becomes_a_second_release_above_the_first(live: Profile, agency: Agency) -> None:
    play(agency, "bns", "external_arrivals")
    land(live, "bns", "external_arrivals")
    [(fingerprint, body)] = agency.answers.items()
    agency.answers[fingerprint] = body.replace(b'"y122024": "29282"', b'"y122024": "29948"')
    assert agency.answers[fingerprint] != body
    [landed] = land(live, "bns", "external_arrivals")
    assert landed.landed == 1
    assert read(live, "select count(distinct rank) from meta.release") == [(2,)]


@pytest.mark.parametrize("capture", ["reconstructed", "transcribed"])
def test_a_live_warehouse_refuses_what_no_agency_answered(
    live: Profile, agency: Agency, monkeypatch: pytest.MonkeyPatch, capture: Any
) -> None:
    play(agency, "bns", "external_arrivals")
    ask = LiveTransport.ask
    monkeypatch.setattr(LiveTransport, "ask", lambda *asked: dataclasses.replace(ask(*asked), capture=capture))
    with pytest.raises(LandingError, match=f"capture is '{capture}', expected live or recorded"):
        land(live, "bns", "external_arrivals")
    assert read(live, "select count(*) from meta.release") == [(0,)]


def test_a_declared_transcription_may_be_nothing_else(live: Profile, monkeypatch: pytest.MonkeyPatch) -> None:
    def with_reconstruction(code: str) -> Source:
        source = load_source(code)
        arrivals = source.dataset("external_arrivals").model_copy(update={"only_transcribed": True})
        return source.model_copy(update={"datasets": {**source.datasets, "external_arrivals": arrivals}})

    monkeypatch.setattr(delivery, "load_source", with_reconstruction)
    with pytest.raises(LandingError, match="capture is 'reconstructed', expected transcribed"):
        land(live, "bns", "external_arrivals")


def test_live_is_chosen_by_one_word() -> None:
    make = shutil.which("make")
    if not make:
        pytest.skip("NOT TESTED: make is not there")
    environment = {name: value for name, value in os.environ.items() if name != "KOSHI_PROFILE" and not name.startswith("MAKE")}
    for words, chosen in ((["LIVE=1"], "live"), ([], "")):
        show = [make, "-s", "--eval", 'show: ; @echo "$$KOSHI_PROFILE"', "show", *words]
        assert subprocess.run(show, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout.strip() == chosen
