"""A fault that passes is tried again when the agency says, a broken contract is not, and the rest is Airflow's."""

from __future__ import annotations

import json
from datetime import timedelta

import psycopg
import pytest
from airflow.sdk import RetryAction, RetryDecision

from expectations.places import MissingPlaceError
from expectations.validation import GateError
from extractors.archive import ArchiveError, Request
from extractors.polite import FetchError, PassingError
from extractors.raw import LandingError
from extractors.rows import ContractError
from extractors.source import SourceError, load_source
from reporting.notify import ARGUMENTS, NOTIFIER, NotifierError, configured
from reporting.retries import LONGEST_WAIT_SECONDS, RETRY_DELAY, ByCause
from warehouse.build import BuildError, LostBuildError
from warehouse.connection import LostError, NoSessionError
from warehouse.journal import JournalError, OvertakenError
from warehouse.locks import LockedError


def decided(error: BaseException) -> RetryDecision:
    return ByCause().evaluate(error, 1, 2)


def refused(wait: float, kind: type[FetchError] = FetchError) -> FetchError:
    """What an agency answered that asks to wait so many seconds."""
    error = kind(load_source("bns"), "population", Request("GET", "https://agency.example"), "status 429", "Run again later", 429)
    error.wait_seconds = wait
    return error


@pytest.mark.parametrize(
    "error",
    [refused(0), refused(0, PassingError), LostError("x"), LostBuildError("x"), LockedError("x"), NoSessionError("x"), OvertakenError("x"),
     psycopg.OperationalError("x"), ConnectionResetError("x"), MemoryError("x")],
)  # fmt: skip
def test_what_may_pass_is_tried_again(error: BaseException) -> None:
    assert (decided(error).action, decided(error).retry_delay) == (RetryAction.RETRY, RETRY_DELAY)


@pytest.mark.parametrize(
    "error",
    [ContractError("A1", "a number", "x"), GateError("x"), BuildError("x"), LandingError("x"), ArchiveError("x"), JournalError("x"),
     SourceError("x"), MissingPlaceError.__new__(MissingPlaceError), ValueError("KOSHI_CONTACT")],
)  # fmt: skip
def test_a_broken_contract_fails_at_once(error: BaseException) -> None:
    assert decided(error).action == RetryAction.FAIL


def test_what_nobody_foresaw_is_left_to_airflow() -> None:
    assert decided(KeyError("x")).action == RetryAction.DEFAULT


def test_an_agency_is_not_asked_before_it_wants_to_be() -> None:
    assert decided(refused(30)).retry_delay == RETRY_DELAY
    assert decided(refused(4000)).retry_delay == timedelta(seconds=4000)
    # no run waits for days, and no number of a stranger's overflows
    for wait in (LONGEST_WAIT_SECONDS + 1, float("inf")):
        assert decided(refused(wait)).action == RetryAction.FAIL


def test_a_wrong_notifier_is_named_without_what_it_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(NOTIFIER, raising=False)
    assert configured() is None
    for name in ("nowhere.at.All", "json.dumps", "Notifier", "airflow.sdk.BaseHook"):
        monkeypatch.setenv(NOTIFIER, name)
        with pytest.raises(NotifierError, match=NOTIFIER):
            configured()
    monkeypatch.setenv(NOTIFIER, "airflow.providers.smtp.notifications.smtp.SmtpNotifier")
    monkeypatch.setenv(ARGUMENTS, '{"to": "hunter2"')
    with pytest.raises(NotifierError, match=ARGUMENTS) as raised:
        configured()
    assert "hunter2" not in f"{raised.value} {raised.value.__cause__}"
    monkeypatch.setenv(ARGUMENTS, json.dumps({"to": "a@example.org"}))
    assert getattr(configured(), "to", None) == "a@example.org"
