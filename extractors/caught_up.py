"""Writing into the journal, on a database that has applied all of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from tenacity import retry, retry_if_exception_type, stop_after_attempt

from extractors.replay import catch_up, is_behind
from warehouse.journal import OvertakenError
from warehouse.profile import Profile

Result = TypeVar("Result")


def caught_up(profile: Profile, deed: Callable[[], Result]) -> Result:
    """Applies pending journal entries, then runs `deed`; both again if a killed process or a person wrote an entry in between.

    The caller holds the lock of what `deed` writes about (a dataset, `BUILD`): no other process can then add an entry about it, and what a
    killed process wrote about it is applied before `deed` reads.
    """

    @retry(retry=retry_if_exception_type(OvertakenError), stop=stop_after_attempt(5), reraise=True)
    def attempt() -> Result:
        if is_behind(profile):
            catch_up(profile)
        return deed()

    return attempt()
