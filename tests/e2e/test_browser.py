"""The reports in a real browser, with answers of agencies that try to be more than text. Needs the system package `chromium`."""

from __future__ import annotations

import html
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from expectations.intake import take_in
from extractors.archive import Archive
from extractors.iom.client import requests
from extractors.source import load_source
from reporting import serve, site
from sample.answer import store
from tests import small
from tests.e2e.devtools import QUIET
from tests.markup import HOSTILE, is_plain
from warehouse import publication
from warehouse.profile import Profile

pytestmark = [pytest.mark.system, pytest.mark.slow]


def spoil(profile: Profile) -> None:
    """Hostile text wherever an agency or a person may write: a unit, a country, a place, a reason; taken in, judged and settled."""
    small.put(profile, "external_arrivals", small.tree(small.arrivals(), measureName=HOSTILE), "2026-03-01")
    source, lines = load_source("iom"), []
    question = requests(source, source.dataset("missing_migrants"))[0]
    for number in range(40):
        lines.append({
            "web_id": f"2018.MMP{number:05d}", "region": HOSTILE, "reported_date": "2018-01-02", "number_dead": "2",
            "number_missing": "", "total_dead_and_missing": "2", "number_of_survivors": "", "number_of_female": "", "number_of_male": "",
            "number_of_children": "", "country_of_incident": HOSTILE, "location_coodinates": HOSTILE, "source_quality": "3",
        })  # fmt: skip
    body = json.dumps(lines).encode()
    store(
        Archive(profile.archive), source, "missing_migrants", question, body,
        delivered="2026-03-01T00:00:00+00:00", content_type="application/json", note=small.NOTE,
    )  # fmt: skip
    small.run(profile)
    take_in(profile, "iom", "missing_migrants")
    kept = publication.status(profile)["kept"]
    publication.roll_back(profile, kept[0][1], HOSTILE, HOSTILE)


def shown(browser: str, folder: Path, address: str) -> tuple[str, str]:
    """The page as it stands after its scripts have run, and what the browser complained of on the way."""
    done = subprocess.run(
        [browser, *QUIET, f"--user-data-dir={folder / 'browser'}", "--enable-logging=stderr", "--virtual-time-budget=5000",
         "--dump-dom", address],
        check=True, capture_output=True, text=True, timeout=180,
    )  # fmt: skip
    # from a file, dbt's program asks for icons before it has filled in their names
    complaints = [line for line in done.stderr.splitlines() if "CONSOLE" in line and "getIcon" not in line]
    return done.stdout, "\n".join(complaints)


def asked(browser: str, folder: Path, address: str) -> list[str]:
    """The addresses that the page itself asked for, by the browser's own log of the network."""
    log = folder / "net.json"
    command = [browser, *QUIET, f"--user-data-dir={folder / 'browser'}", f"--log-net-log={log}", "--virtual-time-budget=3000"]
    subprocess.run([*command, "--dump-dom", address], check=True, capture_output=True, timeout=180)
    text = log.read_text(encoding="utf-8").rstrip()
    try:
        found = json.loads(text)
    except json.JSONDecodeError:  # cut short where the browser ends before the log is closed
        found = json.loads(text.rstrip(",") + "]}")
    # what the browser asks for itself has no page as its initiator
    return [event["params"]["url"] for event in found["events"] if str(event.get("params", {}).get("initiator", "")).startswith("http")]


@pytest.mark.timeout(900)
def test_text_of_an_agency_is_text_in_a_browser(browser: str, settled: Profile, tmp_path: Path) -> None:
    spoil(settled)
    first = site.build(settled)
    pages = sorted(first.parent.rglob("*.html"))
    assert len(pages) > 8
    assert any(html.escape("<svg") in page.read_text(encoding="utf-8") for page in pages if "validations" in str(page))
    with serve.reports(first.parent) as address:
        served: Callable[[Path], str] = lambda page: address + str(page.relative_to(first.parent))  # noqa: E731
        for page in pages:
            for place in (served(page), page.as_uri()):
                found, complaints = shown(browser, tmp_path, place)
                assert "<title>Koshi" in found, f"{place}: a stranger's script ran, or the page is not ours"
                assert complaints == "", place
                if "dbt_docs" in place:
                    assert "fct_migration_flow" in found, f"{place}: dbt's program did not start"
                else:
                    is_plain(found)
                if "/validations/" in place:
                    assert 'class="holds"' in found, f"{place}: our own script did not run"
        for page in (first, next(page for page in pages if "validations" in str(page)), first.parent / "dbt_docs" / "index.html"):
            urls = asked(browser, tmp_path, served(page))
            assert urls
            assert all(url.startswith(address) for url in urls), urls
