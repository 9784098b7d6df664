"""kill -9 at every step, then a run: equal to one clean run, row for row."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.conftest import new_profile
from tests.small import arrivals, fill, population, put, run, tree
from tests.state import state
from warehouse.profile import Profile

# steps that lie inside a run of the small archive; `:end` dies on leaving the step
PLACES = (
    "fetch", "land", "land.copy", "land.copy:end", "land.journal", "land.journal:end", "land.commit", "gate1", "gate1.journal:end",
    "gate1.commit", "candidate", "build.core", "build.core:end", "build.publication", "build.publication:end", "gate2",
    "publish", "publish.journal", "publish.journal:end", "publish.commit", "prune",
)  # fmt: skip


def _fill(profile: Profile) -> None:
    fill(profile)
    put(profile, "external_arrivals", tree(arrivals() | {2020: 1021}), "2026-03-01")
    put(profile, "population", population(range(2020, 2022)), "2026-03-01")


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory, template: str) -> dict[str, list[tuple[object, ...]]]:
    made = new_profile(tmp_path_factory.mktemp("clean"))
    _fill(made)
    run(made)
    return state(made)


def _run_and_die(profile: Profile, place: str) -> None:
    """Runs in a child that kills itself at the place, as `kill -9` would: nothing of it is left but what it had written."""
    child = os.fork()
    if child == 0:
        os.environ["KOSHI_KILL_AT"] = place
        try:
            run(profile)
        finally:
            os._exit(7)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL, f"the run never came to {place}"


@pytest.mark.slow
@pytest.mark.parametrize("place", PLACES)
def test_a_kill_followed_by_a_run_equals_one_clean_run(clean: dict[str, list[tuple[object, ...]]], place: str, tmp_path: Path) -> None:
    profile = new_profile(tmp_path)
    _fill(profile)
    _run_and_die(profile, place)
    run(profile)
    found = state(profile)
    assert found.keys() == clean.keys()
    for name in clean:
        assert found[name] == clean[name], name
