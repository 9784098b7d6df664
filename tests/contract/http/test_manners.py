"""Who asks, at which intervals, and what is tried again."""

from __future__ import annotations

import datetime
from email.utils import format_datetime
from pathlib import Path

import pytest

from extractors.archive import Archive, Request
from extractors.http import LiveTransport
from extractors.polite import FetchError
from tests.agency import Agency, Reply
from tests.contract.http.asking import DATASET, Ask, nothing_archived, source_at


def test_says_who_asks_and_whom_to_write_to(agency: Agency, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    agency.plays(Reply(), Reply())
    ask()
    monkeypatch.setenv("KOSHI_CONTACT", "statistics@example.org")
    ask()
    assert [seen.headers["user-agent"] for seen in agency.seen] == [
        "Koshi (migration statistics warehouse)",
        "Koshi (migration statistics warehouse; statistics@example.org)",
    ]


@pytest.mark.parametrize("contact", ["a@example.org\r\nX-More: 1", "отдел статистики"])
def test_a_contact_that_no_header_can_carry_is_named(ask: Ask, monkeypatch: pytest.MonkeyPatch, contact: str) -> None:
    monkeypatch.setenv("KOSHI_CONTACT", contact)
    with pytest.raises(ValueError, match="KOSHI_CONTACT"):
        ask()


def test_bureau_is_asked_as_its_own_pages_ask(agency: Agency, archive: Archive) -> None:
    agency.plays(Reply())
    LiveTransport(archive, source_at(agency.url, "bns"), "external_arrivals").ask(Request("POST", f"{agency.url}/x"))
    [seen] = agency.seen
    assert seen.headers["user-agent"] == "Mozilla/5.0 (compatible; Koshi (migration statistics warehouse))"
    assert seen.headers["x-requested-with"] == "XMLHttpRequest"


def test_cookies_end_with_the_delivery(agency: Agency, archive: Archive) -> None:
    agency.plays(Reply(headers={"Set-Cookie": "session=1; Path=/"}), Reply(), Reply())
    first = LiveTransport(archive, source_at(agency.url), DATASET)
    for transport in (first, first, LiveTransport(archive, source_at(agency.url, "uis"), "outbound_totals")):
        transport.ask(Request("GET", f"{agency.url}/x"))
    assert [seen.headers.get("cookie") for seen in agency.seen] == [None, "session=1", None]


def test_credentials_of_the_machine_stay_at_home(agency: Agency, ask: Ask, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password mine\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    agency.plays(Reply())
    ask()
    assert "authorization" not in agency.seen[0].headers


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_trouble_that_passes_is_tried_again(agency: Agency, archive: Archive, ask: Ask, status: int) -> None:
    agency.plays(Reply(status), Reply(status), Reply(body=b"[]"))
    assert archive.body(ask()) == b"[]"
    assert len(agency.seen) == 3


def test_trouble_that_stays_ends_after_the_declared_tries(agency: Agency, archive: Archive, ask: Ask) -> None:
    agency.plays(*[Reply(500, "<html>Индекс за пределами диапазона</html>".encode())] * 3)
    with pytest.raises(FetchError, match="status 500, expected 200; the answer begins '<html>Индекс за пределами") as raised:
        ask(method="POST", form=(("p_measure_id", "1"),))
    assert (len(agency.seen), raised.value.status) == (3, 500)
    assert nothing_archived(archive)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 414, 204, 304])
def test_a_refusal_is_never_repeated(agency: Agency, archive: Archive, ask: Ask, status: int) -> None:
    agency.plays(Reply(status, b"" if status in (204, 304) else b'{"message": "Too much data requested"}'))
    with pytest.raises(FetchError, match=f"status {status}, expected 200"):
        ask()
    assert len(agency.seen) == 1
    assert nothing_archived(archive)


def test_waits_grow_with_every_try(agency: Agency, ask: Ask) -> None:
    agency.plays(Reply(503), Reply(503), Reply())
    ask(backoff_seconds=0.2)
    first, second = agency.gaps()
    assert first >= 0.2 and second >= 0.4


@pytest.mark.parametrize("as_date", [False, True])
def test_retry_after_is_honoured(agency: Agency, ask: Ask, as_date: bool) -> None:
    # a date has whole seconds, so one that lies two seconds ahead is between one and two away
    soon = format_datetime(datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=2), usegmt=True)
    agency.plays(Reply(429, headers={"Retry-After": soon if as_date else "1"}), Reply())
    ask()
    assert agency.gaps()[0] >= 0.8


def test_a_wait_of_hours_is_left_to_another_run(agency: Agency, ask: Ask) -> None:
    agency.plays(Reply(429, headers={"Retry-After": "7200"}))
    with pytest.raises(FetchError, match=r"asked to wait 7200 s. Run again after that time"):
        ask()
    assert len(agency.seen) == 1


def test_nonsense_in_retry_after_does_not_matter(agency: Agency, ask: Ask) -> None:
    agency.plays(Reply(503, headers={"Retry-After": "soon"}), Reply())
    ask()
    assert len(agency.seen) == 2


def test_a_slow_answer_is_tried_again_and_then_told(agency: Agency, archive: Archive, ask: Ask) -> None:
    agency.plays(Reply(delay=3), Reply(delay=3))
    with pytest.raises(FetchError, match="Read timed out"):
        ask(read_timeout_seconds=0.2, tries=2)
    assert len(agency.seen) == 2
    assert nothing_archived(archive)


def test_half_an_answer_is_no_answer(agency: Agency, archive: Archive, ask: Ask) -> None:
    agency.plays(Reply(body=b"[1, 2", announced=100), Reply(body=b"[1, 2]"))
    assert archive.body(ask()) == b"[1, 2]"
    agency.plays(*[Reply(body=b"[1, 2", announced=100)] * 3)
    with pytest.raises(FetchError, match="IncompleteRead"):
        ask()
    assert len(archive.deliveries("iom", DATASET)) == 1


def test_nobody_at_home(agency: Agency, archive: Archive, ask: Ask) -> None:
    agency.stop()
    with pytest.raises(FetchError, match=r"Connection refused.*Run again later; it was tried up to 2 times"):
        ask(tries=2)
    assert nothing_archived(archive)


def test_one_source_is_asked_at_intervals_whatever_dataset_asks(agency: Agency, archive: Archive) -> None:
    agency.plays(Reply(503), *[Reply()] * 4)
    for dataset in ("external_arrivals", "external_departures"):
        transport = LiveTransport(archive, source_at(agency.url, "bns", min_interval_seconds=0.3), dataset)
        for page in range(2):
            transport.ask(Request("GET", f"{agency.url}/{dataset}/{page}"))
    assert len(agency.seen) == 5
    assert min(agency.gaps()) >= 0.28


def test_sources_do_not_wait_for_each_other(agency: Agency, archive: Archive) -> None:
    agency.plays(Reply(), Reply())
    for code, dataset in (("uis", "outbound_totals"), ("undesa", "stock_by_destination")):
        LiveTransport(archive, source_at(agency.url, code, min_interval_seconds=5.5), dataset).ask(Request("GET", f"{agency.url}/x"))
    assert agency.gaps()[0] < 5
