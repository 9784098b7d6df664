"""How an agency is asked: every rule of politeness, patience and distrust, against a server on loopback."""

from __future__ import annotations

import datetime
import gzip
import ipaddress
import os
import ssl
import time
import traceback
from collections.abc import Callable, Iterator
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from extractors.archive import Archive, Request, Snapshot
from extractors.http import LiveTransport
from extractors.polite import FetchError
from extractors.source import HttpPolicy, Source, SourceError, at_configured_addresses, load_source
from tests.agency import Agency, Reply

DATASET = "missing_migrants"
Ask = Callable[..., Snapshot]


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy, bundle or contact of the machine that runs the tests."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "KOSHI_CA_BUNDLE", "KOSHI_CONTACT"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name in os.environ:
        if name.startswith(("KOSHI_BASE_URL_", "KOSHI_DROPIN_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.setenv("no_proxy", "127.0.0.1,localhost")


@pytest.fixture
def agency() -> Iterator[Agency]:
    server = Agency()
    yield server
    server.stop()


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(str(tmp_path / "archive"))


def source_at(url: str, code: str = "iom", **policy: Any) -> Source:
    """A source whose every base address is `url`, and who is asked without waiting unless the test says otherwise."""
    source = load_source(code)
    quick = {"min_interval_seconds": 0, "backoff_seconds": 0.01, "read_timeout_seconds": 5, "tries": 3}
    http = HttpPolicy(**{**source.http.model_dump(), **quick, **policy})
    return source.model_copy(update={"base_urls": dict.fromkeys(source.base_urls, url), "http": http})


@pytest.fixture
def ask(agency: Agency, archive: Archive) -> Ask:
    """One delivery of one question."""

    def one(path: str = "/data", *, base: str = "", method: str = "GET", params: Any = (), form: Any = (), **policy: Any) -> Snapshot:
        base = base or agency.url
        return LiveTransport(archive, source_at(base, **policy), DATASET).ask(Request(method, base + path, params, form))

    return one


def nothing_archived(archive: Archive) -> bool:
    return archive.deliveries("iom", DATASET) == [] and not Path(archive.root).exists()


# what is kept


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


# who asks


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


# what is tried again


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


# whose turn it is


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


# how much is taken


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


# where an answer may lie


def test_redirects_within_one_place_are_followed(agency: Agency, archive: Archive, ask: Ask) -> None:
    # the files of stat.gov.kz: 302, then the workbook
    agency.plays(Reply(302, b"x" * 100_000, {"Location": "/upload/6584.xlsx"}), Reply(body=b"PK"))
    snapshot = ask("/api/iblock/element/6584/file/ru/", min_interval_seconds=0.25)
    assert archive.body(snapshot) == b"PK"
    assert snapshot.request.url.endswith("/api/iblock/element/6584/file/ru/")
    assert agency.seen[1].request.url.endswith("/upload/6584.xlsx")
    assert agency.gaps()[0] >= 0.23


@pytest.mark.parametrize(
    "location", ["{other}/secret?token=1", "http://elsewhere.invalid/", "https://elsewhere.invalid/", "//elsewhere.invalid/"]
)
def test_redirects_to_a_foreign_place_are_refused(agency: Agency, archive: Archive, ask: Ask, location: str) -> None:
    other = Agency()
    agency.plays(Reply(302, headers={"Location": location.format(other=other.url)}))
    with pytest.raises(FetchError, match=r"redirected from GET to .*http.redirect_hosts") as raised:
        ask()
    other.stop()
    assert (len(agency.seen), other.seen) == (1, [])
    assert "token" not in str(raised.value)
    assert nothing_archived(archive)


def test_redirected_forms_are_refused(agency: Agency, ask: Ask) -> None:
    agency.plays(Reply(302, headers={"Location": "/login"}))
    with pytest.raises(FetchError, match="redirected from POST"):
        ask(method="POST", form=(("a", "1"),))
    assert len(agency.seen) == 1


def test_redirects_in_a_circle_end(agency: Agency, ask: Ask) -> None:
    agency.plays(*[Reply(302, headers={"Location": "/data"})] * 9)
    with pytest.raises(FetchError, match="TooManyRedirects"):
        ask()
    assert len(agency.seen) == 6


# whom to trust


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for loopback that only those trust who are told to."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "agency")])
    day = datetime.timedelta(days=1)
    today = datetime.datetime.now(datetime.UTC)
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("localhost")])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), today - day, today + day)
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path / "certificate.pem"
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM) + private)
    return file


@pytest.fixture
def secure(certificate: Path) -> Iterator[Agency]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = Agency(context)
    yield server
    server.stop()


def test_an_unknown_certificate_is_refused_at_once(secure: Agency, archive: Archive, ask: Ask) -> None:
    with pytest.raises(FetchError, match=r"CERTIFICATE_VERIFY_FAILED.*KOSHI_CA_BUNDLE.*verification stays on"):
        ask(base=secure.url, backoff_seconds=60)
    assert nothing_archived(archive)


@pytest.mark.parametrize("variable", ["KOSHI_CA_BUNDLE", "REQUESTS_CA_BUNDLE"])
def test_a_bundle_can_be_named(
    secure: Agency, archive: Archive, ask: Ask, certificate: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, str(certificate))
    secure.plays(Reply(body=b"[]"))
    assert archive.body(ask(base=secure.url)) == b"[]"


def test_our_own_bundle_comes_first(secure: Agency, ask: Ask, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KOSHI_CA_BUNDLE", str(certificate))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere.pem")
    secure.plays(Reply())
    assert ask(base=secure.url).status == 200


def test_a_bundle_that_is_not_there_is_named(secure: Agency, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KOSHI_CA_BUNDLE", "/nowhere.pem")
    with pytest.raises(FetchError, match=r"/nowhere\.pem.*KOSHI_"):
        ask(base=secure.url)


def test_redirects_to_a_declared_host_are_followed_over_https(
    agency: Agency, secure: Agency, archive: Archive, ask: Ask, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KOSHI_CA_BUNDLE", str(certificate))
    location = {"Location": f"https://localhost:{secure.server_port}/file"}
    agency.plays(Reply(302, headers=location), Reply(302, headers=location))
    secure.plays(Reply(body=b"PK"))
    with pytest.raises(FetchError, match="redirected"):
        ask()
    assert archive.body(ask(redirect_hosts=["localhost"])) == b"PK"


def test_https_is_never_left(agency: Agency, secure: Agency, ask: Ask, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KOSHI_CA_BUNDLE", str(certificate))
    secure.plays(Reply(302, headers={"Location": f"{agency.url}/file"}))
    with pytest.raises(FetchError, match=r"redirected from GET to http://127.0.0.1"):
        ask(base=secure.url)
    assert agency.seen == []


def test_proxies_come_from_the_environment(agency: Agency, archive: Archive, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("http_proxy", agency.url)
    agency.plays(Reply(body=b"[]"))
    assert archive.body(ask("/x", base="http://agency.invalid")) == b"[]"
    assert agency.seen[0].request.url == "http://agency.invalid/x"


# what a failure says


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


# other addresses, and files put by hand


def test_base_addresses_can_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KOSHI_BASE_URL_BNS_TALDAU", "http://127.0.0.1:8000/")
    monkeypatch.setenv("KOSHI_BASE_URL_UIS_API", "https://mirror.example.org/uis")
    assert at_configured_addresses(load_source("bns")).base_urls == {"taldau": "http://127.0.0.1:8000", "stat": "https://stat.gov.kz"}
    assert load_source("bns").base_urls["taldau"] == "https://taldau.stat.gov.kz"


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("TALDUA", "https://mirror.example.org"),
        ("TALDAU", "http://mirror.example.org"),
        ("TALDAU", "ftp://127.0.0.1"),
        ("TALDAU", "mirror.example.org"),
        ("TALDAU", "https://me:mine@mirror.example.org"),
        ("TALDAU", "https://mirror.example.org/?key=mine"),
    ],
)
def test_base_addresses_that_cannot_be_used_are_named(monkeypatch: pytest.MonkeyPatch, name: str, address: str) -> None:
    monkeypatch.setenv(f"KOSHI_BASE_URL_BNS_{name}", address)
    with pytest.raises(SourceError, match=f"KOSHI_BASE_URL_BNS_{name}") as raised:
        at_configured_addresses(load_source("bns"))
    assert "mine" not in str(raised.value)


def test_a_file_put_by_hand_answers_for_the_agency(
    agency: Agency, archive: Archive, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("KOSHI_DROPIN_UNDESA", str(tmp_path))
    (tmp_path / "stock.xlsx").write_bytes(b"PK")
    taken = time.time() - 86_400
    os.utime(tmp_path / "stock.xlsx", (taken, taken))
    transport = LiveTransport(archive, source_at(agency.url, "undesa"), "stock_by_destination")
    snapshot = transport.ask(Request("GET", f"{agency.url}/files/stock.xlsx"))
    assert (snapshot.capture, archive.body(snapshot), agency.seen) == ("recorded", b"PK", [])
    assert "stock.xlsx" in snapshot.note and "put" in snapshot.note
    assert datetime.datetime.fromisoformat(snapshot.retrieved_at).timestamp() == pytest.approx(taken, abs=0.01)
    # another file, and a question that is not for a file, go to the agency
    agency.plays(Reply(body=b"other"), Reply(body=b"data"))
    (tmp_path / "json").write_bytes(b"[]")
    others = [transport.ask(Request("GET", f"{agency.url}/{path}")) for path in ("files/other.xlsx", "2018/json")]
    assert [snapshot.capture for snapshot in others] == ["live", "live"]


def test_a_folder_that_is_not_there_is_named(archive: Archive, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KOSHI_DROPIN_UNDESA", str(tmp_path / "nowhere"))
    transport = LiveTransport(archive, source_at("http://127.0.0.1:9", "undesa"), "stock_by_destination")
    with pytest.raises(FetchError, match=r"KOSHI_DROPIN_UNDESA is .*nowhere"):
        transport.ask(Request("GET", "http://127.0.0.1:9/files/stock.xlsx"))
