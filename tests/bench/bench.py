"""`make bench`: ratios measured in one run, medians of interleaved pairs, processor time beside walls. No timed test: a person reads them.

landing          1,000,000 UIS observations from archived JSON bytes to commit, parsing and counting included, against the
                 server's own COPY FROM of the same rows as CSV into the same table, by the clock and in processor time of both sides;
                 and the peak of memory of a process that lands them and does nothing else, by the kernel's high-water mark
shapes           workbooks and a CSV of the bundled archive, landed, and read alone, in processor time: a delivery of many slices costs
                 what its releases do
second_run       `make run` that finds nothing new against the first, and the first against its steps called directly; then questions of
                 a dashboard as `bi_reader` and of DuckDB
live_run         a live run in which every agency is asked and none has anything new, against the first one
grown            one further release of 10,000 rows beside 0.1 M and 1 M (`KOSHI_BENCH_EDITIONS=1000`: 10 M) raw rows
published        gates, a publication and a rollback by themselves

`python -m tests.bench.bench landing shapes` measures these two. docs/performance.md holds the last numbers, and what each should be.
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
from extractors.landing import parse
from extractors.source import load_source
from extractors.uis.client import requests, version_request
from tests.bench.growth import grown
from tests.bench.landed import DATASET, Spent, cpu, landed, million, profile_in
from tests.bench.publishing import published
from tests.e2e.test_agency_faults import BOUND_SECONDS, Agencies, Live
from tests.servers import remove_server
from warehouse import migrate, server
from warehouse.connection import connect, drop_database
from warehouse.profile import BUNDLED_ARCHIVE, ROOT, Profile, state_root

ROWS, PAIRS = 1_000_000, int(os.environ.get("KOSHI_BENCH_PAIRS", "3"))
VERSION = "20260101-0000be9c"
DELIVERED = "2026-01-01T00:00:00+00:00"


def _archive(folder: Path) -> None:
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
    for number, (request, body) in enumerate(zip(asked, (data, version.encode()), strict=True), 1):
        snapshot = Snapshot(
            source="uis", dataset=DATASET, delivery=DELIVERED, request=request, sha256=hashlib.sha256(body).hexdigest(),
            size_bytes=len(body), retrieved_at=DELIVERED, status=200, content_type="application/json", capture="reconstructed",
            licence="none", attribution="none", note="synthetic: a benchmark",
        )  # fmt: skip
        archive.write(snapshot, body, number)


def _fresh(folder: Path) -> Profile:
    shutil.rmtree(folder / "journal", ignore_errors=True)
    profile = profile_in(folder)
    drop_database(profile)
    migrate.to_head(profile)
    return profile


def _land(folder: Path) -> Spent:
    _fresh(folder)
    spent = million(folder)
    if spent.rows != ROWS:
        raise RuntimeError(f"{spent.rows} rows landed, expected {ROWS}")
    return spent


def _server_copy(folder: Path, file: Path) -> Spent:
    with connect(_fresh(folder)) as connection:
        begun, before = time.perf_counter(), cpu(connection)
        connection.execute(f"copy raw.uis_observation from '{file}' with (format csv)")
        connection.commit()
        return Spent(ROWS, 1, time.perf_counter() - begun, cpu(connection) - before)


def _dump(folder: Path) -> Path:
    """The rows that have landed as CSV, where the server's account can read them."""
    file = Path(server.start().data).parent / "bench.csv"
    with connect(profile_in(folder)) as connection, file.open("w", newline="") as target, connection.cursor(name="rows") as cursor:
        csv.writer(target).writerows(cursor.execute("select * from raw.uis_observation"))
    file.chmod(0o644)
    return file


def landing() -> None:
    """Prints the ratios of landing to the server's own COPY, and the peak of memory."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _archive(folder / "archive")
        _fresh(folder)
        alone = [sys.executable, "-m", "tests.bench.landed", name]
        peak = subprocess.run(alone, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()[-1]
        file = _dump(folder)
        pairs = [(_land(folder), _server_copy(folder, file)) for _ in range(PAIRS)]
        file.unlink()
        drop_database(profile_in(folder))
    for at, what in ((2, "s"), (3, "CPU-s")):
        ours, theirs = ([pair[side][at] for pair in pairs] for side in (0, 1))
        ratio = statistics.median(copy / mine for mine, copy in zip(ours, theirs, strict=True))
        print(
            f"landing       {ROWS:,} rows: {statistics.median(ours):.2f} {what}, the server's own COPY {statistics.median(theirs):.2f}:"
            f" {ratio:.2f} of its speed; at best {min(ours):.2f} and {min(theirs):.2f}: {min(theirs) / min(ours):.2f}"
        )
    print(f"memory        peak while landing {ROWS:,} rows: {peak} MB")


SHAPES = (
    ("workbook, UN DESA", "undesa", "stock_by_destination_and_origin", "20250127T000000+0000"),
    ("workbook, bureau", "bns", "population", "20230719T043156+0000"),
    ("csv", "iom", "missing_migrants", "20250930T000000+0000"),
)


def shapes() -> None:
    """Prints how many rows of workbooks and of a CSV land and are read in a processor second, beside those of JSON in the same minute."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _archive(folder / "archive")
        for shape, code, dataset, delivery in SHAPES:
            spent, _ = _land_bundled(code, dataset, delivery)  # what is imported once is no cost of a row
            rates = []
            for _ in range(PAIRS):
                spent, reading = _land_bundled(code, dataset, delivery)
                rates.append((spent.rows / spent.cpu, spent.rows / reading, ROWS / _land(folder).cpu))
            landing_rate, reading_rate, of_json = (statistics.median(column) for column in zip(*rates, strict=True))
            shares = [statistics.median(mine[at] / mine[2] for mine in rates) for at in (0, 1)]
            print(
                f"{shape:17} {spent.rows:,} rows in {spent.slices} slices: {landing_rate:,.0f} landed a CPU-s, {shares[0]:.2f} of JSON"
                f" ({of_json:,.0f}); {reading_rate:,.0f} read, {shares[1]:.2f}"
            )


def _land_bundled(code: str, dataset: str, delivery: str) -> tuple[Spent, float]:
    """What landing took, and seconds of processor from bytes to lines of CSV."""
    archive = Archive(str(BUNDLED_ARCHIVE))
    with tempfile.TemporaryDirectory() as name:
        _fresh(Path(name))
        spent = landed(Path(name), archive, code, dataset, delivery)
    before = cpu()
    parsed = parse(code, load_source(code).dataset(dataset), archive, archive.snapshots(code, dataset, delivery))
    rows = sum(len(block.lines) for each in parsed.slices for block in parsed.blocks(each))
    if rows != spent.rows:
        raise RuntimeError(f"{rows} rows were read, {spent.rows} landed")
    return spent, cpu() - before


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


def live_run() -> None:
    """Prints what a live run costs where no agency has anything new. Each is asked first; these answer at once, so that no wait counts."""
    agencies, spent = Agencies(), []
    with tempfile.TemporaryDirectory() as name:
        warehouse = Live(Path(name), agencies, agencies)
        try:
            for _ in range(2):
                before = _children()
                told = warehouse.command("run", seconds=BOUND_SECONDS)
                spent.append(_children() - before)
        finally:
            agencies.stop()
            warehouse.command("stop")
            remove_server(Path(name) / "state")
    if "nothing was rebuilt" not in told.stdout:
        raise RuntimeError(f"the second run was no unchanged one: {told.stdout}")
    first, second = spent
    print(f"live          first {first:.1f} CPU-s, a second that asks all and finds nothing new {second:.1f}; {second / first:.2f} of it")


def _children() -> float:
    """Processor seconds of the processes that this one has waited for; the server is none of them."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    parts = {part.__name__: part for part in (landing, shapes, second_run, live_run, grown, published)}
    was_up = server.running() is not None
    state_root().mkdir(parents=True, exist_ok=True)
    for wanted in sys.argv[1:] or parts:
        parts[wanted]()
    if not was_up:
        server.stop()
