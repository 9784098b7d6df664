"""Deeds that write into the journal, done on a database that has applied all of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from tenacity import retry, retry_if_exception_type, stop_after_attempt

from extractors.replay import catch_up, is_behind
from warehouse.journal import OvertakenError
from warehouse.profile import Profile

Result = TypeVar("Result")


def caught_up(profile: Profile, deed: Callable[[], Result]) -> Result:
    """Catches up with the journal and does the deed; both again if the deed was overtaken by another process that died, or by a person.

    The caller holds the lock of what the deed writes about (a dataset, `BUILD`), so that nobody else's entry about it can be missing
    from the time of catching up on: what a killed process wrote of it is applied before the deed looks.
    """

    @retry(retry=retry_if_exception_type(OvertakenError), stop=stop_after_attempt(5), reraise=True)
    def attempt() -> Result:
        if is_behind(profile):
            catch_up(profile)
        return deed()

    return attempt()
