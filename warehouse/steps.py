"""The steps of a run, by name: timed for the summary, and the places where the fault tests kill the process.

Every step is described in docs/steps.md; a test compares that page with `STEPS`.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

STEPS = (
    "catch_up",
    "fetch",
    "land",
    "land.copy",
    "land.journal",
    "head",
    "land.commit",
    "gate1",
    "gate1.journal",
    "gate1.commit",
    "candidate",
    "build.prepare",
    "build.core",
    "reconcile",
    "build.publication",
    "gate2",
    "hold",
    "publish",
    "publish.journal",
    "publish.commit",
    "prune",
    "report",
    "gallery",
    "export",
    "export.latest",
)

_seconds: dict[str, float] = {}
_notes: list[str] = []
_listeners: list[Callable[[str], None]] = []


def listen(callback: Callable[[str], None]) -> None:
    """`callback` hears the name of every step that begins in this process, and whom it waits for: for progress."""
    _listeners.append(callback)


def tell(what: str) -> None:
    """Tells the listeners what this process does now."""
    for listener in _listeners:
        listener(what)


def note(what: str) -> None:
    """Keeps a sentence to print at the end of a run or a command."""
    _notes.append(what)


def notes() -> list[str]:
    """The sentences kept since the last call: each is printed once."""
    kept = list(dict.fromkeys(_notes))
    _notes.clear()
    return kept


@contextmanager
def step(name: str) -> Iterator[None]:
    """Times what happens inside under the step's name.

    `KOSHI_KILL_AT=<step>` kills the process on entering, `KOSHI_KILL_AT=<step>:end` on leaving the step, as `kill -9` would.
    Raises `KeyError` for a name that is not in `STEPS`.
    """
    if name not in STEPS:
        raise KeyError(f"step {name!r} is not in warehouse.steps.STEPS")
    _die_if_asked(name)
    tell(name)
    begun = time.monotonic()
    try:
        yield
    finally:
        _seconds[name] = _seconds.get(name, 0.0) + time.monotonic() - begun
    _die_if_asked(f"{name}:end")


def reached(name: str) -> None:
    """Marks a step that is a moment rather than a stretch of time."""
    if name not in STEPS:
        raise KeyError(f"step {name!r} is not in warehouse.steps.STEPS")
    _die_if_asked(name)
    tell(name)
    _die_if_asked(f"{name}:end")


def seconds() -> dict[str, float]:
    """Seconds spent so far by step, in the order of `STEPS`; a step with a dot lies inside the one before the dot."""
    return {name: _seconds[name] for name in STEPS if name in _seconds}


def _die_if_asked(place: str) -> None:
    if os.environ.get("KOSHI_KILL_AT") == place:
        os.kill(os.getpid(), signal.SIGKILL)
