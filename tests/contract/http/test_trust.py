"""Where an answer may lie, and whose certificate is trusted."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from extractors.archive import Archive
from extractors.polite import FetchError
from tests.agency import Agency, Reply
from tests.contract.http.asking import Ask, nothing_archived


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
