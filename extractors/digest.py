"""The digest of a release: what its rows say, whatever their order, their places and the spelling of their figures.

A digest carries its version and is compared with digests of that version only; every version stays computable, for replays.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from decimal import Decimal, InvalidOperation
from typing import Protocol

CURRENT = 2
# digits before or after the point; nobody writes out a longer number, so it keeps its spelling
LONGEST = 60

_GROUP = "[ \u00a0\u202f]"
_FIGURE = re.compile(
    rf"(?P<sign>[-+\u2212]?)(?P<whole>\d+|\d{{1,3}}(?:{_GROUP}\d{{3}})+)(?:[.,](?P<part>\d+))?(?P<power>[eE][-+]?\d+)?(?P<mark>{_GROUP}?\*)?"
)
# What is in that spelling as it stands, as most figures are
SPELT = r"(?:0|-?(?:0\.[0-9]{0,400}[1-9]|[1-9][0-9]{0,400}(?:\.[0-9]{0,400}[1-9])?))"
_SPELT = re.compile(SPELT)


class Digest(Protocol):
    """Takes the rows of a release block by block and says what they come to."""

    def update(self, lines: Sequence[str], content: Sequence[str]) -> None:
        """One block: the rows as they are written into raw, and what they say."""

    def result(self) -> str:
        """The digest with its version, as the ledger keeps it."""


class Ordered:
    """Version 1: the rows in the order and the spelling of the answer, positions among them included."""

    def __init__(self) -> None:
        self._total = hashlib.sha256()

    def update(self, lines: Sequence[str], content: Sequence[str]) -> None:
        """One block."""
        self._total.update("\n".join([*lines, ""]).encode())

    def result(self) -> str:
        """64 hexadecimal digits; the first version stands without a number."""
        return self._total.hexdigest()


class Unordered:
    """Version 2: the rows as a bag. An answer whose rows come sorted is hashed as they come, any other is sorted at the end."""

    def __init__(self) -> None:
        self._runs: list[bytes] = []
        self._last = ""
        self._is_sorted = True

    def update(self, lines: Sequence[str], content: Sequence[str]) -> None:
        """One block. Kept are its bytes, which take a third of the room of its texts."""
        if not content:
            return
        run = sorted(content)
        self._is_sorted = self._is_sorted and run[0] >= self._last
        self._last = run[-1]
        # no text that PostgreSQL takes holds a NUL, so that a line may hold anything else
        self._runs.append("\0".join(run).encode())

    def result(self) -> str:
        """`2:` and 64 hexadecimal digits."""
        total = hashlib.sha256()
        if not self._is_sorted:
            self._runs = sorted(b"\0".join(self._runs).split(b"\0"))
        for number, run in enumerate(self._runs):
            total.update(b"\0" + run if number else run)
        self._runs.clear()
        return f"2:{total.hexdigest()}"


VERSIONS: dict[int, Callable[[], Digest]] = {1: Ordered, 2: Unordered}


def version_of(digest: str) -> int:
    """The version that a digest of the ledger was made by."""
    return int(digest.partition(":")[0]) if ":" in digest else 1


def one_spelling(text: str | None, decimal_marks: str = ".") -> str | None:
    """The figure in one spelling: no thousands mark, a decimal point, no zeros that say nothing; any other text stays as it is.

    `decimal_marks` are those that the agency writes. `1 234,50` and `1234.5` are one figure where the comma is among them; where it
    is not, `1,5` is no figure that we understand. The star of a preliminary figure is content and stays.
    """
    if not text or _SPELT.fullmatch(text):
        return text
    found = _FIGURE.fullmatch(text.strip())
    if found is None or (found["part"] and found.string[found.start("part") - 1] not in decimal_marks):
        return text
    try:
        number = Decimal(f"{re.sub(_GROUP, '', found['whole'])}.{found['part'] or 0}{found['power'] or ''}")
    except InvalidOperation:  # a power that no computer writes out
        return text
    if abs(number.adjusted()) > LONGEST:
        return text
    whole, _, part = f"{number:f}".partition(".") if number else ("0", "", "")
    digits = f"{whole}.{part.rstrip('0')}".rstrip(".")
    sign = "-" if number and found["sign"] in ("-", "\u2212") else ""
    return f"{sign}{digits}{'*' if found['mark'] else ''}"
