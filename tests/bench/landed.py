"""Deliveries landed from archived bytes to commit: walls, processor time and memory of that alone.

As a program it lands the one delivery of a folder into a warehouse that is ready, imports nothing but what landing needs, and prints the
peak of its memory in MB.
"""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path
from typing import NamedTuple

from extractors.archive import Archive
from extractors.landing import land
from extractors.source import load_source
from warehouse.connection import Connection, connect
from warehouse.journal import Journal
from warehouse.profile import Profile

DATASET = "inbound_and_net_flow"


class Spent(NamedTuple):
    """What landing came to: rows and slices, seconds of wall, and seconds of processor of this process and of its session's."""

    rows: int
    slices: int
    wall: float
    cpu: float


def cpu(connection: Connection | None = None) -> float:
    """Processor seconds of this process, and of the server's process for the session."""
    theirs = Path(f"/proc/{connection.info.backend_pid}/schedstat").read_text().split()[0] if connection else 0
    return time.process_time() + int(theirs) / 1e9


def profile_in(folder: Path) -> Profile:
    """The warehouse of a bench's folder."""
    return Profile("sample", str(folder / "archive"), str(folder / "journal"), folder / "state", "koshi_bench")


def landed(folder: Path, archive: Archive, source_code: str, dataset: str, delivery: str) -> Spent:
    """Lands the delivery, session included. Raises `RuntimeError` if it cannot be read."""
    profile, source = profile_in(folder), load_source(source_code)
    snapshots = archive.snapshots(source_code, dataset, delivery)
    begun, before = time.perf_counter(), cpu()
    with connect(profile, "koshi_loader") as connection:
        found = land(connection, Journal(profile.journal), archive, source, dataset, snapshots)
        spent = Spent(found.rows, len(found.slices), time.perf_counter() - begun, cpu(connection) - before)
    if found.unreadable:
        raise RuntimeError(found.unreadable)
    return spent


def million(folder: Path) -> Spent:
    """Lands the one delivery of UIS observations that the folder's archive holds."""
    archive = Archive(str(folder / "archive"))
    return landed(folder, archive, "uis", DATASET, archive.deliveries("uis", DATASET)[0])


if __name__ == "__main__":
    million(Path(sys.argv[1]))
    # a child inherits its parent's `ru_maxrss`; the kernel's mark is of this program
    (peak,) = re.findall(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())
    print(int(peak) // 1024)
