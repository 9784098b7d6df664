"""The bundle in a real Superset: it is imported, what its charts show is what SQL says, and the dashboard is looked at in Chromium."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
import requests

from expectations.intake import Intake
from reporting.superset import bundle
from tests.conftest import NO_NETWORK
from tests.e2e.devtools import tab
from warehouse.connection import reader_url
from warehouse.profile import ROOT, Profile

pytestmark = pytest.mark.superset

# Nothing of it leaves this machine, and only this test speaks to it
CONFIG = """
SECRET_KEY = "{secret}"
SQLALCHEMY_DATABASE_URI = "sqlite:///{folder}/superset.db"
WTF_CSRF_ENABLED = False
TALISMAN_ENABLED = False
RATELIMIT_ENABLED = False
FEATURE_FLAGS = {{"DASHBOARD_VIRTUALIZATION": False}}
CACHE_CONFIG = DATA_FEATURE_FLAGS = {{"DASHBOARD_VIRTUALIZATION": False}}
CACHE_CONFIG = {{"CACHE_TYPE": "NullCache"}}
"""
# Of each chart what SQL says of the same, as an analyst types it, and a figure of it that is known
BALANCE = "select extract(year from period_start_date)::int, {} from bi.migration_balance where area_code = 'KAZ' order by 1"
RIGHT: dict[str, tuple[str, tuple[Any, ...]]] = {
    "net_migration": (BALANCE.format("balance_persons"), (2022, -6722)),
    "arrivals_and_departures": (BALANCE.format("arrivals_persons, departures_persons"), (2022, 17425, 24147)),
    "where_they_went": (
        "select counterpart_name_en, departures_persons from bi.migration_by_country where year = 2022 and departures_rank is not null",
        ("Russian Federation", 19383),
    ),
    "born_in_kazakhstan": ("select sum(persons) from bi.migrant_stock_latest where origin_code = 'KAZ'", (2796572,)),
    "students_by_host": (
        "select host_name_en, students from bi.students_by_host_latest where host_iso_code is not null", ("Russian Federation", 71368),
    ),
    "population": (
        "select extract(year from period_start_date)::int, sum(persons) from bi.population group by 1 order by 1", (2025, 20283399),
    ),
}  # fmt: skip


class Superset:
    """A Superset of the test's own: its programs, its folder, and its interface as an administrator."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self.programs, self.folder = programs, folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = f"http://127.0.0.1:{free.getsockname()[1]}"
        config = folder / "superset_config.py"
        config.write_text(CONFIG.format(secret=secrets.token_hex(), folder=folder), encoding="utf-8")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("KOSHI_", "AIRFLOW"))}
        self.environment = kept | {
            "SUPERSET_CONFIG_PATH": str(config), "SUPERSET_HOME": str(folder), "FLASK_APP": "superset.app:create_app()",
            "PYTHONPATH": str(NO_NETWORK), "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        }  # fmt: skip
        self.password = secrets.token_hex(8)
        self.session = requests.Session()

    def run(self, *words: str) -> None:
        done = subprocess.run([str(self.programs / "superset"), *words], env=self.environment, cwd=self.folder,
                              capture_output=True, text=True, check=False)  # fmt: skip
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]

    def user(self, name: str, role: str) -> None:
        self.run("fab", "create-user", "--role", role, "--username", name, "--firstname", name, "--lastname", name,
                 "--email", f"{name}@example.org", "--password", self.password)  # fmt: skip

    def log_in(self, name: str) -> requests.Session:
        """A session of the interface for this user."""
        session = requests.Session()
        said = {"username": name, "password": self.password, "provider": "db"}
        token = session.post(f"{self.address}/api/v1/security/login", json=said, timeout=120).json()["access_token"]
        session.headers["Authorization"] = f"Bearer {token}"
        return session

    def ask(self, path: str, session: requests.Session | None = None) -> Any:
        answer = (session or self.session).get(f"{self.address}/api/v1/{path}", timeout=300)
        assert answer.status_code == 200, answer.text[:3000]
        return answer.json()

    def take(self, file: Path, path: str, password: str = "") -> None:
        """Imports a bundle as its pages do."""
        form = {"passwords": json.dumps({"databases/koshi.yaml": password})} if password else {}
        with file.open("rb") as content:
            field = "bundle" if path == "assets" else "formData"
            answer = self.session.post(f"{self.address}/api/v1/{path}/import/", files={field: (file.name, content)}, data=form, timeout=600)
        assert answer.status_code == 200, answer.text[:3000]


@pytest.fixture(scope="module")
def superset(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Superset]:
    programs = (ROOT / os.environ.get("KOSHI_SUPERSET", ".koshi/superset") / "bin").absolute()
    if not (programs / "superset").exists():
        pytest.skip("NOT TRIED WITH Superset: `make test-superset` installs it")
    mine = Superset(programs, tmp_path_factory.mktemp("superset"))
    mine.run("db", "upgrade")
    mine.user("admin", "Admin")
    mine.run("init")
    port = str(urlsplit(mine.address).port)
    with (mine.folder / "server.log").open("w") as log:
        command = [str(programs / "superset"), "run", "--host", "127.0.0.1", "--port", port, "--with-threads"]
        with subprocess.Popen(command, env=mine.environment, cwd=mine.folder, stdout=log, stderr=log) as server:
            try:
                _wait_for(mine, server)
                mine.session = mine.log_in("admin")
                yield mine
            finally:
                server.terminate()


def _wait_for(mine: Superset, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline and server.poll() is None:
        try:
            if requests.get(f"{mine.address}/health", timeout=30).ok:
                return
        except requests.ConnectionError:
            time.sleep(0.5)
    raise AssertionError((mine.folder / "server.log").read_text()[-4000:])


@pytest.fixture(scope="module")
def imported(superset: Superset, bundled: tuple[Profile, dict[str, Intake]]) -> Superset:
    """A Superset that has taken the bundle as its dashboard page does, with the password that it asks for."""
    password = str(urlsplit(reader_url(bundled[0])).password)
    _, _, file = bundle.make(bundled[0])
    superset.take(file, "dashboard", password)
    return superset


def _figures(said: dict[str, Any]) -> list[tuple[Any, ...]]:
    """The rows of a chart: moments as years, figures as numbers."""
    [result] = said["result"]
    names = list(result["data"][0])
    moment = {name for name, kind in zip(result["colnames"], result["coltypes"], strict=True) if kind == 2}
    return [tuple(time.gmtime(row[name] / 1000).tm_year if name in moment else row[name] for name in names) for row in result["data"]]


@pytest.mark.parametrize("name", RIGHT)
def test_a_chart_shows_what_sql_says(imported: Superset, bundled: tuple[Profile, dict[str, Intake]], name: str) -> None:
    query, known = RIGHT[name]
    [chart] = [each for each in imported.ask("chart/?q=(page_size:100)")["result"] if each["uuid"] == bundle.number(f"chart {name}")]
    shown = _figures(imported.ask(f"chart/{chart['id']}/data/?force=true"))
    with psycopg.connect(reader_url(bundled[0])) as connection:
        right = [tuple(each if isinstance(each, str | None) else float(each) for each in row) for row in connection.execute(query)]
    assert sorted(shown, key=str) == sorted(right, key=str)
    assert known in shown


def test_a_sum_over_dates_stays_empty(imported: Superset) -> None:
    """What a person makes first: the measure as one big number, with nothing chosen."""
    datasets = {each["table_name"]: each["id"] for each in imported.ask("dataset/?q=(page_size:100)")["result"]}
    asked = {"datasource": {"id": datasets["population"], "type": "table"}, "queries": [{"columns": [], "metrics": ["sum_persons"]}]}
    answer = imported.session.post(f"{imported.address}/api/v1/chart/data", json=asked, timeout=300)
    assert answer.status_code == 200, answer.text[:2000]
    assert answer.json()["result"][0]["data"] == [{"sum_persons": None}]


def test_a_later_bundle_replaces_what_an_earlier_one_brought(imported: Superset, bundled: tuple[Profile, dict[str, Intake]]) -> None:
    """As assets, in another language and without the password, which is known by then; the database stays as it is."""
    kk, _, en = bundle.make(bundled[0])
    before = imported.ask("chart/?q=(page_size:100)")
    imported.take(kk, "assets")
    after = imported.ask("chart/?q=(page_size:100)")
    assert after["count"] == before["count"]
    assert "Көші-қон сальдосы" in {each["slice_name"] for each in after["result"]}
    imported.take(en, "assets")
    assert {each["slice_name"] for each in imported.ask("chart/?q=(page_size:100)")["result"]} == {
        each["slice_name"] for each in before["result"]
    }


def test_who_may_read_the_schema_alone_is_offered_no_other(imported: Superset, bundled: tuple[Profile, dict[str, Intake]]) -> None:
    """docs/bi.md: a role with `schema access on [Koshi].[…].[bi]`, and the picker lists `bi` alone."""
    [database] = imported.ask("database/")["result"]
    assert {"bi", "raw"} <= set(imported.ask(f"database/{database['id']}/schemas/")["result"])
    found = imported.ask("security/permissions-resources/?q=(order_column:id,order_direction:desc,page_size:100)")["result"]
    catalogue = urlsplit(reader_url(bundled[0])).path[1:]
    wanted = {"permission": "schema_access", "view_menu": f"[Koshi].[{catalogue}].[bi]"}
    [granted] = [each["id"] for each in found if {part: each[part]["name"] for part in wanted} == wanted]
    made = imported.session.post(f"{imported.address}/api/v1/security/roles/", json={"name": "readers of bi"}, timeout=120)
    assert made.status_code == 201, made.text
    role = made.json()["id"]
    given = imported.session.post(
        f"{imported.address}/api/v1/security/roles/{role}/permissions", json={"permission_view_menu_ids": [granted]}, timeout=120
    )
    assert given.status_code == 200, given.text
    imported.user("reader", "Gamma")
    [reader] = [each for each in imported.ask("security/users/")["result"] if each["username"] == "reader"]
    roles = [each["id"] for each in reader["roles"]]
    changed = imported.session.put(f"{imported.address}/api/v1/security/users/{reader['id']}", json={"roles": [*roles, role]}, timeout=120)
    assert changed.status_code == 200, changed.text
    assert imported.ask(f"database/{database['id']}/schemas/", imported.log_in("reader"))["result"] == ["bi"]


def test_the_dashboard_is_drawn(imported: Superset, tmp_path: Path) -> None:
    """Every chart is there, none complains, and nothing is asked of another machine; the picture stays beside the test's log."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if not program:
        pytest.skip("NOT LOOKED AT: no chromium on PATH (the system package `chromium`)")
    session = requests.Session()
    session.post(f"{imported.address}/login/", data={"username": "admin", "password": imported.password}, timeout=120)
    with tab(program, tmp_path / "chromium") as seen:
        for name, value in session.cookies.items():
            seen.call("Network.setCookie", name=name, value=value, url=imported.address)
        seen.open(f"{imported.address}/superset/dashboard/koshi/?standalone=1", width=1600)
        # a window in which all rows fit, for a chart is drawn once it is seen
        seen.call("Emulation.setDeviceMetricsOverride", width=1600, height=1800, deviceScaleFactor=1, mobile=False)
        drawn = "document.querySelectorAll('canvas, svg.datamap, .header-line').length"
        deadline = time.monotonic() + 300
        while (seen.say(drawn) or 0) < len(bundle.declared().charts) and time.monotonic() < deadline:
            time.sleep(1)
        time.sleep(5)  # until bars have grown
        picture = imported.folder / "dashboard.png"
        seen.picture(picture, whole=False)
        said = str(seen.say("document.body.innerText"))
        print(f"looked at: {picture}")
        assert [word for word in ("error", "Error", "No results") if word in said] == [], said
        assert "Net migration" in said
        assert "2,796,572" in said
        elsewhere = [each for each in seen.asked if not each.startswith((imported.address, "data:", "blob:", "about:"))]
        assert elsewhere == []
