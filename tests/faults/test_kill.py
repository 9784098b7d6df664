"""kill -9 at every step of the code, then a run: equal to one clean run, row for row.

A run costs a build, so only the places that matter most have a run of their own, the first one of an empty warehouse; the others are
places of one history over a publication: killed at the first, run again and killed at the second, and so on, and then run to the end. Each
place is in exactly one test.
"""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import pytest
from psycopg import sql

from reporting import summary
from reporting.run_log import RunLog
from tests.conftest import copy_of, new_profile
from tests.small import arrivals, fill, population, put, tree
from tests.small import run as take_in_and_settle
from tests.state import state
from warehouse.connection import connect
from warehouse.fingerprint import core_schema
from warehouse.profile import ROOT, Profile
from warehouse.steps import STEPS, step

State = dict[str, list[tuple[object, ...]]]
# on entering every step, and on leaving those after which something stands that nobody has taken note of; in the order of a run.
# Exports and the pages for readers change nothing of a warehouse: tests/contract/test_export.py kills the former
ENDS = ("fetch", "land.copy", "land.journal", "gate1.journal", "build.core", "build.publication", "hold", "publish.journal")
APART = ("export", "export.latest", "gallery")
PLACES = [place for name in STEPS if name not in APART for place in ([name, f"{name}:end"] if name in ENDS else [name])]
# inside landing, inside the build, between the journal's record of a publication and the database's commit; and code that is new
ALONE = ["land.copy:end", "build.prepare", "build.core:end", "publish.journal:end"]
HOLD = ["hold", "hold:end"]
OTHERS = [place for place in PLACES if place not in ALONE + HOLD]
HISTORIES = [OTHERS[first::4] for first in range(4)]


def run(profile: Profile) -> None:
    """What `make run` does, the gathering of the report included."""
    take_in_and_settle(profile)
    with step("report"):
        summary.figures(profile, RunLog())


def _prepare(profile: Profile, place: str) -> None:
    """Deliveries in which the run comes to the place: a revision, an unchanged slice, and for `hold` a year that departures lack."""
    years = range(2018, 2023) if place in HOLD else range(2018, 2022)
    put(profile, "external_arrivals", tree(arrivals(years) | {2020: 1021}), "2026-03-01")
    put(profile, "population", population(range(2020, 2022)), "2026-03-01")
    if place == "build.prepare":
        with connect(profile) as connection:
            connection.execute(sql.SQL("drop schema {} cascade").format(sql.Identifier(core_schema())))


def _run_and_die(profile: Profile, place: str) -> None:
    """Runs in a child that kills itself at the place, as `kill -9` would: nothing of it is left but what it had written.

    A fork spares the child all imports. dbt's parser in Rust cannot go on in a child after its parent used it, so the parse of the project
    must lie in the state folder already, where the template's build has put it.
    """
    child = os.fork()
    if child == 0:
        os.environ["KOSHI_KILL_AT"] = place
        try:
            run(profile)
        finally:
            os._exit(7)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), f"the run never came to {place}"
    assert os.WTERMSIG(status) == signal.SIGKILL


def _state_of_one_clean_run(profile: Profile, place: str) -> State:
    _prepare(profile, place)
    run(profile)
    return state(profile)


@pytest.fixture
def filled(profile: Profile) -> Profile:
    """An empty warehouse with one good delivery of everything."""
    fill(profile)
    return profile


@pytest.fixture(scope="module")
def clean_first(tmp_path_factory: pytest.TempPathFactory, template: str) -> State:
    """The state after one clean run of the usual deliveries, in an empty warehouse."""
    profile = new_profile(tmp_path_factory.mktemp("clean_first"))
    fill(profile)
    return _state_of_one_clean_run(profile, "land")


@pytest.fixture(scope="module")
def clean_next(tmp_path_factory: pytest.TempPathFactory, good: tuple[Path, str]) -> State:
    """The same where something is published already."""
    return _state_of_one_clean_run(copy_of(good, tmp_path_factory.mktemp("clean_next") / "copy"), "land")


def test_every_step_of_the_code_is_described() -> None:
    page = (ROOT / "docs" / "steps.md").read_text()
    assert tuple(re.findall(r"^\| `([a-z0-9_.]+)` \|", page, flags=re.MULTILINE)) == STEPS


def _killed_and_run_again(profile: Profile, places: list[str]) -> State:
    _prepare(profile, places[0])
    for place in places:
        _run_and_die(profile, place)
    run(profile)
    return state(profile)


def _compare(found: State, expected: State) -> None:
    assert found.keys() == expected.keys()
    for name in expected:
        assert found[name] == expected[name], name


# one worker, so that the clean run is made once
@pytest.mark.xdist_group("kills")
@pytest.mark.slow
@pytest.mark.parametrize("place", ALONE)
def test_a_killed_first_run_followed_by_another_equals_one_clean_run(clean_first: State, place: str, filled: Profile) -> None:
    _compare(_killed_and_run_again(filled, [place]), clean_first)


@pytest.mark.xdist_group("kills")
@pytest.mark.slow
@pytest.mark.parametrize("places", HISTORIES, ids=" ".join)
def test_kills_followed_by_a_run_equal_one_clean_run(clean_next: State, places: list[str], settled: Profile) -> None:
    _compare(_killed_and_run_again(settled, places), clean_next)


@pytest.mark.xdist_group("kills")
@pytest.mark.slow
def test_kills_where_releases_are_held_followed_by_a_run_equal_one_clean_run(
    good: tuple[Path, str], settled: Profile, tmp_path: Path
) -> None:
    killed = _killed_and_run_again(settled, HOLD)
    _compare(killed, _state_of_one_clean_run(copy_of(good, tmp_path / "clean"), HOLD[0]))
