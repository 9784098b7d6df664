"""One polite session: identification, rate, retries by cause, and bounds on size and time."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt

from extractors.archive import Request
from extractors.deadline import Deadline, WatchedAdapter
from extractors.source import Source
from extractors.turns import TurnError, turn

BLOCK_BYTES = 65_536
HEAD_CHARACTERS = 200
SHOWN_CHARACTERS = 300
MAX_REDIRECTS = 5
# Overload and a gateway's trouble may pass; for any other refusal retrying will not help. Taldau also answers 500 to a question that it
# does not understand, which looks the same: it is asked `tries` times, no more.
PASSING_STATUS = (429, 500, 502, 503, 504)
PASSING_ERRORS = (
    requests.exceptions.ConnectionError,
    requests.exceptions.Timeout,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ContentDecodingError,
)
SECRET = re.compile("key|token|secret|password|auth", re.IGNORECASE)


class FetchError(RuntimeError):
    """An answer that the agency did not give; the message names source, dataset, question, answer and what to do."""

    wait_seconds: float = 0.0

    def __init__(self, source: Source, dataset: str, request: Request, found: str, advice: str, status: int | None = None) -> None:
        self.source, self.dataset, self.status = source.code, dataset, status
        self.found, self.advice = found, advice
        self.url = shown_url(request.url)
        asked = dict.fromkeys(name for name, _ in (*request.params, *request.form))
        values = {name: _shown_value(name, request) for name in asked}
        question = f"{request.method} {self.url}" + (f" {values}"[:SHOWN_CHARACTERS] if values else "")
        super().__init__(f"{source.code}.{dataset}: {question}: {found}. {advice}")


class PassingError(FetchError):
    """A failure that may pass: the session tries again, not before `wait_seconds`."""


@dataclass(frozen=True)
class Answer:
    """What came back with status 200; `retrieved_at` is the instant of the last byte (UTC, ISO 8601)."""

    body: bytes
    content_type: str
    retrieved_at: str


def now() -> str:
    """The instant in UTC, ISO 8601 to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def agent() -> str:
    """What we call ourselves; `KOSHI_CONTACT` (an address or a page) tells the agency whom to write to.

    Raises `ValueError` for a contact that no HTTP header can carry.
    """
    contact = os.environ.get("KOSHI_CONTACT", "").strip()
    if not (contact.isascii() and contact.isprintable()):
        raise ValueError(f"KOSHI_CONTACT is {contact!r}: expected printable ASCII, such as a mail address")
    return f"Koshi (migration statistics warehouse{f'; {contact}' if contact else ''})"


def shown_url(url: str) -> str:
    """The address without what may be secret in it: user, password and query."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _shown_value(name: str, request: Request) -> str:
    return "***" if SECRET.search(name) else ",".join(value for key, value in (*request.params, *request.form) if key == name)


class _InTurn(WatchedAdapter):
    """Sends a question when the turn of its source has come; tries and redirects pass here as well."""

    def __init__(self, source: Source, deadline: Deadline) -> None:
        super().__init__(deadline)
        self._source = source

    def send(self, *args: Any, **kwargs: Any) -> requests.Response:
        """The answer as soon as it begins; the turn lasts until then."""
        with turn(self._source.code, self._source.http.min_interval_seconds):
            response: requests.Response = super().send(*args, **kwargs)
            return response


class PoliteSession(requests.Session):
    """Asks one agency for one dataset. Cookies live as long as the session does, which is one delivery."""

    def __init__(self, source: Source, dataset: str) -> None:
        super().__init__()
        self._source, self._dataset, self._policy = source, dataset, source.http
        self._hosts = {urlsplit(url).hostname for url in source.base_urls.values()} | set(source.http.redirect_hosts)
        self._asked = Request("GET", "")
        self.max_redirects = MAX_REDIRECTS
        self._deadline = Deadline()
        for scheme in ("https://", "http://"):
            in_turn = self._policy.min_interval_seconds > 0
            self.mount(scheme, _InTurn(source, self._deadline) if in_turn else WatchedAdapter(self._deadline))
        # otherwise requests would send what a ~/.netrc holds
        self.auth = _no_credentials
        self.headers.update({"User-Agent": "{agent}", **source.http.headers})
        for name, value in self.headers.items():
            self.headers[name] = str(value).replace("{agent}", agent())

    def fetch(self, request: Request) -> Answer:
        """The agency's answer.

        Raises `FetchError` at once or, where the cause may pass, after the declared number of tries, and when the agency has taken
        longer for all of them than is declared.
        """
        retrying = Retrying(
            retry=retry_if_exception_type(PassingError), stop=stop_after_attempt(self._policy.tries), wait=self._wait, reraise=True
        )
        with self._deadline.of_question(self._policy.deadline_seconds):
            return retrying(self._try, request)

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Where a redirect leads. Raises `FetchError` if that is neither the same place nor HTTPS at a declared host."""
        target = super().get_redirect_target(resp)
        if target is None:
            return None
        resp.close()  # requests would read the whole body, whatever its size
        here, there = urlsplit(resp.url), urlsplit(urljoin(resp.url, target))
        same_place = (here.scheme, here.netloc) == (there.scheme, there.netloc)
        is_declared = there.scheme == "https" and there.hostname in {*self._hosts, here.hostname}
        if resp.request.method != "GET" or not (same_place or is_declared):
            raise self._error(
                f"redirected from {resp.request.method} to {there.scheme}://{there.hostname}",
                "Followed are only redirects of GET to the same place, or over HTTPS to the hosts of base_urls and http.redirect_hosts; "
                f"{self._declared('http.redirect_hosts')} if that host is the agency's",
                resp.status_code,
            )
        return target

    def _try(self, request: Request) -> Answer:
        self._asked = request
        timeout = (self._policy.connect_timeout_seconds, self._policy.read_timeout_seconds)
        # certificates are always verified; without a bundle of our own requests reads REQUESTS_CA_BUNDLE
        bundle = os.environ.get("KOSHI_CA_BUNDLE") or None
        question: dict[str, Any] = {"params": list(request.params), "data": list(request.form) or None}
        try:
            with self.request(request.method, request.url, **question, timeout=timeout, verify=bundle, stream=True) as response:
                if response.status_code != HTTPStatus.OK:
                    raise self._refused(response)
                return Answer(self._read(response), response.headers.get("Content-Type", ""), now())
        except PASSING_ERRORS as error:
            raise self._broken(error) from None  # the errors of requests repeat the address, query and all
        except TurnError as error:
            raise self._error(error.found, error.advice) from error
        except (OSError, ValueError) as error:  # of these is every other error of requests
            raise self._error(_cause(error), "Compare base_urls, http.headers and the KOSHI_ variables with docs/operations.md") from None
        finally:
            self._deadline.pause()

    def _read(self, response: requests.Response) -> bytes:
        limit, body = self._policy.max_bytes, bytearray()
        announced = response.headers.get("Content-Length", "")
        blocks = response.iter_content(BLOCK_BYTES)
        is_larger = announced.isdigit() and int(announced) > limit
        while not is_larger and (block := next(blocks, b"")):
            body += block
            is_larger = len(body) > limit
        if is_larger:
            raise self._error(f"the answer is larger than {limit} bytes", f"If it has to be, {self._declared('http.max_bytes')}", 200)
        if self._deadline.passed:  # a connection that we end looks like a body of unknown length at its end
            raise self._error(f"the answer had {len(body)} bytes, and no end", "", 200)
        return bytes(body)

    def _refused(self, response: requests.Response) -> FetchError:
        status = response.status_code
        found, wait = f"status {status}, expected 200; the answer begins {_head(response)!r}", _wait_asked_for(response.headers)
        if status in PASSING_STATUS and wait > self._policy.max_wait_seconds:
            error = self._error(f"{found}; asked to wait {wait:.0f} s", "Run again after that time", status)
        else:
            error = self._error(found, self._advice(status), status, PassingError if status in PASSING_STATUS else FetchError)
        error.wait_seconds = wait  # a scheduler does not ask again before
        return error

    def _broken(self, error: Exception) -> FetchError:
        found = _cause(error)
        if "CERTIFICATE_VERIFY_FAILED" in found:
            return self._error(found, "Name a CA bundle that holds the missing certificate in KOSHI_CA_BUNDLE; verification stays on")
        return self._error(found, f"Run again later; it was tried up to {self._policy.tries} times", kind=PassingError)

    def _advice(self, status: int) -> str:
        code = self._source.code
        if status in (401, 403):
            return (
                f"The agency refuses this client: set KOSHI_CONTACT, {self._declared('http.headers')}, "
                f"or, where a file is asked for, put it by hand into the folder that KOSHI_DROPIN_{code.upper()} names"
            )
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            return f"Run again later, or {self._declared('http.min_interval_seconds')}"
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return "Run again later; if it stays so, the question is one that the agency does not understand: compare it with source.yml"
        return f"The question or the address is not the agency's any more: compare base_urls and request in extractors/{code}/source.yml"

    def _declared(self, field: str) -> str:
        return f"declare {field} in extractors/{self._source.code}/source.yml"

    def _error(self, found: str, advice: str, status: int | None = None, kind: type[FetchError] = FetchError) -> FetchError:
        if self._deadline.passed:
            found = f"no whole answer within {self._policy.deadline_seconds:g} s; at last {found}"
            advice, kind = f"Run again later; if the agency has to take longer, {self._declared('http.deadline_seconds')}", FetchError
        return kind(self._source, self._dataset, self._asked, found, advice, status)

    def _wait(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked_for = error.wait_seconds if isinstance(error, FetchError) else 0.0
        return max(asked_for, self._policy.backoff_seconds * 2.0 ** (state.attempt_number - 1))


def _no_credentials(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _head(response: requests.Response) -> str:
    """The first characters of an answer, for a message; nothing if they cannot be read."""
    try:
        begun: bytes = next(response.iter_content(4 * HEAD_CHARACTERS), b"")
    except requests.exceptions.RequestException:
        return ""
    return " ".join(begun.decode("utf-8", "replace").split())[:HEAD_CHARACTERS]


def _wait_asked_for(headers: Mapping[str, str]) -> float:
    """Seconds of a `Retry-After`, which is a number or a date; 0 without one that can be read."""
    text = headers.get("Retry-After", "").strip()
    if text.isdecimal():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, TypeError):
        return 0.0


def _cause(error: Exception) -> str:
    """The innermost reason, without the texts around it."""
    first = error.args[0] if error.args else error
    reason = getattr(first, "reason", None) or first
    return f"{type(reason).__name__}: {reason}" if isinstance(reason, Exception) else f"{type(error).__name__}: {error}"
