"""docker-compose.yml and Dockerfile, as far as they can be tried without Docker: the specification, and that every name in them exists."""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_spec import PyCompose

from warehouse import env_file
from warehouse.profile import ROOT

VARIABLE = re.compile(r"(?<!\$)\$\{(\w+)(?::([-?])([^}]*))?\}")
AIRFLOW_IMAGE = "apache/airflow:3.3.2-python3.12"


def _env() -> dict[str, str]:
    """What `make init` would write."""
    lines = [line for line in env_file.contents().splitlines() if not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def _raw() -> str:
    return (ROOT / "docker-compose.yml").read_text(encoding="utf-8")


def _interpolated(values: dict[str, str]) -> dict[str, Any]:
    """The file as Compose reads it: variables filled in, `$$` a dollar, merge keys merged."""

    def fill(match: re.Match[str]) -> str:
        name, kind, more = match.groups()
        if values.get(name):
            return values[name]
        if kind == "-":
            return str(more)
        raise AssertionError(f"{name} is asked for, and `make init` does not write it")

    loaded: dict[str, Any] = yaml.safe_load(VARIABLE.sub(fill, _raw()).replace("$$", "$"))
    return loaded


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """The file with the variables of a fresh `.env`."""
    return _interpolated(_env())


def _services(compose: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    yield from compose["services"].items()


def _environment(compose: dict[str, Any]) -> dict[str, str]:
    return {name: value for _, service in _services(compose) for name, value in service["environment"].items()}


def _commands(compose: dict[str, Any]) -> list[list[str]]:
    """Every command that a container runs: its own, the lines of its script, its health check."""
    found: list[list[str]] = []
    for _, service in _services(compose):
        command = service.get("command", [])
        if command[:1] == ["bash"]:
            found += [shlex.split(line.removesuffix(" || true")) for line in command[2].splitlines() if not line.startswith("(")]
        elif command:
            found.append(command)
        found += [service["healthcheck"]["test"][1:]] if "healthcheck" in service else []
    return found


def test_the_file_follows_the_compose_specification(compose: dict[str, Any]) -> None:
    parsed = PyCompose.from_json(json.dumps(compose))
    parsed.validate()
    assert set(parsed.service_names()) == set(compose["services"])


def test_the_specification_would_refuse_a_wrong_key(compose: dict[str, Any]) -> None:
    wrong = {**compose, "services": {**compose["services"], "reports": {**compose["services"]["reports"], "helthcheck": {}}}}
    with pytest.raises(ValueError, match="helthcheck"):
        PyCompose.from_json(json.dumps(wrong))


def test_every_variable_comes_from_make_init(compose: dict[str, Any]) -> None:
    asked = {name for name, *_ in VARIABLE.findall(_raw())}
    assert asked == set(_env()), "docker-compose.yml and warehouse/env_file.py name different variables"


def test_without_a_secret_compose_refuses_to_start() -> None:
    for name in (*env_file.SECRET, "AIRFLOW_FERNET_KEY"):
        uses = [kind for found, kind, _ in VARIABLE.findall(_raw()) if found == name]
        assert uses
        assert set(uses) == {"?"}, f"{name} must have no default"


def test_secrets_are_fresh_private_and_never_overwritten(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    assert env_file.write(file)
    before = file.read_text(encoding="utf-8")
    assert file.stat().st_mode & 0o077 == 0
    assert not env_file.write(file)
    assert file.read_text(encoding="utf-8") == before != env_file.contents()
    assert ".env" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert ".env" in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()


def test_no_secret_stands_in_a_file(compose: dict[str, Any]) -> None:
    """Whatever is called a password, a secret or a key is a variable."""
    for line in _raw().splitlines():
        if re.search(r"(PASSWORD|SECRET|KEY|CONN|URL): ", line) and "://127.0.0.1" not in line and "://airflow-api-server" not in line:
            assert "${" in line, line


def test_nothing_is_published_beyond_loopback(compose: dict[str, Any]) -> None:
    published = [port for _, service in _services(compose) for port in service.get("ports", [])]
    assert len(published) == 3
    assert all(re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port) for port in published)
    assert not any("network_mode" in service for _, service in _services(compose))


def test_each_profile_has_its_own_project(compose: dict[str, Any]) -> None:
    """Volumes belong to a project: sample and live never share a database, an archive or a journal."""
    assert compose["name"] == "koshi-sample"
    assert _interpolated(_env() | {"KOSHI_PROFILE": "live"})["name"] == "koshi-live"
    assert all(value is None for value in compose["volumes"].values())


def test_all_of_airflow_shares_its_secrets_and_its_database(compose: dict[str, Any]) -> None:
    shared = ("AIRFLOW__API_AUTH__JWT_SECRET", "AIRFLOW__CORE__FERNET_KEY", "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "DATABASE_URL")
    ours = [service for _, service in _services(compose) if service["image"] == "koshi"]
    assert len(ours) == 6
    for name in shared:
        assert len({service["environment"][name] for service in ours}) == 1
    environment = ours[0]["environment"]
    assert environment["DATABASE_URL"].split("@")[1] != environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].split("@")[1]


def test_hosts_in_addresses_are_services(compose: dict[str, Any]) -> None:
    hosts = {host for value in _environment(compose).values() for host in re.findall(r"(?:@|http://)([a-z][a-z0-9-]*)[:/]", str(value))}
    assert hosts == {"warehouse", "airflow-metadata", "airflow-api-server"}
    assert hosts <= set(compose["services"])


def test_every_service_is_watched(compose: dict[str, Any]) -> None:
    assert {name for name, service in _services(compose) if "healthcheck" not in service} == {"init"}


def test_airflow_names_exist_in_its_configuration(compose: dict[str, Any]) -> None:
    folder = Path(str(importlib.util.find_spec("airflow").submodule_search_locations[0]))  # type: ignore[union-attr, index]
    sections = yaml.safe_load((folder / "config_templates" / "config.yml").read_text(encoding="utf-8"))
    dockerfile = re.findall(r"\b(AIRFLOW__\w+)=", (ROOT / "Dockerfile").read_text(encoding="utf-8"))
    for name in [*_environment(compose), *dockerfile]:
        if name.startswith("AIRFLOW__"):
            _, section, option = name.lower().split("__")
            assert option in sections[section]["options"], f"{name} is no setting of Airflow"


def test_our_own_names_are_read_by_the_code(compose: dict[str, Any]) -> None:
    files = (file for folder in ("warehouse", "reporting", "extractors") for file in (ROOT / folder).rglob("*.py"))
    code = "".join(file.read_text(encoding="utf-8") for file in files)
    names = {*_environment(compose), *re.findall(r"\b(KOSHI_\w+)=", (ROOT / "Dockerfile").read_text(encoding="utf-8"))}
    for name in names:
        if name.startswith("KOSHI_") or name == "DATABASE_URL":
            assert f'"{name}"' in code, f"nothing reads {name}"


def test_airflow_commands_exist(compose: dict[str, Any]) -> None:
    commands = [command[1:] for command in _commands(compose) if command[0] == "airflow"]
    assert len(commands) == 10
    script = (
        "import json, sys\nfrom airflow.cli.cli_parser import get_parser\n"
        "for command in json.loads(sys.argv[1]): get_parser().parse_args(command)\n"
        "from airflow.jobs import scheduler_job_runner as s, dag_processor_job_runner as d, triggerer_job_runner as t\n"
        "print(s.SchedulerJobRunner.job_type, d.DagProcessorJobRunner.job_type, t.TriggererJobRunner.job_type)"
    )
    done = subprocess.run([sys.executable, "-c", script, json.dumps(commands)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    checked = {command[3] for command in commands if command[0] == "jobs"}
    assert checked == set(done.stdout.split()[-3:])


def test_commands_of_the_pipeline_and_modules_exist(compose: dict[str, Any]) -> None:
    from pipeline import app

    mine = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    for command in _commands(compose):
        if command[:2] == ["python", "pipeline.py"]:
            assert command[2] in mine, f"pipeline.py has no command {command[2]!r}"
        elif command[:2] == ["python", "-m"]:
            assert importlib.util.find_spec(command[2]) is not None
        elif command[:2] == ["python", "-c"]:
            ast.parse(command[2])
        else:
            assert command[0] in ("airflow", "pg_isready")


def test_the_image_is_the_airflow_of_the_lock_file() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    locked = re.search(r"^apache-airflow==(\S+)", (ROOT / "requirements.lock").read_text(encoding="utf-8"), re.MULTILINE)
    assert f"FROM {AIRFLOW_IMAGE}\n" in dockerfile
    assert locked
    assert AIRFLOW_IMAGE.startswith(f"apache/airflow:{locked.group(1)}-")
    for name in re.findall(r"\b(requirements\S*\.lock)\b", dockerfile):
        assert (ROOT / name).exists()
    assert dockerfile.count("--require-hashes") == 2


def test_folders_of_volumes_are_made_for_the_image_user(compose: dict[str, Any]) -> None:
    """A named volume takes the owner of the folder that the image has in its place; without one root would own it."""
    made = set(re.findall(r"/opt/koshi\S*", (ROOT / "Dockerfile").read_text(encoding="utf-8").split("USER airflow")[0]))
    for profile in ("sample", "live"):
        for service in _interpolated(_env() | {"KOSHI_PROFILE": profile})["services"].values():
            for volume in service.get("volumes", []):
                target = volume.split(":")[1]
                assert not target.startswith("/opt/koshi") or any(path == target or path.startswith(f"{target}/") for path in made), target
