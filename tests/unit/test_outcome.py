"""How a run ends: the exit code, the last line and run.json say the same, and all of it."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from expectations.settle import Outcome as SettledAs
from expectations.settle import Settled
from reporting import outcome
from reporting.datasets import Line
from reporting.run_log import RunLog
from warehouse.profile import Profile

GOOD = {"extract_iom.take_in[missing_migrants]": "success"}
BAD = GOOD | {"extract_bns.take_in[population]": "failed"}


@pytest.mark.parametrize(
    ("settled", "code", "words"),
    [("published", 0, "readers now see publication 3"), ("nothing new", 0, "go on seeing publication 3"),
     ("pinned", 0, "points readers at publication 3"), ("refused", 2, "readers see what they saw before"),
     ("empty", 2, "no release has passed gate 1")],
)  # fmt: skip
def test_the_exit_code_and_the_last_line_agree(settled: SettledAs, code: int, words: str) -> None:
    # the pinned one brings no number of its own
    ended = outcome.of(RunLog(settled=Settled(settled)), [], GOOD, 3)
    assert ended.exit_code == code
    assert ended.last_line.startswith(f"{settled.capitalize()} (exit code {code}): ")
    assert words in ended.last_line
    assert "None" not in ended.last_line


def test_a_candidate_that_was_built_and_held_is_no_run_without_work() -> None:
    ended = outcome.of(RunLog(settled=Settled("nothing new", number=3, held=[5])), [], GOOD, 3)
    assert "what came was built, and what is new of it is held" in ended.last_line
    assert "nothing was rebuilt" not in ended.last_line


def test_an_export_that_fails_is_named_and_the_publication_stands() -> None:
    log = RunLog(settled=Settled("published", number=1), failed={"export": "OSError: no space left on device"})
    ended = outcome.of(log, [], {"warehouse.publish.export": "failed"}, 1)
    assert ended.last_line == "Broken (exit code 1): readers now see publication 1; export failed: OSError: no space left on device."
    assert (ended.settled, ended.publication) == ("published", 1)


def test_a_publication_with_failed_datasets_is_one_true_sentence() -> None:
    lines = [Line("bns.population", "", "failed", "status 403"), Line("uis.outbound_totals", "", "failed", "404")]
    log = RunLog(settled=Settled("published", number=1), failed={"bns.population": "FetchError: 403"})
    ended = outcome.of(log, lines, BAD, 1)
    assert ended.last_line == (
        "Broken (exit code 1): readers now see publication 1; 2 datasets failed: bns.population, uis.outbound_totals."
    )


def test_a_task_that_is_no_dataset_is_named_with_its_reason() -> None:
    log = RunLog(failed={"settle": "BuildError: dbt: model x ended error"})
    ended = outcome.of(log, [], {"warehouse.settle": "failed"}, None)
    told = "nothing was published; readers see what they saw before; settle failed: BuildError: dbt: model x ended error."
    assert ended.last_line == f"Broken (exit code 1): {told}"
    # killed from outside: nothing was told
    assert "task warehouse.settle failed and gave no reason" in outcome.of(RunLog(), [], {"warehouse.settle": "failed"}, None).last_line


def test_run_json_tells_the_outcome_and_that_a_run_was_killed(tmp_path: Path) -> None:
    profile, console = Profile("sample", "", "", tmp_path, "unused"), Console(file=io.StringIO())
    outcome.begin(profile)
    assert json.loads(outcome.file_of(profile).read_text())["outcome"] == "running"
    ended = outcome.of(RunLog(settled=Settled("published", number=1)), [], GOOD, 1)
    outcome.end(profile, console, ended, {"datasets": {"bns.population": {"word": "taken"}}})
    told = json.loads(outcome.file_of(profile).read_text())
    assert (told["outcome"], told["exit_code"], told["publication"], told["profile"]) == ("published", 0, 1, "sample")
    assert told["datasets"] == {"bns.population": {"word": "taken"}}
    assert console.file.getvalue().splitlines()[-1] == told["sentence"]  # type: ignore[attr-defined]
