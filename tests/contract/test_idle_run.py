"""A run to which nothing has come says so without Airflow, dbt and gates, and only such a run does."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest

from expectations import gate1
from expectations.settle import settle
from extractors import reparse
from extractors.source import Source, load_source
from reporting import idle_run, run_log
from tests import small
from tests.state import read
from warehouse import candidate, publication, runs
from warehouse.connection import connect
from warehouse.profile import ROOT, Profile

HEAVY = ("airflow", "dbt", "great_expectations")


@pytest.fixture(autouse=True)
def small_world(monkeypatch: pytest.MonkeyPatch) -> None:
    """The datasets of the small archive are all that is declared."""
    bns = load_source("bns")
    few = bns.model_copy(update={"datasets": {name: bns.dataset(name) for name in small.DATASETS}})
    monkeypatch.setattr(idle_run, "source_codes", lambda: ["bns"])

    def only(_code: str) -> Source:
        return few

    monkeypatch.setattr(idle_run, "load_source", only)


def test_it_tells_what_the_tasks_would_have_told(settled: Profile) -> None:
    run, _ = runs.begin(settled)
    before = read(settled, "select count(*) from meta.journal_entry")
    assert idle_run.told(settled, run)
    log = run_log.load(settled, run)
    assert log.settled is not None
    assert (log.settled.outcome, log.settled.number) == ("nothing new", 1)
    assert [taken.releases["skipped deliveries"] for taken in log.taken] == [1, 1, 1]
    found = read(settled, "select source, dataset, outcome from meta.attempt order by started_at desc limit 3")
    assert {(dataset, outcome) for _, dataset, outcome in found} == {(name, "skipped") for name in small.DATASETS}
    assert read(settled, "select count(*) from meta.journal_entry") == before


def _revise(profile: Profile) -> None:
    small.put(profile, "external_arrivals", small.tree(small.arrivals() | {2020: 1021}), "2026-03-01")


def _edit(profile: Profile) -> None:
    (manifest,) = Path(profile.archive, "manifests", "bns", "external_arrivals").rglob("*.json")
    manifest.write_text(manifest.read_text("utf-8").replace("made for a test", "made for another"), "utf-8")


def _fall_behind(profile: Profile) -> None:
    with connect(profile) as connection:
        connection.execute("delete from meta.journal_entry where sequence = (select max(sequence) from meta.journal_entry)")


def _leave_unjudged(profile: Profile) -> None:
    with connect(profile) as connection:
        connection.execute("update meta.release set state = 'landed' where dataset = 'external_arrivals'")


def _withdraw(profile: Profile) -> None:
    ((key,),) = read(profile, "select release_key from meta.release where dataset = 'external_departures' order by 1 limit 1")
    assert isinstance(key, int)
    publication.decide(profile, "withdraw", "a test", "it is asked for", key)


def _pin(profile: Profile) -> None:
    ((key,),) = read(profile, "select publication_key from meta.publication")
    assert isinstance(key, int)
    publication.roll_back(profile, key, "a test", "it is asked for")


def _misdate(profile: Profile) -> None:
    with connect(profile) as connection:
        connection.execute("update meta.delivery set retrieved_at = now() + interval '10 years' where dataset = 'population'")


def _lose(profile: Profile) -> None:
    shutil.rmtree(Path(profile.archive, "manifests", "bns", "population"))


@pytest.mark.parametrize("change", [_revise, _edit, _fall_behind, _leave_unjudged, _withdraw, _pin, _misdate, _lose])
def test_where_anything_has_changed_the_whole_run_is_played(settled: Profile, change: Callable[[Profile], None]) -> None:
    change(settled)
    assert not idle_run.told(settled, uuid4())


@pytest.mark.parametrize("code", ["parser", "verdict", "whole"])
def test_other_code_is_work(settled: Profile, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if code == "parser":
        monkeypatch.setattr(reparse, "parser_fingerprint", lambda _source: "0" * 16)
    elif code == "verdict":  # one that other code rejected is judged again
        with connect(settled) as connection:
            connection.execute("update meta.release set state = 'rejected' where dataset = 'population'")
        monkeypatch.setattr(gate1, "verdict_fingerprint", lambda _source: "0" * 16)
    else:
        monkeypatch.setattr(candidate, "code_fingerprint", lambda: "0" * 16)
    assert not idle_run.told(settled, uuid4())


@pytest.mark.parametrize("error", [PermissionError("the archive"), ValueError("a question"), RuntimeError("a server")])
def test_what_one_dataset_meets_is_left_to_its_task(settled: Profile, error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise error

    monkeypatch.setattr(idle_run, "untouched", broken)
    assert not idle_run.told(settled, uuid4())


def test_agencies_are_asked_by_airflow(settled: Profile) -> None:
    assert not idle_run.told(Profile("live", settled.archive, settled.journal, settled.state, settled.database), uuid4())


def test_none_of_the_heavy_libraries_is_imported_for_it() -> None:
    code = f"import sys, reporting.idle_run, reporting.ending; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == "[]"


def test_settling_agrees_that_nothing_is_to_be_built(settled: Profile) -> None:
    assert settle(settled).outcome == "nothing new"
