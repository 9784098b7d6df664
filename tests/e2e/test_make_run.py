"""The main job as a newcomer runs it: a real process, Airflow included, in a network that ends at loopback."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from extractors.source import load_source, source_codes
from tests.conftest import NO_NETWORK, new_profile
from tests.servers import remove_server
from warehouse.locks import locked
from warehouse.profile import ROOT

# brings up the loopback of a fresh network namespace, which has no other interface and no route
LOOPBACK_UP = "import fcntl, socket, struct; fcntl.ioctl(socket.socket(), 0x8914, struct.pack('16sh', b'lo', 1))  # SIOCSIFFLAGS, IFF_UP"
DECLARED = sorted(f"{code}.{name}" for code in source_codes() for name in load_source(code).datasets)
BALANCE = (
    "select concat_ws(' ', period_label, arrivals_persons, departures_persons, balance_persons, round(arrivals_per_10000, 1),"
    " round(departures_per_10000, 1), round(balance_per_10000, 1)) from bi.migration_balance_all"
    " where year in (2022, 2023, 2024, 2025) or period_kind = 'range' order by 1"
)
NO_RATE = (
    "select concat('without a rate: ', string_agg(year::text, ' ' order by year)) from bi.migration_balance"
    " where balance_per_10000 is null and rate_missing_reason > ''"
)
VINTAGES = (
    "select concat_ws(' ', area_code, edition, value::int) from bi.fct_population_vintage join bi.dim_area using (area_key)"
    " join bi.dim_period using (period_key) join bi.dim_release using (release_key) join bi.dim_cube using (cube_key)"
    " where period_start_date = '2023-01-01' and area_code in ('19', '71') and cube_code = 'bns.population.region' order by 1"
)


def _environment(folder: Path) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("AIRFLOW", "KOSHI", "PYTHON", "DBT"))}
    return kept | {"KOSHI_STATE": str(folder), "PYTHONPATH": str(ROOT)}


def _isolated(environment: dict[str, str]) -> list[str]:
    """The command that runs a shell without a network beyond loopback; where none is allowed, the guard in every Python process."""
    for command in (["unshare", "--net"], ["unshare", "--map-root-user", "--net"]):
        if subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0:
            return command
    environment["PYTHONPATH"] += os.pathsep + str(NO_NETWORK)
    return []


def _script(*commands: str) -> str:
    python = sys.executable
    return "\n".join([f'{python} -c "{LOOPBACK_UP}"', "set -e", *(c.replace("koshi ", f"{python} pipeline.py ") for c in commands)])


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_make_run_publishes_offline_and_a_second_run_finds_nothing_new(tmp_path: Path) -> None:
    environment = _environment(tmp_path)
    script = _script(
        f"{sys.executable} -c \"import socket; s = socket.socket(); s.settimeout(3); print('outside', s.connect_ex(('192.0.2.1', 80)))\"",
        "koshi run",
        "echo ==== second",
        "koshi run",
        "echo ==== asked",
        f'koshi psql "{BALANCE}"',
        f'koshi psql "{NO_RATE}"',
        f'koshi psql "{VINTAGES}"',
        "koshi status",
        "koshi stop",
    )
    done = subprocess.run(
        [*_isolated(environment), "sh", "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=800, check=False
    )
    remove_server(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    first, second, asked = done.stdout.split("====")

    assert "outside 0" not in first, "the test itself must not reach the network"
    assert "readers now see publication 1" in first
    assert "reconstructed" in first
    assert "make run LIVE=1" in first

    assert "readers go on seeing publication 1; nothing was rebuilt or republished" in second
    assert re.findall(r"^[a-z]+\.[a-z_]+  \w+", first, re.MULTILINE) == [
        f"{name}  {'rejected' if name == 'bns.internal_matrix' else 'taken'}" for name in DECLARED
    ]
    assert re.findall(r"^[a-z]+\.[a-z_]+  \w+", second, re.MULTILINE) == [
        f"{name}  {'rejected' if name == 'bns.internal_matrix' else 'skipped'}" for name in DECLARED
    ]
    assert "rejected slice 2022" in first
    assert "has the sign opposite to the by-region table" in first, "the table that the matrix is compared with is judged before it"
    assert "1 release stands rejected" in second, "its delivery is known, and it is no better for that"
    assert first.splitlines()[-1] == "Published (exit code 0): readers now see publication 1."
    assert second.splitlines()[-1].startswith("Nothing new (exit code 0): ")
    assert re.search(r"^seconds .*\bexport \d", first, re.MULTILINE)
    assert not re.search(r"^seconds .*\bexport \d", second, re.MULTILINE)
    assert (tmp_path / "sample" / "export" / "latest" / "SHA256SUMS").is_file()
    told = json.loads((tmp_path / "sample" / "run.json").read_text())
    assert (told["outcome"], told["exit_code"], told["sentence"]) == ("nothing new", 0, second.splitlines()[-1])
    assert sorted(told["datasets"]) == DECLARED

    # bns.md 8.1, 8.7: 17,425 - 24,147 = -6,722; mean population (19,503,159 + 19,766,807) / 2 = 19,634,983
    assert "2022 17425 24147 -6722 8.9 12.3 -3.4" in asked
    assert "2023 25387 16094 9293" in asked
    assert "2024 29282 12732 16550" in asked
    # the sums of 2006 to 2022 as printed; a range has no rate
    assert "467777 572692 -104915\n" in asked
    assert "without a rate: \n" in asked
    # 10,000 x 16,153 / ((20,283,399 + 20,499,822) / 2) = 7.92
    assert "2025 23761 7608 16153 11.7 3.7 7.9" in asked
    for line in ("19 2023-07-19 1505968", "19 retrieved 2026-09-30T00:00:00+00:00 1505896", "71 2023-07-19 1354507"):
        assert line in asked
    assert "71 2026-04-30 1354559" in asked
    assert "71 retrieved 2026-09-30T00:00:00+00:00 1354556" in asked


@pytest.mark.slow
def test_the_second_of_two_runs_at_once_says_who_holds_the_lock_and_leaves(tmp_path: Path, template: str) -> None:
    profile = new_profile(tmp_path)
    environment = dict(os.environ) | {"KOSHI_DATABASE": profile.database, "KOSHI_JOURNAL": profile.journal}
    with locked(profile, "run sample"):
        done = subprocess.run(
            [sys.executable, "pipeline.py", "run"], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False
        )
    assert done.returncode == 1
    (said,) = done.stdout.splitlines()
    assert said.startswith(f"Broken (exit code 1): run sample is locked by: koshi run sample pid {os.getpid()}")
