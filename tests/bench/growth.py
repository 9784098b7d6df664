"""What one further release of 10,000 rows costs, in a warehouse of 0.1 M and of 1 M raw rows: processor time of Koshi and of its server.

The warehouse has one dataset, students to Kazakhstan, in so many synthetic editions, which have landed without a gate.
"""

from __future__ import annotations

import hashlib
import json
import os
import statistics
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import psutil

from expectations.intake import take_in
from expectations.settle import settle
from extractors.archive import Archive, Snapshot
from extractors.source import load_source
from extractors.uis.client import requests, version_request
from tests.small import land_all
from tests.state import read
from warehouse import migrate, server
from warehouse.connection import drop_database
from warehouse.profile import Profile

DATASET = "students_to_kazakhstan"
YEARS = range(1981, 2026)
# releases that come one after the other
FURTHER = 3


def deliver(archive: Archive, number: int) -> None:
    """Edition `number` of 9,765 observations, of which one is another in each edition."""
    source = load_source("uis")
    name, day = (
        f"2026{number // 28 + 1:02d}{number % 28 + 1:02d}-0000be9c",
        f"20{26 + number // 336}-{number // 28 % 12 + 1:02d}-{number % 28 + 1:02d}",
    )
    version = {"version": name, "publicationDate": f"{day}T00:00:00Z", "description": "synthetic", "themeDataStatus": []}
    asked = [*requests(source, source.dataset(DATASET), name), version_request(source)]
    for place, request in enumerate(asked, 1):
        codes = [value for key, value in request.params if key == "indicator"]
        body = json.dumps(
            {"hints": [], "records": [_record(code, year, number) for code in codes for year in YEARS], "indicatorMetadata": []}
            if codes
            else version
        )
        archive.write(
            Snapshot(
                source="uis", dataset=DATASET, delivery=f"{day}T00:00:00+00:00", request=request,
                sha256=hashlib.sha256(body.encode()).hexdigest(), size_bytes=len(body), retrieved_at=f"{day}T00:00:00+00:00", status=200,
                content_type="application/json", capture="reconstructed", licence="none", attribution="none", note="synthetic: a benchmark",
            ),
            body.encode(), place,
        )  # fmt: skip


def _record(code: str, year: int, number: int) -> dict[str, object]:
    value = int(code) % 1000 + year + (number if (code, year) == ("26422", 2000) else 0)
    return {"indicatorId": code, "geoUnit": "KAZ", "year": year, "value": value, "magnitude": None, "qualifier": None}


def cpu() -> float:
    """Processor seconds of this process and of the server's processes that live."""
    postmaster = psutil.Process(int((Path(server.start().data) / "postmaster.pid").read_text().splitlines()[0]))
    # what has ended is in its parent's account once it was waited for
    while True:
        with suppress(psutil.NoSuchProcess):  # a session ended just now: its time is in the next look
            times = [process.cpu_times() for process in (psutil.Process(), postmaster, *postmaster.children())]
            break
    return sum(t.user + t.system for t in times) + sum(t.children_user + t.children_system for t in times[:2])


def grow(editions: int) -> tuple[float, float, int]:
    """What one further release costs where so many editions are published: seconds of processor and wall, and bytes."""
    with tempfile.TemporaryDirectory() as name:
        profile = Profile("sample", f"{name}/archive", f"{name}/journal", Path(name) / "state", "koshi_bench")
        drop_database(profile)
        migrate.to_head(profile)
        for number in range(editions):
            deliver(Archive(profile.archive), number)
        land_all(profile, load_source("uis"), DATASET)
        costs = []
        for number in range(editions, editions + FURTHER):
            settle(profile)
            deliver(Archive(profile.archive), number)
            before, begun, held = cpu(), time.perf_counter(), _size(profile)
            took, settled = take_in(profile, "uis", DATASET), settle(profile)
            if settled.outcome != "published":
                raise RuntimeError(f"{took.happened}; {settled.outcome}: {' | '.join(settled.reasons)}")
            costs.append((cpu() - before, time.perf_counter() - begun, _size(profile) - held))
        drop_database(profile)
    seconds, walls, held_more = zip(*costs, strict=True)
    return statistics.median(seconds), statistics.median(walls), int(statistics.median(held_more))


def _size(profile: Profile) -> int:
    ((size,),) = read(profile, "select pg_database_size(current_database())")
    return int(str(size))


def grown() -> None:
    """Prints the cost of a further release in a small and in a large warehouse, and their ratio."""
    sizes = [10, 100, *map(int, filter(None, os.environ.get("KOSHI_BENCH_EDITIONS", "").split(",")))]
    seconds, wall, more = zip(*map(grow, sizes), strict=True)
    for number, editions in enumerate(sizes):
        ratio = f"; {seconds[number] / seconds[0]:.2f} of the first" if number else ""
        size = f"{editions * len(YEARS) * 217 / 1e6:.1f} M raw rows"
        print(f"growth        beside {size}: {seconds[number]:.1f} CPU-s, {wall[number]:.1f} s, {more[number] / 1e6:.1f} MB{ratio}")


if __name__ == "__main__":
    grown()
