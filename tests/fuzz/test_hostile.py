"""Answers made to take a machine's time and memory end as refused ones, with a position, in seconds and within bounds of memory."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.hostile import ANSWERS
from warehouse.profile import ROOT

PEAK_MB = 500
SECONDS = 120  # each takes a few on an idle machine; without bounds none of them ended


@pytest.mark.slow
def test_hostile_answers_end_with_their_position_in_seconds_and_within_memory() -> None:
    done = subprocess.run([sys.executable, "-m", "tests.hostile"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=380)
    lines = {line["name"]: line for line in map(json.loads, done.stdout.splitlines())}
    assert list(lines) == list(ANSWERS), done.stderr
    for name, (_, _, position, found) in ANSWERS.items():
        line = lines[name]
        assert position in line["position"] and found in line["found"], line
        assert line["peak_mb"] < PEAK_MB and line["seconds"] < SECONDS, line
