"""No list of sources stands outside their folders: one more of them, like CIS Stat, needs no edit for the tests that look at the tree."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from warehouse.profile import ROOT

TWIN = "twinstat"
# what a source brings: its folder, its staging, its suite, its page, what writes its answers
OWN = ("extractors/cisstat", "dbt/models/staging/cisstat", "expectations/suites/cisstat.py", "docs/sources/cisstat.md", "sample/cisstat.py")
# the tests that look at the tree beyond dbt, whose own lists are a source's to write
LISTS = ("repository", "cited_sections", "bundled_archive", "source")
PARTS = ("*.md", "*.cff", "*.toml", "*.py", "Makefile", ".pre-commit-config.yaml", ".github", "LICENSE", ".ci")
FOLDERS = ("dags", "dbt", "docs", "expectations", "extractors", "reporting", "sample", "tests", "warehouse")


def _renamed(text: str) -> str:
    return text.replace("cisstat", TWIN)


def _beside(root: Path) -> None:
    """Lays the twin into the tree, and edits nothing."""
    for part in OWN:
        for file in sorted((path for path in (root / part).rglob("*") if path.is_file()) if (root / part).is_dir() else [root / part]):
            new = root / _renamed(str(file.relative_to(root)))
            new.parent.mkdir(parents=True, exist_ok=True)
            new.write_text(_renamed(file.read_text("utf-8")), encoding="utf-8")
    archive = Path("extractors/bundled/archive/manifests")
    for file in sorted((root / archive / "cisstat").rglob("*.json")):
        new = root / archive / TWIN / file.relative_to(root / archive / "cisstat")
        new.parent.mkdir(parents=True, exist_ok=True)
        new.write_text(_renamed(file.read_text("utf-8")), encoding="utf-8")


def test_a_source_beside_the_others_needs_no_edit_outside_its_folder_dbt_and_its_suite(tmp_path: Path) -> None:
    for name in FOLDERS:
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "target", "logs"))
    for path in (path for part in PARTS for path in ROOT.glob(part)):
        (shutil.copytree if path.is_dir() else shutil.copy)(path, tmp_path / path.name)
    _beside(tmp_path)
    tests = [f"tests/unit/test_{name}.py" for name in LISTS]
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-n", "0", "-q", "-p", "no:cacheprovider", *tests],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout[-4000:] + ran.stderr[-2000:]
    assert " failed" not in ran.stdout
