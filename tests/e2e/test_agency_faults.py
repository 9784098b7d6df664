"""Whole live runs against a server that plays every agency and misbehaves for some datasets: the others go on, and each line says why.

A copy of the code is asked, in whose `source.yml` files waiting is short and only what the bundled archive can answer is declared.
"""

from __future__ import annotations

import dataclasses
import gzip
import io
import json
import os
import re
import shutil
import ssl
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from extractors.archive import Archive, Request
from extractors.source import HttpPolicy, load_source, source_codes
from extractors.undesa.client import requests as undesa_requests
from tests.agency import Agency, Reply
from tests.asked import VERSION, as_bundled
from tests.conftest import NO_NETWORK
from tests.servers import remove_server
from warehouse.profile import BUNDLED_ARCHIVE, ROOT

pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.timeout(2400)]
BUNDLED = Archive(str(BUNDLED_ARCHIVE))
# how patiently an agency is asked here
HTTP = {"min_interval_seconds": 0, "connect_timeout_seconds": 2, "read_timeout_seconds": 3, "backoff_seconds": 0.1, "max_wait_seconds": 5}
# a deadline for whole answers, under whatever name it is declared
DEADLINES = {name: 20 for name in HttpPolicy.model_fields if "deadline" in name}
# a whole run, every answer of which takes as long as it may
BOUND_SECONDS = 900
COPIED = ("dags", "dbt", "expectations", "extractors", "pipeline.py", "reporting", "warehouse")
Change = Callable[[bytes], bytes]
# what every question may be answered with; a function changes the sound answer
Behaviour = Reply | Change | list[Reply]


def key(request: Request) -> tuple[object, ...]:
    """A question without the version that it is pinned to: there is one version, and the bundled answers are of several."""
    return request.method, request.path, tuple(pair for pair in sorted(request.params) if pair[0] != "version"), tuple(sorted(request.form))


class Agencies(Agency):
    """All agencies at once: sound answers from the bundled archive, unless a dataset has been told to behave otherwise."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(tls)
        self.sound: dict[tuple[object, ...], bytes] = {}
        self.datasets: dict[tuple[object, ...], str] = {}
        self.behaviours: dict[str, Behaviour] = {}
        self.changed: dict[tuple[object, ...], bytes] = {}
        self.asked: dict[str, int] = {}
        for code in source_codes():
            for name in load_source(code).datasets:
                self._know(code, name)

    def _know(self, code: str, name: str) -> None:
        last = BUNDLED.deliveries(code, name)[-1]
        for snapshot in BUNDLED.snapshots(code, name, last):
            asked, body = snapshot.request, BUNDLED.body(snapshot)
            if code == "undesa":  # of two of the workbooks only the older edition is at hand: it is served where the newest is asked for
                asked = undesa_requests(load_source(code), load_source(code).dataset(name))[0]
            if asked.path.endswith("versions/default"):
                body = json.dumps({"version": VERSION, "publicationDate": None, "description": "", "themeDataStatus": []}).encode()
            else:
                self.datasets.setdefault(key(asked), f"{code}.{name}")
            self.sound[key(asked)] = body

    def behave(self, behaviours: dict[str, Behaviour]) -> None:
        """What datasets do from now on. Answers are changed beforehand: making one may take longer than anybody waits for it."""
        self.asked.clear()
        self.behaviours = behaviours
        changes = {question: behaviours.get(name) for question, name in self.datasets.items()}
        self.changed = {question: change(self.sound[question]) for question, change in changes.items() if callable(change)}

    def reply_to(self, request: Request) -> Reply:
        """The dataset's behaviour, else its sound answer."""
        name, body = self.datasets.get(key(request), ""), self.changed.get(key(request), self.sound.get(key(request)))
        behaviour = self.behaviours.get(name)
        count = self.asked[name] = self.asked.get(name, 0) + 1
        if isinstance(behaviour, Reply):
            itself = {"Location": f"/{request.path}"} if behaviour.headers.get("Location") == ITSELF else {}
            return dataclasses.replace(behaviour, headers=behaviour.headers | itself)
        if isinstance(behaviour, list) and count <= len(behaviour):
            return behaviour[count - 1]
        if body is None:
            return super().reply_to(request)
        return Reply(body=body)


def edited(old: str, new: str, count: int = 1) -> Change:
    """The sound answer with other words in it."""

    def change(body: bytes) -> bytes:
        assert old.encode() in body, f"{old!r} is not in the sound answer"
        return body.replace(old.encode(), new.encode(), count)

    return change


def in_largest_sheet(change: Change) -> Change:
    """A workbook the largest sheet of which, the one with the figures, is changed."""

    def changed(body: bytes) -> bytes:
        target = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(body)) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
            sheets = [info for info in old.infolist() if info.filename.startswith("xl/worksheets/sheet")]
            largest = max(sheets, key=lambda info: info.file_size).filename
            for name in old.namelist():
                new.writestr(name, change(old.read(name)) if name == largest else old.read(name))
        return target.getvalue()

    return changed


def with_entity(sheet: bytes) -> bytes:
    """A sheet that asks for a file of the reader's machine."""
    start = sheet.index(b"?>") + 2 if sheet.startswith(b"<?xml") else 0
    declared = b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
    return sheet[:start] + declared + sheet[start:].replace(b"<sheetData>", b"&a;<sheetData>", 1)


def doubled(body: bytes) -> bytes:
    """A JSON list each element of which comes twice."""
    return json.dumps(json.loads(body) * 2, ensure_ascii=False).encode()


# 500 MB of empty rows in less than a megabyte
zip_bomb = in_largest_sheet(lambda sheet: b"<worksheet><sheetData>" + b"<row/>" * 80_000_000 + b"</sheetData></worksheet>")
PAGE = b"<!DOCTYPE html><title>Just a moment</title>"
HEADERS = b"HTTP/1.0 200 OK\r\n" + b"".join(b"X-%d: 1\r\n" % number for number in range(300)) + b"\r\n"
TWO_LENGTHS = b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\nContent-Length: 7\r\n\r\n1234567"
ITSELF = "the same address"
GZIP = {"Content-Encoding": "gzip"}


def away(address: str) -> Reply:
    return Reply(302, b"", {"Location": address})


@dataclass(frozen=True)
class Run:
    """One run: what some datasets' agencies do, and by the dataset's name the word and a part of what its line must say.

    `witness` has a new figure in this run, which must be published. `base` moves a source's base address (`tls` or `closed`).
    """

    behaviours: dict[str, Behaviour]
    said: dict[str, tuple[str, str]]
    witness: str = "iom.missing_migrants"
    base: dict[str, str] = field(default_factory=dict)


PASSING = Run(
    behaviours={
        "bns.external_arrivals": [Reply(reset=True)],
        "bns.external_departures": [Reply(body=b"[{", announced=900)],
        "bns.population": [Reply(429), Reply(429, headers={"Retry-After": "1"})],
        "bns.net_migration": [Reply(429, headers={"Retry-After": "soon"}), Reply(429, headers={"Retry-After": "-5"})],
        "bns.births": [Reply(429, headers={"Retry-After": "Mon, 01 Jan 0001 00:00:00 GMT"})],
        "bns.natural_increase": [Reply(500, b"oops"), Reply(500, b"oops")],
        "bns.internal_by_region": [Reply(503, b"maintenance")],
        "uis.outbound_totals": [Reply(502)],
        "undesa.stock_by_destination": [Reply(delay=60)],
    },
    said={},
)
REFUSING = Run(
    behaviours={
        "bns.external_arrivals": Reply(delay=3600),
        "bns.external_departures": Reply(reset=True),
        "bns.population": Reply(503, b"maintenance"),
        "bns.net_migration": away(ITSELF),
        "bns.natural_increase": away("http://localhost:9/"),
        "bns.births": away("file:///etc/passwd"),
        "bns.internal_by_region": Reply(404, b"no such page"),
        "uis.students_from_kazakhstan": Reply(414, b"too long"),
        "uis.students_to_kazakhstan": Reply(403, b"access denied"),
        "uis.inbound_and_net_flow": Reply(204),
        "uis.outbound_totals": Reply(206, b"{}"),
    },
    said={
        "bns.external_arrivals": ("failed", "Read timed out"),
        "bns.external_departures": ("failed", "Connection"),
        "bns.population": ("failed", "status 503"),
        "bns.net_migration": ("failed", "redirects"),
        "bns.natural_increase": ("failed", "redirected from GET to http://localhost"),
        "bns.births": ("failed", "redirected from GET to file:"),
        "bns.internal_by_region": ("failed", "status 404"),
        "bns.internal_matrix": ("waiting for", "bns.internal_by_region, which failed"),
        "uis.students_from_kazakhstan": ("failed", "status 414"),
        "uis.students_to_kazakhstan": ("failed", "status 403"),
        "uis.inbound_and_net_flow": ("failed", "status 204"),
        "uis.outbound_totals": ("failed", "status 206"),
        "undesa.stock_by_destination": ("failed", "Connection refused"),
        "undesa.population_by_destination": ("failed", "Connection refused"),
        "undesa.stock_by_destination_and_origin": ("failed", "Connection refused"),
    },
    base={"KOSHI_BASE_URL_UNDESA_FILES": "closed"},
)
FLOODING = Run(
    behaviours={
        "bns.external_arrivals": away("https://taldau.example/"),
        "bns.external_departures": Reply(429, b"slow down", {"Retry-After": "99999"}),
        "bns.population": Reply(raw=HEADERS),
        "bns.net_migration": Reply(raw=TWO_LENGTHS),
        "bns.natural_increase": Reply(body=b"no gzip at all", headers=GZIP),
        "bns.births": Reply(429, b"slow down", {"Retry-After": "9" * 400}),
        "iom.missing_migrants": Reply(body=b"x" * 1_000_000, announced=-1, endless=True),
        "uis.students_from_kazakhstan": Reply(body=gzip.compress(bytes(400_000_000)), headers=GZIP),
        "uis.students_to_kazakhstan": lambda body: gzip.compress(body)[:-40],
    },
    said={
        "bns.external_arrivals": ("failed", "redirected from POST to https://taldau.example"),
        "bns.external_departures": ("failed", "asked to wait 99999 s"),
        "bns.population": ("failed", "headers"),
        "bns.net_migration": ("failed", "Content-Length"),
        "bns.natural_increase": ("failed", "decod"),
        "bns.births": ("failed", "asked to wait"),
        "iom.missing_migrants": ("failed", "larger than 50000000 bytes"),
        "uis.students_from_kazakhstan": ("failed", "larger than 30000000 bytes"),
        "uis.students_to_kazakhstan": ("rejected", "readable"),
        "undesa.stock_by_destination": ("failed", "CERTIFICATE_VERIFY_FAILED"),
        "undesa.population_by_destination": ("failed", "CERTIFICATE_VERIFY_FAILED"),
        "undesa.stock_by_destination_and_origin": ("failed", "CERTIFICATE_VERIFY_FAILED"),
    },
    witness="bns.internal_matrix",
    base={"KOSHI_BASE_URL_UNDESA_FILES": "tls"},
)
UNREADABLE = Run(
    behaviours={
        "bns.external_arrivals": Reply(body=PAGE),
        "bns.external_departures": lambda body: b"",
        "bns.population": lambda body: body[: len(body) // 2],
        "bns.net_migration": lambda body: body.decode().encode("cp1251", "replace"),
        "bns.natural_increase": lambda body: b'{"isSuccess":false,"message":"no such element"}',
        "bns.births": lambda body: body[: len(body) // 2],
        "bns.internal_by_region": lambda body: body.decode().encode("utf-16-le"),
        "uis.students_from_kazakhstan": lambda body: b"",
        "uis.students_to_kazakhstan": lambda body: PAGE,
        "uis.outbound_totals": lambda body: body[: len(body) // 2],
        "undesa.stock_by_destination": lambda body: body[:-2000],
        "undesa.stock_by_destination_and_origin": zip_bomb,
    },
    said={
        "bns.external_arrivals": ("rejected", "HTML"),
        "bns.external_departures": ("rejected", "unreadable"),
        "bns.population": ("rejected", "unreadable"),
        "bns.net_migration": ("rejected", "unreadable"),
        "bns.natural_increase": ("rejected", "unreadable"),
        "bns.births": ("rejected", "unreadable"),
        "bns.internal_by_region": ("rejected", "unreadable"),
        "bns.internal_matrix": ("waiting for or rejected", ""),  # one year of it is rejected in every run
        "uis.students_from_kazakhstan": ("rejected", "unreadable"),
        "uis.students_to_kazakhstan": ("rejected", "HTML"),
        "uis.outbound_totals": ("rejected", "unreadable"),
        "undesa.stock_by_destination": ("rejected", "unreadable"),
        "undesa.population_by_destination": ("rejected", "unreadable"),
        "undesa.stock_by_destination_and_origin": ("rejected", "unreadable"),
    },
)
CHANGED = Run(
    behaviours={
        "bns.external_arrivals": edited('"measureName": "Человек"', '"measureName": "Тысяча человек"'),
        "bns.external_departures": edited('"leaf"', '"note": "", "leaf"'),
        "bns.net_migration": edited('"NAM"\t', '"NAM"\t"NOTE"\t'),
        "bns.natural_increase": edited('"termNames"', '"names"', -1),
        "bns.births": doubled,
        "iom.missing_migrants": lambda body: b"[]",
        "uis.students_from_kazakhstan": edited('"hints":[]', '"hints":[{"code":"truncated"}]'),
        "uis.inbound_and_net_flow": edited('"indicatorId":"26637"', '"indicatorId":"99999"'),
        "undesa.stock_by_destination": in_largest_sheet(with_entity),
    },
    said={
        "bns.external_arrivals": ("rejected", "found 'Тысяча человек', expected 'Человек'"),
        "bns.external_departures": ("rejected", "note"),
        "bns.net_migration": ("rejected", "NOTE"),
        "bns.natural_increase": ("rejected", ""),
        "bns.births": ("rejected", ""),
        "iom.missing_migrants": ("undecided", "lost 1684 of 1684 figures"),
        "uis.students_from_kazakhstan": ("rejected", "hint"),
        "uis.inbound_and_net_flow": ("rejected", "99999"),
        "undesa.stock_by_destination": ("rejected", ""),
        "undesa.population_by_destination": ("rejected", ""),
    },
    witness="bns.internal_matrix",
)
DRIP = Reply(body=b" " * 100_000, block=1, pause=1.0, announced=-1)
DRIPPING = Run(
    behaviours={
        "bns.external_arrivals": DRIP,
        "bns.net_migration": Reply(raw=b"HTTP/1.0 200 OK\r\nX-Slow: " + b"x" * 100_000, block=1, pause=1.0),
        "bns.births": Reply(404, b"x" * 100_000, block=1, pause=1.0),
    },
    said={
        "bns.external_arrivals": ("failed", "no whole answer within"),
        "bns.net_migration": ("failed", "no whole answer within"),
        "bns.births": ("failed", "no whole answer within"),
    },
)
WITNESSES: dict[str, Callable[[int], Change]] = {
    "iom.missing_migrants": lambda number: edited('"number_of_survivors":""', f'"number_of_survivors":"{number + 1}"'),
    "bns.internal_matrix": lambda number: edited("2010,Abay,Akmola,161", f"2010,Abay,Akmola,{161 + number}"),
}


class Live:
    """A live warehouse of its own, with a copy of the code, that is run as a person runs it."""

    def __init__(self, folder: Path, agencies: Agencies, tls: Agencies) -> None:
        self.folder, self.agencies, self.tls, self.number = folder, agencies, tls, 0
        self.usual: dict[str, str] = {}
        self.code = folder / "code"
        self.code.mkdir()
        for name in COPIED:
            place = ROOT / name
            (shutil.copy if place.is_file() else shutil.copytree)(place, self.code / name)
        for code in source_codes():
            file = self.code / "extractors" / code / "source.yml"
            declared = yaml.safe_load(file.read_text("utf-8"))
            declared["http"] = declared.get("http", {}) | HTTP | DEADLINES
            for name, dataset in as_bundled(code).datasets.items():
                declared["datasets"][name]["request"] = dataset.request
            file.write_text(yaml.safe_dump(declared, allow_unicode=True, sort_keys=False), "utf-8")

    def environment(self, base: dict[str, str]) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("AIRFLOW", "KOSHI", "PYTHON", "DBT"))}
        places = {"closed": "http://127.0.0.1:9", "tls": self.tls.url}
        for code in source_codes():
            for name, url in load_source(code).base_urls.items():
                variable = f"KOSHI_BASE_URL_{code.upper()}_{name.upper()}"
                kept[variable] = places.get(base.get(variable, ""), self.agencies.url) + urlsplit(url).path
        python = os.pathsep.join((str(self.code), str(NO_NETWORK)))
        mine = {"KOSHI_EXPORT": "0", "KOSHI_STATE": str(self.folder / "state"), "KOSHI_PROFILE": "live", "PYTHONPATH": python}
        return kept | dict.fromkeys(("no_proxy", "NO_PROXY"), "127.0.0.1") | mine

    def command(self, *words: str, base: dict[str, str] | None = None, seconds: float = 120) -> subprocess.CompletedProcess[str]:
        """What the command line does; `seconds` is the bound of it."""
        return subprocess.run(
            [sys.executable, "pipeline.py", *words], cwd=self.code, env=self.environment(base or {}),
            capture_output=True, text=True, timeout=seconds, check=False,
        )  # fmt: skip

    def run(self, run: Run) -> dict[str, Any]:
        """One run; returns run.json with what was printed and how many seconds it took."""
        self.number += 1
        for agencies in (self.agencies, self.tls):
            agencies.behave({run.witness: WITNESSES[run.witness](self.number), **run.behaviours})
        begun = time.monotonic()
        done = self.command("run", base=run.base, seconds=BOUND_SECONDS)
        seconds = time.monotonic() - begun
        told: dict[str, Any] = json.loads((self.folder / "state" / "live" / "run.json").read_text("utf-8"))
        assert told["exit_code"] == done.returncode, done.stdout + done.stderr
        return told | {"printed": done.stdout, "seconds": seconds}


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A warehouse that has published once, in a run in which every fault was one that passes."""
    folder = tmp_path_factory.mktemp("live")
    certificate, secret, openssl = folder / "certificate.pem", folder / "key.pem", shutil.which("openssl")
    if not openssl:
        pytest.skip("NOT PLAYED: no openssl to make a certificate with")
    subprocess.run(
        [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", str(secret), "-out", str(certificate), "-days", "1",
         "-subj", "/CN=127.0.0.1"],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, secret)
    agencies, tls = Agencies(), Agencies(context)
    warehouse = Live(folder, agencies, tls)
    try:
        first = warehouse.run(PASSING)
        warehouse.usual = {name: line["word"] for name, line in first["datasets"].items()}
        assert "failed" not in warehouse.usual.values(), first["datasets"]
        _tell("passing", PASSING, first, warehouse.usual)
        yield warehouse
    finally:
        agencies.stop()
        tls.stop()
        warehouse.command("stop")
        remove_server(folder / "state")


def _wrong(run: Run, dataset: str, line: dict[str, Any], usual: str) -> str:
    """What is wrong with what was said of a dataset; `usual` is the word that it has after sound answers."""
    told = json.dumps(line, ensure_ascii=False)
    if dataset not in run.said:
        # what an earlier run was answered stands rejected or undecided until a person or a later answer says otherwise
        stands = re.search(r"stands? (rejected|undecided)|known: the answer is readable", line["happened"])
        return "" if stands or line["word"] in (usual, "unchanged", "skipped", "taken") else f"{line['word']}, though its agency was sound"
    word, part = run.said[dataset]
    if line["word"] not in word.split(" or ") or part.lower() not in told.lower():
        return f"expected {word} and {part!r}"
    return "" if line.get("advice") and "Traceback" not in line["happened"] else "does not say what to do"


def _tell(name: str, run: Run, told: dict[str, Any], usual: dict[str, str]) -> None:
    """What a run must say of every dataset, and that the witness was published."""
    print(f"{name}: {told['seconds']:.0f} s, {told['sentence']}")
    lines: dict[str, dict[str, Any]] = told["datasets"]
    wrong = {dataset: _wrong(run, dataset, line, usual[dataset]) for dataset, line in lines.items()}
    shown = [f"{dataset}: {wrong[dataset]}: {json.dumps(lines[dataset], ensure_ascii=False)}" for dataset in wrong if wrong[dataset]]
    assert not shown, "\n".join(shown)
    assert " accepted" in lines[run.witness]["happened"], lines[run.witness]
    assert told["settled"] == "published", told["sentence"]
    failed = [name for name, (word, _) in run.said.items() if word == "failed"]
    assert told["exit_code"] == (1 if failed else 0), told["sentence"]
    for dataset in failed:
        assert dataset in told["sentence"]


RUNS = {"refusing": REFUSING, "flooding": FLOODING, "unreadable": UNREADABLE, "changed": CHANGED, "dripping": DRIPPING}


@pytest.mark.parametrize("name", RUNS)
def test_one_agency_at_fault_stops_no_other(live: Live, name: str) -> None:
    """The run ends in bounded time, each line says what happened and what to do, and what the others say is published."""
    if name == "dripping" and not DEADLINES:
        pytest.skip("NOT PLAYED: an answer has no overall deadline yet, and such a run has no end")
    told = live.run(RUNS[name])
    _tell(name, RUNS[name], told, live.usual)
    assert told["publication"] == live.number, told["sentence"]
