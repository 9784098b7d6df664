"""An export of one publication has the same bytes each time, and `latest` leads to a whole one at every moment."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from reporting.export import papers
from reporting.export.make import export, folder
from reporting.export.papers import SUMS
from warehouse.connection import connect
from warehouse.profile import ROOT, Profile

CHANGED = "update bi.dim_area set area_name_en = area_name_en || '!'"


def _bytes(root: Path) -> dict[str, bytes]:
    """The files by name; DuckDB's have equal rows, not equal bytes."""
    files = [file for file in root.rglob("*") if file.is_file() and file.suffix != ".duckdb" and file.name != SUMS]
    return {file.relative_to(root).as_posix(): file.read_bytes() for file in files}


def test_latest_is_whole_when_an_export_is_killed_and_the_next_has_the_same_bytes(settled: Profile) -> None:
    root, latest = export(settled), folder(settled) / "latest"
    first = _bytes(root)
    with connect(settled) as connection:
        connection.execute(CHANGED)
    command = (
        "from pathlib import Path; from reporting.export.make import export; from warehouse.profile import Profile; import sys; "
        "export(Profile('sample', sys.argv[1], sys.argv[2], Path(sys.argv[3]), sys.argv[4]))"
    )
    place = [settled.archive, settled.journal, str(settled.state), settled.database]
    killed = subprocess.run(
        [sys.executable, "-c", command, *place], env=os.environ | {"KOSHI_KILL_AT": "export.latest"}, cwd=ROOT, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    between = _bytes(latest)
    assert between != first
    assert papers.sums(latest) == (latest / SUMS).read_text(encoding="utf-8")
    assert export(settled) == root == latest.resolve()
    assert _bytes(root) == between
    assert papers.sums(root) == (root / SUMS).read_text(encoding="utf-8")
    assert sorted(path.name for path in folder(settled).iterdir()) == sorted([root.name, "latest"])
