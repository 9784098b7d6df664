"""Files by hand: archived in the overlay, taken in, ranked where they belong, and replayed like any other answer."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

import pipeline
from expectations.gate1 import judge
from expectations.intake import take_in
from extractors import record as by_hand
from extractors.archive import Archive, Snapshot, archive_of
from extractors.landing import Landed
from extractors.raw import LandingError
from extractors.record import RecordError
from extractors.replay import catch_up
from extractors.source import load_source
from extractors.undesa.client import questions
from tests.conftest import new_profile
from tests.small import arrivals, put, tree
from tests.state import read, state
from warehouse import candidate
from warehouse.connection import connect
from warehouse.profile import BUNDLED_ARCHIVE, ROOT, Profile

PAIRS = "stock_by_destination_and_origin"
VERSION = b'{"version":"20250416-f6707727","publicationDate":null,"description":"","themeDataStatus":[]}'
ANSWER = (
    b'{"hints":[],"records":[{"indicatorId":"OE.5T8.40510","geoUnit":"KAZ","year":2018,"value":88119,"magnitude":null,"qualifier":null}],'
    b'"indicatorMetadata":[]}'
)


@pytest.fixture
def sample(profile: Profile, tmp_path: Path) -> Profile:
    """An empty warehouse with an archive that is only read, and an overlay."""
    put(profile, "external_arrivals", tree(arrivals()), "2026-02-01")
    return dataclasses.replace(profile, overlay=str(tmp_path / "overlay"))


def record(*about: Any, **more: Any) -> tuple[list[Snapshot], Landed]:
    """The snapshots of files by hand, and what landing them came to."""
    snapshots, deliveries = by_hand.record(*about, **more)
    return snapshots, list(deliveries)[-1]


def written(folder: Path, name: str, body: bytes, changed: float | None = None) -> Path:
    file = folder / name
    file.write_bytes(body)
    if changed is not None:
        os.utime(file, (changed, changed))
    return file


def current(profile: Profile) -> list[str]:
    """The manifests of the first snapshots of what would be current."""
    with connect(profile) as connection:
        chosen = [key for key, is_current in candidate.form(candidate.pool(connection)).releases if is_current]
    rows = read(
        profile, "select release_key, manifest from meta.release_snapshot join meta.snapshot using (snapshot_key) where position = 0"
    )
    return [str(manifest) for key, manifest in rows if key in chosen]


def files(folder: str) -> dict[Path, bytes]:
    return {file: file.read_bytes() for file in Path(folder).rglob("*") if file.is_file()}


def test_a_file_is_taken_in_and_later_runs_and_replays_go_on_with_it(sample: Profile, tmp_path: Path) -> None:
    take_in(sample, "bns", "external_arrivals")
    before = files(sample.archive)
    file = written(tmp_path, "answer.json", tree(arrivals() | {2020: 1021}))
    snapshots, landed = record(sample, "bns", "external_arrivals", [file], [], "recorded")
    [verdict] = judge(sample, "bns", "external_arrivals")
    assert (landed.landed, verdict.state) == (1, "accepted")
    assert files(sample.archive) == before, "what is bundled is only read"
    assert [archive_of(sample).body(snapshot) for snapshot in snapshots] == [file.read_bytes()]
    assert snapshots[0].attribution.startswith("Source: Bureau of National Statistics") and "answer.json" in snapshots[0].note
    assert current(sample) == [snapshots[0].manifest]
    intake = take_in(sample, "bns", "external_arrivals")
    assert [delivery.known for delivery in intake.deliveries] == [True, True]
    fresh = dataclasses.replace(sample, database=new_profile(tmp_path / "fresh", "koshi_replay").database)
    catch_up(fresh)
    assert state(fresh) == state(sample)


def test_a_file_that_was_archived_and_not_landed_is_taken_in_by_the_next_run(sample: Profile, tmp_path: Path) -> None:
    file = written(tmp_path, "answer.json", tree(arrivals() | {2020: 1021}))
    [snapshot], _ = record(sample, "bns", "external_arrivals", [file], [], "recorded")
    fresh = dataclasses.replace(new_profile(tmp_path / "fresh"), archive=sample.archive, overlay=sample.overlay)
    intake = take_in(fresh, "bns", "external_arrivals")
    assert [verdict.state for verdict in intake.verdicts] == ["accepted", "accepted"]
    assert current(fresh) == [snapshot.manifest]


@pytest.mark.parametrize("how", ["retrieved", "changed"])
def test_a_file_that_was_retrieved_earlier_ranks_below(sample: Profile, tmp_path: Path, how: str) -> None:
    take_in(sample, "bns", "external_arrivals")
    first = current(sample)
    january = 1_767_225_600.0
    file = written(tmp_path, "answer.json", tree(arrivals() | {2020: 1021}), january if how == "changed" else None)
    snapshots, landed = record(
        sample, "bns", "external_arrivals", [file], [], "reconstructed", "2026-01-01" if how == "retrieved" else "", "made for a test"
    )
    judge(sample, "bns", "external_arrivals")
    assert (landed.landed, snapshots[0].retrieved_at) == (1, "2026-01-01T00:00:00.000+00:00")
    assert current(sample) == first


def test_an_older_edition_ranks_below_the_newer_whenever_it_comes(profile: Profile, tmp_path: Path) -> None:
    bundled, archive = Archive(str(BUNDLED_ARCHIVE)), Archive(profile.archive)
    old, new = (bundled.snapshots("undesa", PAIRS, delivery)[0] for delivery in bundled.deliveries("undesa", PAIRS))
    archive.write(new, bundled.body(new), 1)
    take_in(profile, "undesa", PAIRS)
    file = written(tmp_path, "workbook.xlsx", bundled.body(old))
    [kept], landed = record(profile, "undesa", PAIRS, [file], ["2020"], "recorded")
    [verdict] = judge(profile, "undesa", PAIRS)
    assert (landed.landed, verdict.state, verdict.edition) == (1, "accepted", "2020")
    assert kept.request == questions(load_source("undesa"), load_source("undesa").dataset(PAIRS))["2020"]
    assert "(2020). International Migrant Stock 2020" in kept.attribution
    assert current(profile) == [new.manifest]
    assert all(delivery.known for delivery in take_in(profile, "undesa", PAIRS).deliveries)


def test_the_files_of_one_delivery_are_named_one_by_one(sample: Profile, tmp_path: Path) -> None:
    answer, version = written(tmp_path, "data.json", ANSWER), written(tmp_path, "default.json", VERSION)
    snapshots, landed = record(sample, "uis", "outbound_totals", [answer, version], ["1", "version"], "recorded")
    assert (landed.landed, landed.rows, landed.unreadable) == (1, 1, "")
    assert ("version", "20250416-f6707727") in snapshots[0].request.params
    assert read(sample, "select edition from meta.release") == [("20250416-f6707727",)]
    # the address is a name too, and a question may be a part of what is declared
    judge(sample, "uis", "outbound_totals")
    address = "https://api.uis.unesco.org/api/public/data/indicators?geoUnitType=NATIONAL&indicator=OE.5T8.40510&version=20250416-f6707727"
    _, landed = record(sample, "uis", "outbound_totals", [version, answer], ["version", address], "recorded")
    assert landed.known


@pytest.mark.parametrize(
    ("source", "dataset", "names", "requests", "said"),
    [
        ("iom", "missing_migrants", ["a"], ["2031"], r"no file is said to answer .*2018 \(GET .*/global-figures/2018/json\)"),
        ("undesa", PAIRS, ["a"], [], r"--request.*2020 \(GET .*2020_ims.*\); 2024 \(GET .*2024_ims"),
        ("undesa", PAIRS, ["a", "b"], ["2020"], "2 files need a --request each"),
        ("undesa", PAIRS, ["a", "b"], ["2020", "2020"], r"b answers GET .*2020_ims.*, as another file does"),
        ("bns", "external_arrivals", ["a", "b"], ["taldau_tree", "tree"], r"nothing declared is answered by .*b \(tree\)"),
        ("bns", "external_arrivals", ["nowhere"], [], "nowhere is no file"),
        ("uis", "outbound_totals", ["version"], [], "depend on the answer to version"),
        ("uis", "outbound_totals", ["version"], ["version"], r"no file is said to answer 1\b.*1 \(GET .*indicator=OE"),
        ("uis", "outbound_totals", ["a"], ["1"], "no file is said to answer version"),
    ],
)
def test_a_file_that_answers_nothing_is_refused_with_what_it_could_answer(
    sample: Profile, tmp_path: Path, source: str, dataset: str, names: list[str], requests: list[str], said: str
) -> None:
    for name in ("a", "b", "version"):
        written(tmp_path, name, VERSION)
    with pytest.raises(RecordError, match=said):
        record(sample, source, dataset, [tmp_path / name for name in names], requests, "recorded")
    assert not Path(sample.overlay).exists()


def test_what_a_person_says_of_a_file_is_checked(sample: Profile, tmp_path: Path) -> None:
    file = written(tmp_path, "a", tree(arrivals()))
    for retrieved, said in (("last week", "expected a date"), ("2099-01-01", "yet to come")):
        with pytest.raises(RecordError, match=said):
            record(sample, "bns", "external_arrivals", [file], [], "recorded", retrieved)
    with pytest.raises(RecordError, match="need a note"):
        record(sample, "bns", "external_arrivals", [file], [], "transcribed")
    assert not Path(sample.overlay).exists()


def test_live_takes_what_the_agency_answered_and_refuses_what_it_did_not(profile: Profile, tmp_path: Path) -> None:
    live = dataclasses.replace(profile, name="live")
    file = written(tmp_path, "a", tree(arrivals()))
    for capture in ("reconstructed", "transcribed"):
        with pytest.raises(LandingError, match=f"capture is '{capture}', expected live or recorded"):
            record(live, "bns", "external_arrivals", [file], [], capture, note="made for a test")
    with pytest.raises(LandingError, match="capture is 'recorded', expected transcribed"):
        record(live, "bns", "kandas", [file], [], "recorded")
    assert not Path(live.archive).exists()
    snapshots, landed = record(live, "bns", "external_arrivals", [file], [], "recorded")
    assert (landed.landed, [Archive(live.archive).body(snapshot) for snapshot in snapshots]) == (1, [file.read_bytes()])


def test_a_transcription_is_cited_by_its_documents(sample: Profile, tmp_path: Path) -> None:
    bundled = Archive(str(BUNDLED_ARCHIVE))
    [printed] = bundled.snapshots("bns", "kandas", bundled.deliveries("bns", "kandas")[0])
    file = written(tmp_path, "kandas.csv", bundled.body(printed))
    [kept], landed = record(sample, "bns", "kandas", [file], [], "transcribed", "2026-11-01", "Annual report 2026")
    assert landed.landed and not landed.unreadable
    assert kept.attribution.startswith("Source: Ministry of Labour") and "as printed in: Annual report 2026" in kept.attribution
    assert kept.licence == printed.licence


def command(*words: str, **environment: str) -> Result:
    return CliRunner().invoke(pipeline.app, list(words), env={"COLUMNS": "200", **environment})


def test_the_command_says_what_became_of_a_file(sample: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "load", lambda *_: sample)
    file = written(tmp_path, "an answer; $(HOME).json", tree(arrivals() | {2020: 1021}))
    said = command("record", "bns", "external_arrivals", str(file), "--capture", "recorded")
    assert (said.exit_code, f"archived in {sample.overlay}: manifests/bns/external_arrivals/" in said.output) == (0, True), said.output
    assert "accepted: bns.external_arrivals, slice whole" in said.output and "the next run publishes it" in said.output
    names = ("SOURCE", "DATASET", "FILE", "REQUEST", "CAPTURE", "RETRIEVED", "NOTE")
    values = ("bns", "external_arrivals", str(file), "", "recorded", "", "")
    said = command("record", **dict(zip(names, values, strict=True)))
    assert (said.exit_code, "nothing new: these bytes were taken in before" in said.output) == (0, True), said.output
    written(tmp_path, "page.html", b"<html>")
    said = command("record", "bns", "external_arrivals", str(tmp_path / "page.html"), "--capture", "recorded")
    assert (said.exit_code, "rejected: bns.external_arrivals, slice unreadable" in said.output) == (2, True), said.output
    said = command("record", "bns", "nothing", str(file), "--capture", "recorded")
    assert (said.exit_code, "has no dataset 'nothing'" in said.output) == (1, True), said.output


def test_clean_says_which_recorded_files_go_with_it(sample: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = dataclasses.replace(sample, state=tmp_path / "state", overlay=str(tmp_path / "state" / "overlay"))
    file = written(tmp_path, "a", tree(arrivals()))
    [kept], _ = record(mine, "bns", "external_arrivals", [file], [], "recorded")
    monkeypatch.setattr(pipeline, "load", lambda *_: mine)
    said = command("clean")
    assert said.exit_code == 0
    assert f"recorded by hand and in no other archive: bns.external_arrivals, delivered {kept.manifest.split('/')[3]}" in said.output
    assert not mine.state.exists() and files(mine.archive)


def test_make_hands_on_what_a_person_writes_as_it_is(tmp_path: Path) -> None:
    make = shutil.which("make")
    if not make:
        pytest.skip("NOT TESTED: make is not there")
    trap = tmp_path / "trap"
    values = {"FILE": f"a b$(shell touch {trap})`touch {trap}`;touch {trap};$HOME'\".json", "NOTE": "$(HOME) & it's", "SOURCE": "bns"}
    words = [f"{name}={value}" for name, value in values.items()]
    said = subprocess.run([make, "-s", "-o", "setup", "record", "PY=env -0; true", *words], cwd=ROOT, capture_output=True, check=True)
    handed_on = dict(line.split("=", 1) for line in said.stdout.decode().split("\0") if "=" in line)
    assert {name: handed_on[name] for name in values} == values
    assert not trap.exists()
