"""`make bench`: ratios measured in one run, medians of five interleaved pairs. No timed test: a person reads them.

landing          1,000,000 UIS observations from archived JSON bytes to commit, parsing and counting included,
                 against the server's own COPY FROM of the same rows as CSV into the same table (at least 0.5)
second run       `make run` that finds nothing new against the first (at most 0.4)
memory           peak of the process that lands the million (below 400 MB)
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from extractors.archive import Archive, Snapshot
from extractors.landing import land
from extractors.source import load_source
from extractors.uis.client import requests, version_request
from tests.servers import remove_server
from warehouse import migrate, server
from warehouse.connection import connect, drop_database
from warehouse.journal import Journal
from warehouse.profile import ROOT, Profile, state_root

ROWS, PAIRS = 1_000_000, int(os.environ.get("KOSHI_BENCH_PAIRS", "5"))
DATASET, VERSION = "inbound_and_net_flow", "20260101-0000be9c"
DELIVERED = "2026-01-01T00:00:00+00:00"


def _archive(folder: Path) -> tuple[Archive, list[Snapshot]]:
    """A synthetic answer of a million observations in the agency's shape, and the version it is pinned to."""
    archive, source = Archive(str(folder)), load_source("uis")
    dataset = source.dataset(DATASET)
    codes = dataset.request["indicators"]
    countries = [f"{a}{b}{c}" for a in "ABCDEFGHIJ" for b in "ABCDEFGHIJ" for c in "ABCDEFGHIJ"]
    years = range(1500, 1500 + ROWS // (len(codes) * len(countries)))
    records = (
        f'{{"indicatorId":"{code}","geoUnit":"{country}","year":{year},"value":{year}.25,"magnitude":null,"qualifier":"UIS_EST"}}'
        for code in codes for country in countries for year in years
    )  # fmt: skip
    data = ('{"hints":[],"records":[' + ",".join(records) + '],"indicatorMetadata":[]}').encode()
    version = json.dumps({"version": VERSION, "publicationDate": "2026-01-01T00:00:00Z", "description": "synthetic", "themeDataStatus": []})
    asked = [*requests(source, dataset, VERSION), version_request(source)]
    snapshots = []
    for number, (request, body) in enumerate(zip(asked, (data, version.encode()), strict=True), 1):
        snapshot = Snapshot(
            source="uis", dataset=DATASET, delivery=DELIVERED, request=request, sha256=hashlib.sha256(body).hexdigest(),
            size_bytes=len(body), retrieved_at=DELIVERED, status=200, content_type="application/json", capture="reconstructed",
            licence="none", attribution="none", note="synthetic: a benchmark",
        )  # fmt: skip
        snapshots.append(archive.write(snapshot, body, number))
    return archive, snapshots


def _fresh(folder: Path) -> Profile:
    shutil.rmtree(folder / "journal", ignore_errors=True)
    profile = Profile("sample", str(folder / "archive"), str(folder / "journal"), folder / "state", "koshi_bench")
    drop_database(profile)
    migrate.to_head(profile)
    return profile


def _land(folder: Path, archive: Archive, snapshots: list[Snapshot]) -> float:
    profile = _fresh(folder)
    begun = time.perf_counter()
    with connect(profile, "koshi_loader") as connection:
        landed = land(connection, Journal(profile.journal), archive, load_source("uis"), DATASET, snapshots)
    seconds = time.perf_counter() - begun
    if landed.rows != ROWS:
        raise RuntimeError(f"{landed.rows} rows landed, expected {ROWS}: {landed.unreadable}")
    return seconds


def _server_copy(folder: Path, file: Path) -> float:
    with connect(_fresh(folder)) as connection:
        begun = time.perf_counter()
        connection.execute(f"copy raw.uis_observation from '{file}' with (format csv)")
        connection.commit()
        return time.perf_counter() - begun


def _dump(folder: Path, archive: Archive, snapshots: list[Snapshot]) -> Path:
    """The same rows as CSV where the server's account can read them."""
    _land(folder, archive, snapshots)
    file = Path(server.start().data).parent / "bench.csv"
    profile = Profile("sample", "", "", folder / "state", "koshi_bench")
    with connect(profile) as connection, file.open("w", newline="") as target, connection.cursor(name="rows") as cursor:
        csv.writer(target).writerows(cursor.execute("select * from raw.uis_observation"))
    file.chmod(0o644)
    return file


def landing() -> None:
    """Prints the ratio of landing to the server's own COPY, and the peak of memory."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        archive, snapshots = _archive(folder / "archive")
        peak = subprocess.run(
            [sys.executable, "-m", "tests.bench.bench", "memory", name], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.split()[-1]
        file = _dump(folder, archive, snapshots)
        pairs = [(_land(folder, archive, snapshots), _server_copy(folder, file)) for _ in range(PAIRS)]
        file.unlink()
        drop_database(Profile("sample", "", "", folder / "state", "koshi_bench"))
    ours, theirs = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(copy / mine for mine, copy in pairs)
    print(f"landing       {ROWS:,} rows: {ours:.2f} s; the server's own COPY {theirs:.2f} s; {ratio:.2f} of its speed (at least 0.5)")
    print(f"memory        peak while landing {ROWS:,} rows: {peak} MB (below 400)")


def memory(name: str) -> None:
    """Lands the million once and prints this process's peak of resident memory in MB."""
    folder = Path(name)
    archive = Archive(str(folder / "archive"))
    delivery = archive.deliveries("uis", DATASET)[0]
    _land(folder, archive, archive.snapshots("uis", DATASET, delivery))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)


def second_run() -> None:
    """Prints the ratio of a run that finds nothing new to the first."""
    pairs = []
    for _ in range(PAIRS):
        with tempfile.TemporaryDirectory() as name:
            environment = dict(os.environ) | {"KOSHI_STATE": name}
            times = []
            for _ in range(2):
                begun = time.perf_counter()
                subprocess.run([sys.executable, "pipeline.py", "run"], cwd=ROOT, env=environment, capture_output=True, check=True)
                times.append(time.perf_counter() - begun)
            subprocess.run([sys.executable, "pipeline.py", "stop"], cwd=ROOT, env=environment, capture_output=True, check=True)
            remove_server(Path(name))
        pairs.append(times)
    first, second = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(again / begun for begun, again in pairs)
    print(f"second run    first {first:.1f} s, unchanged second {second:.1f} s; ratio {ratio:.2f} (at most 0.4)")


if __name__ == "__main__":
    if sys.argv[1:2] == ["memory"]:
        memory(sys.argv[2])
    else:
        was_up = server.running() is not None
        state_root().mkdir(parents=True, exist_ok=True)
        landing()
        second_run()
        if not was_up:
            server.stop()
