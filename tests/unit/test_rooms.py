"""The rooms of the Python house: imports point down one line, and a tool says so."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("dags", "reporting", "sample", "expectations", "extractors", "warehouse")


@pytest.mark.parametrize(
    ("file", "line", "broken"),
    [
        ("warehouse/keys.py", "", ""),
        ("warehouse/keys.py", "import reporting.summary\n", "Imports point down one line"),
        (
            "expectations/blame.py",
            "def late():\n    import pipeline\n",
            "Nobody imports commands, generators or tests",
        ),
        ("extractors/uis/parse.py", "import psycopg\n", "A parser knows neither network nor database"),
    ],
)
def test_an_arrow_that_points_up_is_named(tmp_path: Path, file: str, line: str, broken: str) -> None:
    for room in ROOMS:
        shutil.copytree(
            ROOT / room, tmp_path / room, ignore=lambda _, names: [name for name in names if name in ("archive", "__pycache__")]
        )
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    with (tmp_path / file).open("a", encoding="utf-8") as code:
        code.write(line)
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-logo", "--no-cache"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode == 0) is (not broken), done.stdout + done.stderr
    assert not broken or f"{broken} (docs/decisions/0005) BROKEN" in done.stdout or f"{broken} BROKEN" in done.stdout


def test_every_room_of_python_is_looked_at_by_every_tool() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    [bandit] = re.findall(r"bandit .* --recursive (.*)", (ROOT / "Makefile").read_text(encoding="utf-8"))
    found = {path.parent.name for path in ROOT.glob("[a-z]*/*.py")}
    assert found == {*ROOMS, "tests"}
    assert set(declared["mypy"]["files"]) == {*found, "pipeline.py"}
    assert set(bandit.split()) == {*ROOMS, "pipeline.py"}
    assert set(declared["importlinter"]["root_packages"]) == set(ROOMS)


def test_the_bundled_archive_is_data_alone() -> None:
    assert list((ROOT / "extractors" / "bundled").rglob("*.py")) == []
