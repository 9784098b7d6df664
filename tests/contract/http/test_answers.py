"""What is kept of an answer, how much of it is taken, and what a failure says."""

from __future__ import annotations

import datetime
import gzip
import time
import traceback

import pytest

from extractors.archive import Archive, Request
from extractors.http import LiveTransport
from extractors.polite import FetchError
from tests.agency import Agency, Reply
from tests.contract.http.asking import DATASET, Ask, nothing_archived, source_at


def test_every_answer_is_archived_with_all_that_must_be_known_of_it(agency: Agency, archive: Archive) -> None:
    agency.plays(Reply(body=b"[1]", headers={"Content-Type": "application/json; charset=utf-8"}), Reply(body=b"[2]"))
    before = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    transport = LiveTransport(archive, source_at(agency.url), DATASET)
    asked = [transport.ask(Request("GET", f"{agency.url}/{year}")) for year in (2018, 2019)]
    assert [transport.body(snapshot) for snapshot in asked] == [b"[1]", b"[2]"]
    [delivery] = archive.deliveries("iom", DATASET)
    kept = archive.snapshots("iom", DATASET, delivery)
    assert kept == asked
    assert [snapshot.manifest.rpartition("/")[2][:4] for snapshot in kept] == ["001_", "002_"]
    first = kept[0]
    assert (first.capture, first.status, first.content_type, first.size_bytes) == ("live", 200, "application/json; charset=utf-8", 3)
    assert first.delivery == transport.delivery
    assert datetime.datetime.fromisoformat(first.delivery) >= before
    assert first.delivery.endswith("+00:00") and "." not in first.delivery
    assert datetime.datetime.fromisoformat(first.retrieved_at) >= datetime.datetime.fromisoformat(first.delivery)
    assert first.licence.startswith("CC BY IGO (http")
    assert first.attribution == f"Source: IOM Missing Migrants Project, https://missingmigrants.iom.int, retrieved {first.delivery[:10]}"


def test_two_deliveries_never_share_a_name(agency: Agency, archive: Archive) -> None:
    agency.plays(Reply(body=b"[1]"), Reply(body=b"[2]"))
    for _ in range(2):
        LiveTransport(archive, source_at(agency.url), DATASET).ask(Request("GET", f"{agency.url}/x"))
    assert len(archive.deliveries("iom", DATASET)) == 2


@pytest.mark.parametrize("body", [b"", b"<!DOCTYPE html><html>Access denied</html>"])
def test_status_200_is_archived_whatever_it_says(agency: Agency, archive: Archive, ask: Ask, body: bytes) -> None:
    agency.plays(Reply(body=body, headers={"Content-Type": "text/html"}))
    assert archive.body(ask()) == body


def test_question_arrives_as_the_client_wrote_it(agency: Agency, ask: Ask) -> None:
    params, form = (
        (("indicator", "A"), ("indicator", "B"), ("empty", "")),
        (("p_parent_id", ""), ("filter", '[{"property":null}]'), ("имя", "ж")),
    )
    agency.plays(Reply(), Reply())
    ask(params=params)
    ask(method="POST", form=form)
    assert [(seen.request.params, seen.request.form) for seen in agency.seen] == [(params, ()), ((), form)]


def test_an_announced_excess_is_not_read(agency: Agency, archive: Archive, ask: Ask) -> None:
    agency.plays(Reply(body=b"x" * 1001))
    with pytest.raises(FetchError, match=r"larger than 1000 bytes.*http.max_bytes in extractors/iom/source.yml"):
        ask(max_bytes=1000)
    assert nothing_archived(archive)
    agency.plays(Reply(body=b"x" * 1000))
    assert ask(max_bytes=1000).size_bytes == 1000


def test_an_unannounced_excess_ends_the_reading(agency: Agency, ask: Ask) -> None:
    agency.plays(Reply(body=b"x" * 5_000_000, announced=-1))
    with pytest.raises(FetchError, match="larger than 100000 bytes"):
        ask(max_bytes=100_000)
    assert len(agency.seen) == 1


def test_a_packed_answer_is_kept_and_measured_unpacked(agency: Agency, archive: Archive, ask: Ask) -> None:
    packed = Reply(body=gzip.compress(b"x" * 100_000), headers={"Content-Encoding": "gzip"})
    agency.plays(packed, packed)
    assert archive.body(ask(max_bytes=100_000)) == b"x" * 100_000
    with pytest.raises(FetchError, match="larger than 99999 bytes"):
        ask(max_bytes=99_999)


def test_a_failure_names_everything_but_secrets(agency: Agency, ask: Ask) -> None:
    agency.plays(Reply(403, b"<html>\n  Forbidden   " + b"x" * 5000))
    with pytest.raises(FetchError) as raised:
        ask("/v4/data", params=(("apiKey", "s3cret"), ("year", "2018")))
    told = str(raised.value)
    assert told.startswith(f"iom.missing_migrants: GET {agency.url}/v4/data {{'apiKey': '***', 'year': '2018'}}: status 403")
    assert "the answer begins '<html> Forbidden xxx" in told and len(told) < 900
    assert "KOSHI_CONTACT" in told and "http.headers in extractors/iom/source.yml" in told and "KOSHI_DROPIN_IOM" in told
    assert (raised.value.source, raised.value.dataset, raised.value.status) == ("iom", DATASET, 403)
    assert raised.value.url == f"{agency.url}/v4/data"


def test_no_trace_of_a_failure_holds_a_secret(agency: Agency, ask: Ask) -> None:
    secret = str(time.monotonic_ns())
    agency.stop()
    with pytest.raises(FetchError) as raised:
        ask(params=(("apiKey", secret),))
    assert secret not in "".join(traceback.format_exception(raised.value))
