"""What a newcomer finds at the top of the repository is true: the pages, the folders' READMEs, the hooks, the workflow."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
READMES = sorted(path for path in ROOT.glob("[a-z]*/README.md"))


def _yaml(name: str) -> Any:
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


def _lint() -> dict[str, list[str]]:
    """The tools of `make lint` with their options; of ruff by subcommand."""
    [recipe] = re.findall(r"^lint:.*\n((?:\t.*\n)*)", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    [secrets] = re.findall(r"^SECRETS := (.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    commands = re.findall(r"\$\(VENV\)/bin/(.+?)(?: && |\n)", recipe.replace("$(SECRETS)", secrets.replace("$$", "$")))
    return _by_tool(shlex.split(command) for command in commands)


def _by_tool(commands: Any) -> dict[str, list[str]]:
    return {" ".join(words[:2]) if words[0] == "ruff" else words[0]: words[1:] for words in commands}


def test_a_commit_is_looked_at_by_the_tools_of_make_lint() -> None:
    hooks = [(repo["repo"], hook) for repo in _yaml(".pre-commit-config.yaml")["repos"] for hook in repo["hooks"]]
    assert {(repo, hook["language"]) for repo, hook in hooks} == {("local", "system")}  # nothing is fetched
    entries = _by_tool(shlex.split(hook["entry"].removeprefix(".venv/bin/")) for _, hook in hooks)
    lint = _lint()
    assert set(entries) == set(lint)
    # how pre-commit names files differs; every other option is the same
    of_files = {"--force-exclude", "--processes", "2", "--recursive", "--exclude-files"}
    for tool, options in entries.items():
        given = [word for word in options if word not in of_files]
        asked = [word for word in lint[tool] if word not in of_files and (word.startswith("-") or word in given)]
        assert given == asked, tool


def test_the_workflow_runs_what_ci_runs_and_knows_no_secret() -> None:
    text = (ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8")
    jobs = yaml.safe_load(text)["jobs"]
    assert [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step] == ["bash .ci/run"]
    assert "secrets" not in text
    assert yaml.safe_load(text)["permissions"] == {"contents": "read"}
    used = re.findall(r"uses: (\S+)", text)
    assert used
    assert [action for action in used if not re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action)] == []


def test_the_citation_is_of_this_version_and_names_the_sources_with_clients_of_their_own() -> None:
    citation, project = _yaml("CITATION.cff"), tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert {"cff-version", "message", "title", "authors"} <= citation.keys()
    assert (citation["version"], citation["license"]) == (project["version"], project["license"])
    # a source that is declared alone is named by its `attribution` wherever its figures are
    declared = {path.parent.name for path in (ROOT / "extractors").glob("*/source.yml")}
    sources = {name for name in declared if (ROOT / "extractors" / name / "client.py").is_file()}
    assert len(sources) <= len(citation["references"]) <= len(declared)


def test_the_changelog_begins_with_what_behaves_otherwise() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    sections = re.findall(r"^##+ (.*)$", text, re.MULTILINE)
    assert sections[:2] == ["[Unreleased]", "Changed"]
    assert "docs/relations.csv" in text


def test_folders_have_a_readme() -> None:
    assert {"dags", "dbt", "docs", "expectations", "extractors", "reporting", "sample", "tests", "warehouse"} <= {
        path.parent.name for path in READMES
    }


@pytest.mark.parametrize("path", READMES, ids=lambda path: path.parent.name)
def test_a_readme_is_short_and_its_tests_exist(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 15
    commands = re.findall(r"^```(?:console|sh|)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert commands
    for file in re.findall(r"pytest .*?(tests/\S+)", text):
        assert (ROOT / file).is_file(), file
