"""The one way in which things are written for people: counted nouns, numbers, and lines on a terminal."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

SHOWN = 5
# as PostgreSQL writes a numeric with six places; versions, dates and clocks have neighbours that numbers do not
_PLACES = re.compile(r"(?<![\w.:])-?\d+\.\d{4,}(?![\w:]|\.\d)")


def counted(number: int, noun: str, plural: str = "") -> str:
    """The number with its noun: `1 release`, `1,592 rows`, `2 deliveries`."""
    if number == 1:
        return f"1 {noun}"
    many = plural or (f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s")
    return f"{number:,} {many}"


def some(names: Sequence[str], noun: str) -> str:
    """The names with their number, of many the first: `2 slices (2021, 2022)`."""
    listed = ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
    return f"{counted(len(names), noun)} ({listed})"


def trimmed(text: str) -> str:
    """The text without the zeros at the end of numbers that have four or more places."""
    return _PLACES.sub(lambda found: found.group().rstrip("0").rstrip("."), text)


def one_line(text: str) -> str:
    """The text on one line."""
    return " ".join(text.split())


def say(console: Console, *parts: str | tuple[str, str]) -> None:
    """Prints one line; a part is text, or text with a style.

    It is never wrapped, so that paths and queries stay whole, and what stands in square brackets is text like any other.
    """
    console.print(Text.assemble(*parts), soft_wrap=True, highlight=False)
