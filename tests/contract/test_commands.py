"""Every command that a message, a page or a document names exists, with its options; and what a person writes reaches it as written."""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import typer.main
from typer.testing import CliRunner

import pipeline
from tests.servers import remove_server
from tests.state import read
from warehouse import migrate, server
from warehouse.profile import ROOT, Profile, load

ROOMS = ("warehouse", "extractors", "expectations", "reporting", "dags")
MAKE = re.compile(r"\bmake((?: (?:-[a-z]+|[A-Z]+=\S+))*) ([a-z][a-z-]*)((?: [A-Z]+=)?[^`\n]*)")
PIPELINE = re.compile(r"\bpipeline\.py ([a-z][a-z-]*)([^`\n]*)")
MODULE = re.compile(r"python3? -m ([a-z_.]+)")
HOSTILE = """it's "so": $HOME $(id) `id` $$ $5 \\ %s # ; & | * końshi  two"""


def _make(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs make with this Python; what it would install is taken as installed."""
    return subprocess.run(
        ["/usr/bin/env", "make", "-s", "-o", "setup", f"PY={sys.executable}", *words],
        cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip


def _variables(profile: Profile) -> dict[str, str]:
    return {"KOSHI_DATABASE": profile.database, "KOSHI_JOURNAL": profile.journal, "KOSHI_ARCHIVE": profile.archive}


def _targets() -> dict[str, str]:
    """The targets of the Makefile with their recipes."""
    makefile = (ROOT / "Makefile").read_text()
    return dict(re.findall(r"^([a-z-]+):.*\n((?:\t.*\n)*)", makefile, flags=re.MULTILINE))


def _texts() -> Iterator[tuple[str, str]]:
    """What people read: documents, pages and other files whole, of the code its strings."""
    documents = [*ROOT.glob("*.md"), *ROOT.glob("[a-z]*/README.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "reporting").rglob("*.j2")]
    others = [ROOT / "docker-compose.yml", ROOT / "Dockerfile", ROOT / "Makefile", *(ROOT / ".ci").iterdir()]
    code = [ROOT / "pipeline.py", *(file for room in ROOMS for file in (ROOT / room).rglob("*.py"))]
    for file in (*documents, *others):
        yield str(file.relative_to(ROOT)), file.read_text(encoding="utf-8")
    for file in code:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield f"{file.relative_to(ROOT)}:{node.lineno}", node.value


def _spoken(text: str) -> Iterator[str]:
    """The commands in a text: in backticks, in <code>, in a block, in brackets, or after `run`; elsewhere "make" is an English word."""
    blocks = re.findall(r"^```[^\n]*\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    for block in blocks:
        yield from re.findall(r"^(?:\$ )?(make .*|.*pipeline\.py .*)$", block, flags=re.MULTILINE)
    yield from re.findall(r"`([^`\n]+(?:\n[^`\n]+)?)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))
    yield from re.findall(r"<code>(.*?)</code>", text)
    yield from re.findall(r"\((make [^)]*)\)", text)
    yield from re.findall(r"\brun (make [a-z-]+)", text)
    yield from re.findall(r"^\s*(?:exec )?(make .*)$", text, flags=re.MULTILINE) if "#!" in text[:2] else ()


def _said() -> list[tuple[str, str]]:
    return [(place, command.replace("{{ make }}", "make").replace("\n", " ")) for place, text in _texts() for command in _spoken(text)]


def _command(name: str) -> Any:
    found: Any = typer.main.get_command(pipeline.app)
    return found.commands.get(name)


def test_every_target_of_make_that_is_named_exists_and_knows_the_variables_named_with_it() -> None:
    targets = _targets()
    named = [(place, *match.groups()) for place, command in _said() for match in MAKE.finditer(command)]
    assert {"run", "psql", "rollback", "unpin", "decide", "status"} <= {target for _, _, target, _ in named}
    wrong = [f"{place}: make {target}" for place, _, target, _ in named if target not in targets]
    for place, before, target, after in named:
        for variable in re.findall(r"\b([A-Z]+)=", f"{before} {after}"):
            known = f"$({variable})" in (ROOT / "Makefile").read_text() or variable in _read_by(targets.get(target, ""))
            wrong += [] if known else [f"{place}: make {target} {variable}="]
    assert not wrong


def _read_by(recipe: str) -> set[str]:
    """The variables that the command behind a recipe takes from the environment."""
    names = PIPELINE.findall(recipe)
    return {str(parameter.envvar) for name, _ in names for parameter in _command(name).params if parameter.envvar}


def test_every_command_of_the_pipeline_that_is_named_exists_with_the_options_named() -> None:
    everywhere = [*_said(), *((f"Makefile, {name}", recipe) for name, recipe in _targets().items())]
    everywhere += [("docker-compose.yml", line) for line in (ROOT / "docker-compose.yml").read_text().splitlines()]
    named = [(place, *match) for place, text in everywhere for match in PIPELINE.findall(text)]
    assert {"run", "report", "replay", "decide"} <= {name for _, name, _ in named}
    wrong = [f"{place}: pipeline.py {name}" for place, name, _ in named if _command(name) is None]
    for place, name, words in named:
        options = {option for parameter in (_command(name).params if _command(name) else ()) for option in parameter.opts}
        wrong += [f"{place}: pipeline.py {name} {option}" for option in re.findall(r"(--[a-z-]+)", words) if option not in options]
    assert not wrong


def test_every_module_that_is_named_exists() -> None:
    wrong = [f"{place}: {name}" for place, text in _texts() for name in MODULE.findall(text) if importlib.util.find_spec(name) is None]
    assert not wrong


def test_every_target_is_described_and_phony() -> None:
    makefile = (ROOT / "Makefile").read_text()
    (phony,) = re.findall(r"^\.PHONY: (.*)$", makefile, flags=re.MULTILINE)
    assert set(phony.split()) == set(_targets())


def test_what_a_person_writes_reaches_the_ledger_as_it_was_written(settled: Profile) -> None:
    environment = _variables(settled)
    done = _make("rollback", "NUMBER=1", "PERSON=Ó'Neil", f"REASON={HOSTILE}", **environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "readers see publication 1" in done.stdout
    done = _make("unpin", PERSON="Ó'Neil", REASON=HOSTILE, **environment)
    assert done.returncode == 0, done.stdout + done.stderr
    ((release,),) = read(settled, "select to_hex(release_key) from meta.release where dataset = 'external_arrivals'")
    done = _make("decide", "KIND=withdraw", f"RELEASE={str(release).zfill(16)}", "PERSON=a b", f"REASON={HOSTILE}", **environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert read(settled, "select kind, person, reason from meta.decision order by sequence") == [
        ("pin", "Ó'Neil", HOSTILE),
        ("unpin", "Ó'Neil", HOSTILE),
        ("withdraw", "a b", HOSTILE),
    ]


def test_what_is_not_said_is_asked_for_by_name() -> None:
    done = _make("decide", "KIND=withdraw", "RELEASE=00", "PERSON=a")
    assert done.returncode == 2
    assert "REASON" in done.stderr + done.stdout or "--reason" in done.stderr + done.stdout


ME = "me:geheim"
# what the person got wrong, and what the one line says of it and what to do
WRONG: dict[str, tuple[dict[str, str], str]] = {
    "nobody answers": ({"DATABASE_URL": f"postgresql://{ME}@127.0.0.1:1/d"}, "refused .*Start that server, or mend host"),
    "no URL": ({"DATABASE_URL": f"postgresql://{ME}@127.0.0.1:port/d"}, "DATABASE_URL is not an address of a database: expected"),
    "a password as it is": (
        {"DATABASE_URL": "postgresql://me:a@geheim@127.0.0.1/d"},
        "not an address .* with signs like @",
    ),
    "no parameters": ({"DATABASE_URL": "host=x pasword=geheim"}, "DATABASE_URL is not an address of a database: expected"),
    "no database": ({"DATABASE_URL": f"postgresql://{ME}@127.0.0.1"}, "DATABASE_URL names no database: expected"),
    "no profile": ({"KOSHI_PROFILE": "geheim"}, "unknown profile .*expected 'sample' or 'live'"),
    "no folder": ({"KOSHI_STATE": "/dev/null/geheim"}, "Not a directory. Mend that, or set KOSHI_STATE"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_a_person_got_wrong_is_said_in_one_line(monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    environment, said = WRONG[wrong]
    for command in (["url"],) if "KOSHI_STATE" in environment else (["url"], ["status"]):
        done = CliRunner().invoke(pipeline.app, command, env=environment)
        assert done.exit_code == 1
        lines = done.output.strip().splitlines()[-1:] if command == ["status"] else done.output.strip().splitlines()
        assert len(lines) == 1, done.output
        assert re.search(said, lines[0]), done.output
        if "DATABASE_URL" in environment:
            assert "geheim" not in done.output


def test_clean_takes_journal_and_database_together_or_neither(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KOSHI_STATE", str(tmp_path))
    profile = load("sample")
    try:
        migrate.to_head(profile)
        (profile.state / "journal").mkdir(parents=True)
        refused = CliRunner().invoke(pipeline.app, ["clean"], env={"DATABASE_URL": "postgresql://me@127.0.0.1:1/d"})
        assert (refused.exit_code, (profile.state / "journal").is_dir()) == (1, True)
        assert "Nothing was removed: the journal and the database belong together" in refused.output
        server.stop()  # a database is there whether its server runs or not
        done = CliRunner().invoke(pipeline.app, ["clean"])
        assert f"forgotten: {profile.state} and database koshi_sample" in done.output
        assert (done.exit_code, profile.state.exists(), server.running()) == (0, False, None)
        with psycopg.connect(server.start().dsn()) as connection:
            assert connection.execute("select 1 from pg_database where datname = 'koshi_sample'").fetchone() is None
    finally:
        server.stop()
        remove_server(tmp_path)


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="NOT TESTED: no /proc to read argument lists in")
def test_a_query_may_hold_every_sign_and_no_password_stands_in_an_argument_list(settled: Profile) -> None:
    query = "select 'it''s $HOME `id` $(id)' as \"a name\", $$x$$ as b"
    done = _make("psql", f"SQL={query}", **_variables(settled))
    assert done.returncode == 0, done.stderr
    assert "it's $HOME `id` $(id) | x" in done.stdout
    done = _make("psql", r"SQL=\! tr '\0' ' ' < /proc/$PPID/cmdline", **_variables(settled))
    assert "psql -c" in done.stdout
    assert "postgresql://" not in done.stdout
