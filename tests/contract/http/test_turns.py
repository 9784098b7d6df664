"""The turn of a source: asked at intervals and one question at a time, whatever process or thread asks, and whatever becomes of it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time

import pytest
from filelock import FileLock
from pyrate_limiter import Rate

from extractors import turns
from extractors.archive import Archive, Request
from extractors.http import LiveTransport
from extractors.polite import FetchError
from tests.agency import Agency, Reply
from tests.contract.http.asking import source_at
from warehouse.profile import ROOT, state_root

INTERVAL = 0.3
# the server's clock is not the one that the bucket reads, and the bucket reads whole milliseconds
TOLERANCE = 0.01
CHILD = """
import sys, threading
from extractors.archive import Archive, Request
from extractors.http import LiveTransport
from tests.contract.http.asking import source_at

url, folder, interval = sys.argv[1], sys.argv[2], float(sys.argv[3])

def ask(dataset):
    transport = LiveTransport(Archive(folder), source_at(url, "bns", min_interval_seconds=interval), dataset)
    for page in range(2):
        transport.ask(Request("GET", f"{url}/{dataset}/{page}"))

threads = [threading.Thread(target=ask, args=(dataset,)) for dataset in sys.argv[4:]]
print("ready", flush=True)
sys.stdin.readline()
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


def _process(agency: Agency, archive: Archive, *datasets: str) -> subprocess.Popen[str]:
    """Another process, which stands ready to ask two questions for each dataset, each dataset in a thread of its own."""
    arguments = [sys.executable, "-c", CHILD, agency.url, archive.root, str(INTERVAL), *datasets]
    process = subprocess.Popen(arguments, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout and process.stdout.readline() == "ready\n"
    return process


def _begin(*processes: subprocess.Popen[str]) -> None:
    for process in processes:
        assert process.stdin
        process.stdin.write("\n")
        process.stdin.flush()


def _ask(agency: Agency, archive: Archive, dataset: str = "population") -> None:
    LiveTransport(archive, source_at(agency.url, "bns", min_interval_seconds=INTERVAL), dataset).ask(Request("GET", f"{agency.url}/x"))


def test_processes_and_threads_of_one_source_keep_the_interval_between_them(agency: Agency, archive: Archive) -> None:
    agency.plays(*[Reply()] * 8)
    pairs = (("external_arrivals", "external_departures"), ("population", "births"))
    processes = [_process(agency, archive, *datasets) for datasets in pairs]
    _begin(*processes)
    assert [process.wait() for process in processes] == [0, 0]
    assert len(agency.seen) == 8
    assert min(agency.gaps()) >= INTERVAL - TOLERANCE


def test_one_question_at_a_time_however_long_its_answer_takes(agency: Agency, archive: Archive) -> None:
    slow = 4 * INTERVAL
    agency.plays(*[Reply(delay=slow)] * 4)
    processes = [_process(agency, archive, dataset) for dataset in ("external_arrivals", "births")]
    _begin(*processes)
    assert [process.wait() for process in processes] == [0, 0]
    assert min(agency.gaps()) >= slow + INTERVAL - TOLERANCE


def test_a_process_killed_while_it_asks_gives_its_turn_back(agency: Agency, archive: Archive) -> None:
    agency.plays(Reply(delay=600), Reply())
    process = _process(agency, archive, "external_arrivals")
    _begin(process)
    while not agency.seen:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    _ask(agency, archive)
    assert len(agency.seen) == 2


def test_a_process_that_stands_is_named_instead_of_waited_for(agency: Agency, archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "PATIENCE_SECONDS", 0.2)
    held, done = threading.Event(), threading.Event()

    def stand() -> None:
        folder = state_root() / "turns"
        folder.mkdir(exist_ok=True)
        with FileLock(f"{folder / 'bns.sqlite'}.lock"):
            held.set()
            done.wait()

    standing = threading.Thread(target=stand)
    standing.start()
    held.wait()
    with pytest.raises(
        FetchError, match=r"bns\.population: GET .*held the turn of bns for 0 s\. End the process that has .*bns\.sqlite\.lock"
    ):
        _ask(agency, archive)
    done.set()
    standing.join()
    assert agency.seen == []


def test_a_clock_that_was_set_back_costs_one_interval(agency: Agency, archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    agency.plays(Reply(), Reply())
    hours_ahead = time.time_ns() // 1_000_000 + 5 * 3_600_000
    with monkeypatch.context() as patch:
        patch.setattr(turns, "_now", lambda: hours_ahead)
        _ask(agency, archive)
    wait = turns._wait(state_root() / "turns" / "bns.sqlite", Rate(1, round(INTERVAL * 1000)))
    assert 0 < wait <= INTERVAL + 0.001
    _ask(agency, archive)
    assert len(agency.seen) == 2


def test_the_state_folder_may_be_removed_while_an_answer_is_awaited(agency: Agency, archive: Archive) -> None:
    agency.plays(Reply(delay=INTERVAL), Reply())
    asking = threading.Thread(target=_ask, args=(agency, archive))
    asking.start()
    while not agency.seen:
        time.sleep(0.01)
    shutil.rmtree(state_root() / "turns")
    asking.join()
    _ask(agency, archive, "births")
    assert [delivery for name in ("population", "births") for delivery in archive.deliveries("bns", name)] != []
    assert min(agency.gaps()) >= 2 * INTERVAL - TOLERANCE


def test_a_bucket_that_cannot_be_read_is_named(agency: Agency, archive: Archive) -> None:
    file = state_root() / "turns" / "bns.sqlite"
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(b"no bucket" * 1000)
    with pytest.raises(FetchError, match=r"bns\.sqlite cannot be read: .*\. Remove it, then run again"):
        _ask(agency, archive)
    file.unlink()
    agency.plays(Reply())
    _ask(agency, archive)
    assert len(agency.seen) == 1
