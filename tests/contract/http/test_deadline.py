"""An agency that answers a byte at a time is waited for as long as is declared, whatever it drips."""

from __future__ import annotations

import socket
import threading
import time
from pathlib import Path

import pytest

from extractors.archive import Archive, Request
from extractors.http import LiveTransport
from extractors.polite import FetchError
from tests.agency import Agency, Reply
from tests.contract.http.asking import DATASET, Ask, nothing_archived, source_at

SLOW = b"x" * 10_000


@pytest.mark.parametrize(
    ("reply", "found"),
    [
        (Reply(body=SLOW, block=1, pause=0.05), r"no whole answer within 0.5 s"),
        (Reply(body=SLOW, block=1, pause=0.05, announced=-1), r"no whole answer within 0.5 s.* bytes, and no end"),
        (Reply(raw=b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 10_000, block=1, pause=0.05), r"no whole answer within 0.5 s"),
        (Reply(404, body=SLOW, block=1, pause=0.05), r"no whole answer within 0.5 s; at last status 404, expected 200"),
        (Reply(503, body=SLOW, block=1, pause=0.05), r"no whole answer within 0.5 s; at last status 503, expected 200"),
    ],
    ids=["body", "body without length", "headers", "body of a 404", "body of a 503"],
)
def test_a_slow_drip_ends_in_time(agency: Agency, archive: Archive, ask: Ask, reply: Reply, found: str) -> None:
    agency.plays(reply)
    begun = time.monotonic()
    with pytest.raises(FetchError, match=f"{found}.*http.deadline_seconds in extractors/iom/source.yml"):
        ask(deadline_seconds=0.5, min_interval_seconds=0.01)
    assert 0.4 < time.monotonic() - begun < 5
    assert len(agency.seen) == 1
    assert nothing_archived(archive)


def test_the_time_is_that_of_all_tries(agency: Agency, ask: Ask) -> None:
    agency.plays(*[Reply(503, delay=0.3)] * 3)
    with pytest.raises(FetchError, match=r"no whole answer within 0\.5 s"):
        ask(deadline_seconds=0.5)
    assert len(agency.seen) == 2


def test_a_wait_between_tries_is_not_the_agencys_time(agency: Agency, ask: Ask) -> None:
    agency.plays(Reply(503, headers={"Retry-After": "1"}), Reply(body=b"[]"))
    assert ask(deadline_seconds=0.5).size_bytes == 2


def test_each_question_of_a_delivery_has_a_time_of_its_own(agency: Agency, archive: Archive) -> None:
    agency.plays(*[Reply(body=b"[1]", delay=0.3)] * 3, Reply(body=SLOW, block=1, pause=0.05))
    transport = LiveTransport(archive, source_at(agency.url, deadline_seconds=0.5), DATASET)
    for year in range(3):
        transport.ask(Request("GET", f"{agency.url}/{year}"))
    with pytest.raises(FetchError, match=r"no whole answer within 0\.5 s"):
        transport.ask(Request("GET", f"{agency.url}/slow"))
    agency.plays(Reply(body=b"[2]"))
    assert transport.ask(Request("GET", f"{agency.url}/again")).size_bytes == 3


def test_a_handshake_that_drips_ends_in_time(archive: Archive) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        ended = threading.Event()

        def drip() -> None:
            line, _ = server.accept()
            with line:
                # the beginning of a record of 16 kB, as a server's hello comes
                for byte in b"\x16\x03\x03\x40\x00" + b"\x02" * 10_000:
                    try:
                        line.sendall(bytes([byte]))
                    except OSError:
                        return
                    if ended.wait(0.05):
                        return

        threading.Thread(target=drip, daemon=True).start()
        address = f"https://127.0.0.1:{server.getsockname()[1]}"
        begun = time.monotonic()
        with pytest.raises(FetchError, match=r"no whole answer within 0\.5 s"):
            LiveTransport(archive, source_at(address, deadline_seconds=0.5), DATASET).ask(Request("GET", f"{address}/x"))
        assert time.monotonic() - begun < 5
        ended.set()


def test_no_connection_is_held_beyond_its_question(agency: Agency, archive: Archive) -> None:
    handles = Path("/proc/self/fd")
    if not handles.is_dir():
        pytest.skip("NOT TESTED: no /proc on this system")
    transport = LiveTransport(archive, source_at(agency.url), DATASET)
    before = len(list(handles.iterdir()))
    for number in range(20):
        agency.plays(Reply(body=b"[]"))
        transport.ask(Request("GET", f"{agency.url}/{number}"))
    assert len(list(handles.iterdir())) < before + 10
