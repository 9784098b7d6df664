"""`make bench`: ratios measured in one run, medians of interleaved pairs, processor time beside walls. No timed test: a person reads them.

landing          1,000,000 UIS observations from archived JSON bytes to commit, parsing and counting included, against the
                 server's own COPY FROM of the same rows as CSV into the same table; workbooks and a CSV of the bundled archive, landed, and
                 read alone: a delivery of many slices costs what its releases do
memory           peak of the process that lands the million, by the kernel's high-water mark
asked            questions of a dashboard as `bi_reader` and of DuckDB, of the sample and of a million rows
second run       `make run` that finds nothing new against the first, and the first against its steps called directly
growth           one further release of 10,000 rows beside 0.1 M and 1 M (`KOSHI_BENCH_EDITIONS=1000`: 10 M) raw rows
publishing       gates, a publication and a rollback by themselves

docs/performance.md holds the last numbers, and what each should be.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from extractors.archive import Archive, Snapshot
from extractors.landing import land, parse
from extractors.source import load_source
from extractors.uis.client import requests, version_request
from tests.bench.growth import grown
from tests.bench.publishing import published
from tests.servers import remove_server
from warehouse import migrate, server
from warehouse.connection import connect, drop_database
from warehouse.journal import Journal
from warehouse.profile import BUNDLED_ARCHIVE, ROOT, Profile, state_root

ROWS, PAIRS = 1_000_000, int(os.environ.get("KOSHI_BENCH_PAIRS", "3"))
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
    print(f"landing       {ROWS:,} rows: {ours:.2f} s; the server's own COPY {theirs:.2f} s; {ratio:.2f} of its speed")
    print(f"memory        peak while landing {ROWS:,} rows: {peak} MB")


def memory(name: str) -> None:
    """Lands the million once and prints this process's peak of resident memory in MB."""
    folder = Path(name)
    archive = Archive(str(folder / "archive"))
    delivery = archive.deliveries("uis", DATASET)[0]
    _land(folder, archive, archive.snapshots("uis", DATASET, delivery))
    # a child inherits its parent's `ru_maxrss`; the kernel's mark is of this program
    (peak,) = re.findall(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())
    print(int(peak) // 1024)


SHAPES = (
    ("workbook, UN DESA", "undesa", "stock_by_destination_and_origin", "20250127T000000+0000"),
    ("workbook, bureau", "bns", "population", "20230719T043156+0000"),
    ("csv", "iom", "missing_migrants", "20250930T000000+0000"),
)


def shapes() -> None:
    """Prints how fast rows of workbooks and of a CSV land and are read, beside those of JSON in the same minute."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        archive, snapshots = _archive(folder / "archive")
        for shape, code, dataset, delivery in SHAPES:
            pairs = [(_land_bundled(code, dataset, delivery), ROWS / _land(folder, archive, snapshots)) for _ in range(PAIRS)]
            ours, json_rates = zip(*pairs, strict=True)
            rows, slices, landed, read = (statistics.median(column) for column in zip(*ours, strict=True))
            landed_share, read_share = (statistics.median(mine[at] / rate for mine, rate in pairs) for at in (2, 3))
            print(
                f"{shape:17} {rows:,} rows in {slices} slices: landed {landed:,.0f} rows/s, {landed_share:.2f} of JSON"
                f" ({statistics.median(json_rates):,.0f}); read {read:,.0f} rows/s, {read_share:.2f}"
            )


def _land_bundled(code: str, dataset: str, delivery: str) -> tuple[int, int, float, float]:
    """Rows, slices, and rows a second from bytes to commit and from bytes to lines of CSV."""
    source, archive = load_source(code), Archive(str(BUNDLED_ARCHIVE))
    snapshots = archive.snapshots(code, dataset, delivery)
    with tempfile.TemporaryDirectory() as name:
        profile = _fresh(Path(name))
        begun = time.perf_counter()
        with connect(profile, "koshi_loader") as connection:
            landed = land(connection, Journal(profile.journal), archive, source, dataset, snapshots)
        took = time.perf_counter() - begun
    begun = time.perf_counter()
    parsed = parse(code, source.dataset(dataset), archive, snapshots)
    rows = sum(len(block.lines) for each in parsed.slices for block in parsed.blocks(each))
    return landed.rows, len(landed.slices), landed.rows / took, rows / (time.perf_counter() - begun)


def second_run() -> None:
    """Prints what a run that finds nothing new costs beside the first, and the first beside what its steps take; then what it is asked."""
    pairs, shares = [], []
    for number in range(PAIRS):
        with tempfile.TemporaryDirectory() as name:
            environment = dict(os.environ) | {"KOSHI_STATE": name, "KOSHI_EXPORT": "0"}
            spent = []
            for _ in range(2):
                before, begun = _children(), time.perf_counter()
                subprocess.run([sys.executable, "pipeline.py", "run"], cwd=ROOT, env=environment, capture_output=True, check=True)
                spent.append((time.perf_counter() - begun, _children() - before))
                told = json.loads((Path(name) / "sample" / "run.json").read_text("utf-8"))
                shares.append((len(spent), sum(value for key, value in told["seconds"].items() if "." not in key) / spent[-1][0]))
            if number == PAIRS - 1:
                subprocess.run([sys.executable, "-m", "tests.bench.asked"], cwd=ROOT, env=environment, check=True)
            subprocess.run([sys.executable, "pipeline.py", "stop"], cwd=ROOT, env=environment, capture_output=True, check=True)
            remove_server(Path(name))
        pairs.append(spent)
    (first, cpu), (second, again) = (map(statistics.median, zip(*column, strict=True)) for column in zip(*pairs, strict=True))
    print(f"second run    first {first:.1f} s ({cpu:.1f} CPU-s), unchanged second {second:.1f} s ({again:.1f}); {again / cpu:.2f} of it")
    own = statistics.median(share for number, share in shares if number == 1)
    print(f"orchestration the steps of Koshi take {own:.2f} of the first run; the rest is Python's imports and Airflow")


def _children() -> float:
    """Processor seconds of the processes that this one has waited for; the server is none of them."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    if sys.argv[1:2] == ["memory"]:
        memory(sys.argv[2])
    else:
        was_up = server.running() is not None
        state_root().mkdir(parents=True, exist_ok=True)
        landing()
        shapes()
        second_run()
        grown()
        published()
        if not was_up:
            server.stop()
