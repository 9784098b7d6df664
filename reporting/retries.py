"""Which failures of a task are tried again, and when: a fault that passes is, a contract that is broken is not."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import psycopg
from airflow.sdk import RetryDecision, RetryPolicy

from extractors.polite import FetchError
from warehouse.connection import LostError, TooLongError
from warehouse.journal import OvertakenError
from warehouse.locks import LockedError
from warehouse.server_home import ServerError

RETRY_DELAY = timedelta(minutes=5)
# An agency that asks to wait longer is asked by the next scheduled run: a run that waits for days would keep that from starting
LONGEST_WAIT_SECONDS = 12 * 3600.0
# An agency, a session, a server, a lock that somebody else holds, the machine: the same task may succeed later
PASSING = (
    FetchError, LostError, TooLongError, ServerError, LockedError, OvertakenError, psycopg.OperationalError, OSError, MemoryError,
)  # fmt: skip
# All our other errors are typed below these and say what to do; until somebody does it the task fails in the same way
BROKEN = (RuntimeError, ValueError)


class ByCause(RetryPolicy):
    """Tries a passing fault again, not before the agency's Retry-After; fails at once on a broken contract; leaves the rest to Airflow.

    What is left to Airflow (a killed process, a timeout, an error that nobody foresaw) is tried again within `retries`.
    """

    def evaluate(self, exception: BaseException, try_number: int, max_tries: int, context: Any = None) -> RetryDecision:
        """The decision on the exception that ended a task; Airflow writes its reason into the log."""
        name = type(exception).__name__
        if isinstance(exception, PASSING):
            wait = getattr(exception, "wait_seconds", 0.0)
            if wait > LONGEST_WAIT_SECONDS:
                return RetryDecision.fail(f"{name}: the agency asks to wait {wait:.0f} s, and the next scheduled run asks it")
            return RetryDecision.retry(max(RETRY_DELAY, timedelta(seconds=wait)), f"{name}: may pass")
        if isinstance(exception, BROKEN):
            return RetryDecision.fail(f"{name}: stays as it is until somebody does what the message says")
        return RetryDecision.default()
