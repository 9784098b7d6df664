"""Whose turn it is to ask an agency: one question at a time, at the declared interval, whatever thread or process of the machine asks."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

from filelock import FileLock, Timeout
from pyrate_limiter import Rate, RateItem, SQLiteBucket

from warehouse.profile import state_root

# Several times what an agency may take to begin an answer: a process that holds a turn for longer hangs
PATIENCE_SECONDS = 600.0


class TurnError(RuntimeError):
    """A turn that does not come: what was `found` names the file that stands for it, and the `advice` says what to do."""

    def __init__(self, found: str, advice: str) -> None:
        super().__init__(f"{found}. {advice}")
        self.found, self.advice = found, advice


@contextmanager
def turn(source: str, interval_seconds: float) -> Iterator[None]:
    """Waits until the agency may be asked, and holds the turn while the caller asks; the interval counts from the end of that.

    Counted from the beginning, a question that is long on its way could arrive just before the next one.
    A turn is a lock on a file, which the system takes back from a process however it ends, and when the agency was last asked stands
    in a bucket beside it. Both are opened anew each time: the state folder may be removed between two questions.
    Raises `TurnError` if another process holds the turn for `PATIENCE_SECONDS`, or if the bucket cannot be read.
    """
    file, rate = state_root() / "turns" / f"{source}.sqlite", Rate(1, max(1, round(interval_seconds * 1000)))
    while True:
        with _locked(file):
            wait = _wait(file, rate)
            if not wait:
                try:
                    yield
                finally:
                    _asked(file, rate)
                return
        # without the lock: every waiting process has the same chance once the time has come
        time.sleep(wait)


def _locked(file: Path) -> AbstractContextManager[object]:
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        return FileLock(f"{file}.lock").acquire(timeout=PATIENCE_SECONDS)
    except Timeout:
        raise TurnError(
            f"not asked: another process has held the turn of {file.stem} for {PATIENCE_SECONDS:.0f} s",
            f"End the process that has {file}.lock open, then run again",
        ) from None


@contextmanager
def _bucket(file: Path, rate: Rate) -> Iterator[SQLiteBucket]:
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        with closing(SQLiteBucket.init_from_file([rate], db_path=str(file))) as bucket:
            yield bucket
    except sqlite3.Error as error:
        raise TurnError(f"not asked: {file} cannot be read: {error}", "Remove it, then run again") from error


def _wait(file: Path, rate: Rate) -> float:
    """Seconds until the agency may be asked; 0 if it may be now, and then that is noted."""
    with _bucket(file, rate) as bucket:
        now = _now()
        last = bucket.peek(0)
        if last and last.timestamp > now:
            # the clock was set back: how long ago it was is unknown, and until the clock is there again may be hours
            bucket.flush()
            bucket.put(RateItem(file.stem, now))
        item = RateItem(file.stem, now)
        if bucket.put(item):
            return 0.0
        wait = bucket.waiting(item)
        assert isinstance(wait, int)
        return max(wait, 1) / 1000


def _asked(file: Path, rate: Rate) -> None:
    with _bucket(file, rate) as bucket:
        bucket.flush()
        bucket.put(RateItem(file.stem, _now()))


def _now() -> int:
    """Milliseconds of the machine's clock, which is the one that its processes share."""
    return time.time_ns() // 1_000_000
