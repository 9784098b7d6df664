"""The DAGs as Airflow has them: their defaults, and what it does with the real DAGs, whose tasks end as they are told."""

from __future__ import annotations

import email
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from extractors.source import load_source, source_codes
from reporting import airflow_home
from reporting.dag_defaults import DEFAULT_ARGS, REPLAYED, anchor
from tests.conftest import new_profile
from tests.mail import Mail
from tests.state import read
from warehouse.locks import PATIENCE
from warehouse.profile import ROOT, Profile

SECRET = "only-in-the-connection"  # noqa: S105 # pragma: allowlist secret
RUN = """
import json, os, sys, time
from datetime import UTC, datetime
from types import SimpleNamespace
from airflow.dag_processing.dagbag import DagBag
from airflow.models.taskinstance import TaskInstance
from airflow.models.asset import AssetEvent
from airflow.serialization.serialized_objects import DagSerialization
from airflow.timetables.base import TimeRestriction
from airflow.utils.db import upgradedb
from airflow.utils.session import create_session
from expectations import intake, read_anew, settle
from expectations.gate1 import Verdict
from extractors import replay, verify
from extractors.archive import Request
from extractors.polite import FetchError
from extractors.rows import ContractError
from extractors.source import load_source
from reporting import site
from reporting.airflow_home import without_retries
from reporting.export import make

told, asked = {}, []
def fetch_error(wait):
    error = FetchError(load_source("bns"), "population", Request("GET", "https://agency.example"), "status 503", "Run again later", 503)
    error.wait_seconds = wait
    return error
ERRORS = {
    "failed": RuntimeError("as told"), "waits": fetch_error(4000.0), "contract": ContractError("A1", "a number", "x"), "bug": KeyError("x"),
}
def end(name):
    if error := ERRORS.get(told.get(name)):
        raise error
    return told.get(name) != "skipped"

def take_in(profile, source, dataset, delivery=""):
    asked.append([dataset, delivery])
    verdicts = [Verdict(255, "2020", "an edition", 3)] if end(dataset) else []
    return intake.Intake(f"{source}.{dataset}", verdicts=verdicts)

def say(word, what):
    print(word, json.dumps(what), flush=True)

intake.take_in = take_in
replay.catch_up = lambda profile: SimpleNamespace(entries=int(end("catch_up")))
upgradedb()
bag = DagBag(sys.argv[1])
assert not bag.import_errors, bag.import_errors
for dag in bag.dags.values():
    say("DAG", {
        "id": dag.dag_id, "tags": sorted(dag.tags), "doc": dag.doc_md,
        "params": {name: dag.params.get_param(name).schema for name in dag.params},
        "runs": dag.max_active_runs, "catchup": dag.catchup, "groups": sorted(dag.task_group_dict),
        "tasks": {t.task_id: {
            "owner": t.owner, "retries": t.retries, "delay": t.retry_delay.total_seconds(), "policy": type(t.retry_policy).__name__,
            "timeout": t.execution_timeout.total_seconds(), "told": [type(each).__name__ for each in t.on_failure_callback], "pool": t.pool,
            "doc": t.doc_md or "", "outlets": [outlet.name for outlet in t.outlets],
        } for t in dag.tasks},
    })
warehouse = DagSerialization.deserialize_dag(DagSerialization.serialize_dag(bag.dags["warehouse"])).timetable
say("STARTS", sorted(asset.name for asset in warehouse.asset_condition.objects))
known = TimeRestriction(earliest=bag.dags["warehouse"].start_date, latest=None, catchup=False)
first = warehouse.next_dagrun_info(last_automated_data_interval=None, restriction=known)
say("FIRST", (datetime.now(UTC) - first.run_after).total_seconds())

def fresh():
    # in one process the parameters of a run stay those of the next
    return DagBag(sys.argv[1] + "/extract.py").dags["extract_bns"]

class Waits(Exception):
    pass

def wait(seconds):
    raise Waits

# with retries: what would be tried again is left where it stands
rest = time.sleep
for name in ("waits", "contract", "bug"):
    told = {"population": name}
    begun, time.sleep = datetime.now(UTC), wait
    try:
        fresh().test(run_conf={"dataset": "population"})
    except Waits:
        pass
    time.sleep = rest
    with create_session() as session:
        row = session.query(TaskInstance).filter(TaskInstance.task_id == "population.take_in").order_by(TaskInstance.id.desc()).first()
        say("RETRY", [name, str(row.state), row.retry_delay_override])

asked.clear()
for dag in bag.dags.values():
    without_retries(dag)
for told in json.loads(sys.argv[2]):
    run = bag.dags["extract_bns"].test()
    say("STATES", {t.task_id: str(t.state) for t in run.get_task_instances()} | {"run": str(run.state)})
with create_session() as session:
    say("EVENT", [[event.uri or event.name, event.extra] for event in session.query(AssetEvent).all()][-1])

told = {}
asked.clear()
for conf in ({"dataset": "population", "delivery": "20260101T000000+0000"}, {"delivery": "20260101T000000+0000"}):
    say("PARAMS", str(without_retries(fresh()).test(run_conf=conf).state))
say("ASKED", asked)
for conf in ({"dry_run": True, "dataset": "external_arrivals"}, {"dry_run": True, "dataset": "population"}):
    run = without_retries(fresh()).test(run_conf=conf)
    say("DRY", [str(run.state), *sorted({str(t.state) for t in run.get_task_instances() if t.task_id == f"{conf['dataset']}.take_in"})])

for found in ([], ["a finding"]):
    verify.check = lambda profile: found
    say("CHECK", str(bag.dags["check"].test().state))

told = {}
os.environ.pop("KOSHI_EXPORT", None)
read_anew.read_anew = lambda profile: []
def write(profile):
    asked.append("export")
    return end("export")
make.export, site.build = write, lambda profile: asked.append("report")
for outcome, told in (("published", {}), ("published", {"export": "failed"}), ("nothing new", {})):
    asked.clear()
    settle.settle = lambda profile: settle.Settled(outcome, 1 if outcome == "published" else None)
    run = bag.dags["warehouse"].test()
    say("SHOWN", [list(asked), {t.task_id: str(t.state) for t in run.get_task_instances()}])
"""
# what the tasks of some datasets are told, how the one that waits ends, the run of the DAG, and its outcome in the ledger
CASES: tuple[tuple[dict[str, str], str, str, str], ...] = (
    ({}, "success", "success", "taken in"),
    # nothing new is no reason not to look at what waits
    ({"internal_by_region": "skipped"}, "success", "success", "taken in"),
    # it looks for itself and ends as skipped, waiting for the other; the run of the DAG has failed all the same
    ({"internal_by_region": "failed", "internal_matrix": "skipped"}, "skipped", "failed", "broken"),
    ({"catch_up": "failed"}, "upstream_failed", "failed", "broken"),
)


@dataclass
class Ran:
    """What the script said, by its words, and all that it printed; `mails` are those of its failures."""

    output: str
    profile: Profile
    mails: list[str]
    signed_in: int

    def told(self, word: str) -> list[Any]:
        """What it said with this word, in order."""
        return [json.loads(line.removeprefix(word)) for line in self.output.splitlines() if line.startswith(f"{word} ")]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory, migrated: str) -> Ran:
    """One process in which the real DAGs run on a real ledger, with an archive that holds one delivery that cannot be read."""
    folder = tmp_path_factory.mktemp("dags")
    profile, mail = new_profile(folder, "koshi_dags", like=migrated), Mail()
    put_unreadable(profile)
    environment = dict(os.environ) | airflow_home.settings(Profile("sample", "", "", folder, "unused"))
    environment |= {
        "KOSHI_DATABASE": profile.database,
        "KOSHI_ARCHIVE": profile.archive,
        "KOSHI_JOURNAL": profile.journal,
        "KOSHI_NOTIFIER": "airflow.providers.smtp.notifications.smtp.SmtpNotifier",
        "KOSHI_NOTIFIER_ARGUMENTS": json.dumps(
            {
                "to": "operator@example.org",
                "from_email": "koshi@example.org",
                "subject": "{{ ti.task_id }} failed",
                "html_content": "{{ exception }}",
            }
        ),
        "AIRFLOW_CONN_SMTP_DEFAULT": f"smtp://koshi:{SECRET}@127.0.0.1:{mail.port}?disable_tls=true&disable_ssl=true",
    }
    command = [sys.executable, "-c", RUN, str(ROOT / "dags"), json.dumps([told for told, *_ in CASES])]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=800, check=False)
    mail.shutdown()
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return Ran(done.stdout + done.stderr, profile, mail.given, mail.signed_in)


def put_unreadable(profile: Profile) -> None:
    """A delivery of arrivals that says something, and one of the population that is no workbook."""
    from tests import small

    small.put(profile, "external_arrivals", small.tree(small.arrivals()), "2026-01-01")
    small.put(profile, "population", b"no workbook", "2026-01-01")


pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("dags")]


def test_every_dag_has_the_defaults_of_the_house(ran: Ran) -> None:
    dags = {dag["id"]: dag for dag in ran.told("DAG")}
    assert set(dags) == {*(f"extract_{code}" for code in source_codes()), "warehouse", "replay", "readers", "check"}
    headings = {
        anchor(line[3:]) for line in (ROOT / "docs" / "operations.md").read_text(encoding="utf-8").splitlines() if line[:3] == "## "
    }
    for name, dag in dags.items():
        assert (dag["runs"], dag["catchup"]) == (1, False), name
        assert "koshi" in dag["tags"] and len(dag["tags"]) == 2, name
        links = {link.partition(")")[0] for link in dag["doc"].split("(docs/operations.md#")[1:]}
        assert links and links <= headings, f"{name} leads to no section: {links - headings}"
        for task_id, task in dag["tasks"].items():
            assert (task["owner"], task["retries"], task["delay"]) == ("koshi", 2, 300), f"{name}.{task_id}"
            assert (task["policy"], task["told"]) == ("ByCause", ["OnFailure"]), f"{name}.{task_id}"
            assert PATIENCE < task["timeout"] < 24 * 3600, f"{name}.{task_id}: it has its turn at a lock, and none stands for ever"
            assert task["doc"], f"{name}.{task_id}"
    assert DEFAULT_ARGS["owner"] == "koshi"


def test_every_dataset_has_a_group_a_pool_and_the_asset_of_its_source(ran: Ran, tmp_path: Path) -> None:
    dags = {dag["id"]: dag for dag in ran.told("DAG")}
    assert dags["warehouse"]["groups"] == ["publish"]
    airflow_home.write_pools(tmp_path / "of" / "pools.json")
    pools = json.loads((tmp_path / "of" / "pools.json").read_text(encoding="utf-8"))
    assert {name: pool["slots"] for name, pool in pools.items()} == {f"koshi_{code}": 1 for code in source_codes()}
    for code in source_codes():
        source, dag = load_source(code), dags[f"extract_{code}"]
        assert dag["groups"] == sorted(source.datasets)
        assert sorted(dag["params"]) == ["dataset", "delivery", "dry_run"]
        assert dag["params"]["dataset"]["enum"] == [None, *source.datasets]
        asking = {name: task for name, task in dag["tasks"].items() if name.endswith(".take_in")}
        assert set(asking) == {f"{name}.take_in" for name in source.datasets}
        assert {(task["pool"], *task["outlets"]) for task in asking.values()} == {(f"koshi_{code}", source.asset)}
        assert {task["pool"] for name, task in dag["tasks"].items() if name not in asking} == {"default_pool"}


def test_what_no_agency_starts_is_started_by_a_replay_and_by_the_timer(ran: Ran) -> None:
    assert ran.told("STARTS") == [sorted([REPLAYED, *(load_source(code).asset for code in source_codes())])]
    assert 0 <= ran.told("FIRST")[0] <= 15 * 60


def test_what_waits_for_another_is_tried_for_itself_and_the_run_is_recorded(ran: Ran) -> None:
    found = [(states["internal_matrix.take_in"], states["run"]) for states in ran.told("STATES")]
    assert found == [(waiting, run) for _, waiting, run, _ in CASES], ran.output[-3000:]
    rows = read(ran.profile, "select outcome, summary, finished_at >= started_at from meta.run order by started_at")
    # the first three are those with retries, of which two never came to their end
    assert [row[0] for row in rows[3:7]] == [outcome for *_, outcome in CASES]
    for _, summary, ended in rows[3:7]:
        assert ended
        assert isinstance(summary, dict)
        assert sorted(summary["datasets"]) == sorted(f"bns.{name}" for name in load_source("bns").datasets)
        assert {"releases", "facts", "seconds", "settled", "waiting for a decision"} <= set(summary)
    first = rows[3][1]
    assert isinstance(first, dict)
    assert first["releases"]["accepted"] == len(load_source("bns").datasets)
    # the log of the last task tells the same
    assert "Broken (exit code 1): " in ran.output and "catch_up failed: RuntimeError: as told" in ran.output


def test_a_passing_fault_is_tried_again_and_a_broken_contract_is_not(ran: Ran) -> None:
    told = {name: (state, delay) for name, state, delay in ran.told("RETRY")}
    assert told == {
        "waits": ("up_for_retry", 4000.0),  # the agency's own Retry-After
        "contract": ("failed", None),
        "bug": ("up_for_retry", None),  # nobody foresaw it: Airflow's own retries
    }


def test_an_event_names_the_accepted_releases(ran: Ran) -> None:
    [[asset, extra]] = ran.told("EVENT")
    assert asset == "koshi_bns"
    assert extra["releases"] == ["00000000000000ff"]
    assert extra["slices"] == ["2020"]
    assert extra["dataset"].startswith("bns.")


def test_parameters_choose_the_dataset_and_the_delivery(ran: Ran) -> None:
    assert ran.told("PARAMS") == ["success", "failed"], "a delivery is one of a dataset"
    assert ran.told("ASKED") == [[["population", "20260101T000000+0000"]]]


def test_a_dry_run_is_recorded_nowhere_and_fails_on_what_cannot_be_read(ran: Ran) -> None:
    assert ran.told("DRY") == [["success", "skipped"], ["failed", "failed"]]
    # three with retries, those of the cases, two with parameters, and three of publications
    assert read(ran.profile, "select count(*) from meta.run") == [(3 + len(CASES) + 2 + 3,)]
    assert read(ran.profile, "select count(*) from meta.release") == [(0,)]


def test_who_is_named_is_told_of_a_failure_and_no_secret_is_written(ran: Ran) -> None:
    mails = [email.message_from_string(mail) for mail in ran.mails]
    subjects = [str(mail["Subject"]) for mail in mails]
    # once each task that has failed for good; the summary, which fails with them, repeats nothing
    assert subjects == [
        f"{name} failed"
        for name in (
            "population.take_in",
            "internal_by_region.take_in",
            "catch_up",
            "catch_up",
            "population.take_in",
            "verify",
            "publish.export",
        )
    ]
    bodies = [part.get_payload(decode=True) for mail in mails for part in mail.walk() if not part.is_multipart()]
    assert b"as told" in bodies and b"a finding" in bodies
    assert ran.signed_in == len(ran.mails)
    assert SECRET not in ran.output


def test_the_weekly_check_fails_where_anything_is_found(ran: Ran) -> None:
    assert ran.told("CHECK") == ["success", "failed"]


def test_pages_come_after_the_files_that_they_link_whatever_became_of_these(ran: Ran) -> None:
    made, broken, nothing = ran.told("SHOWN")
    assert [asked for asked, _ in (made, broken, nothing)] == [["export", "report"], ["export", "report"], []]
    states = [tuple(states[f"publish.{name}"] for name in ("settle", "export", "report")) for _, states in (made, broken, nothing)]
    assert states == [("success", "success", "success"), ("success", "failed", "success"), ("skipped", "skipped", "skipped")]


def test_no_file_with_a_dag_shadows_a_package() -> None:
    code = "import importlib.util, json, sys; print(json.dumps([n for n in sys.argv[1:] if importlib.util.find_spec(n)]))"
    names = [file.stem for file in (ROOT / "dags").glob("*.py")]
    done = subprocess.run([sys.executable, "-c", code, *names], cwd=ROOT, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []
