"""One way to write things for people."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from warehouse.wording import counted, one_line, say, trimmed


@pytest.mark.parametrize(
    ("number", "noun", "text"),
    [(1, "release", "1 release"), (0, "release", "0 releases"), (1592, "row", "1,592 rows"), (1, "delivery", "1 delivery"),
     (2, "delivery", "2 deliveries"), (2, "journal entry", "2 journal entries")],
)  # fmt: skip
def test_a_noun_agrees_with_its_number(number: int, noun: str, text: str) -> None:
    assert counted(number, noun) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("found 17216.000000, expected 16550.120000.", "found 17216, expected 16550.12."),
        ("2022: -104915.000000 / 0.500000", "2022: -104915 / 0.5"),
        # a version, an instant and a rate with few places are not touched
        ("version 1.10 of 2026-01-15T00:00:00.000000+00:00, -9.40", "version 1.10 of 2026-01-15T00:00:00.000000+00:00, -9.40"),
    ],
)
def test_numbers_lose_the_zeros_of_six_places(text: str, shown: str) -> None:
    assert trimmed(text) == shown


def test_a_line_is_never_wrapped_and_brackets_are_text() -> None:
    path = f"/{'a-long-folder/' * 12}run.log"
    console = Console(file=io.StringIO(), width=80)
    say(console, "task take_in[4] ", ("[bold]", "red"), f" see {path}")
    assert console.file.getvalue() == f"task take_in[4] [bold] see {path}\n"  # type: ignore[attr-defined]


def test_a_message_of_several_lines_becomes_one() -> None:
    assert one_line("relation does not exist\nLINE 1: select\n    ^") == "relation does not exist LINE 1: select ^"
