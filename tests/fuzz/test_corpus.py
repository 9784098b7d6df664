"""Answers that once ended in another exception than a `ContractError`, or in one that nobody could keep; all of them are invented.

The name of a file is its dataset, what came instead, and a number.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from extractors.archive import Archive
from sample.answer import store
from tests.asked import questions
from tests.fuzz.sound import SOURCES, answers, check_said, outcome
from tests.small import land_all
from tests.state import read
from warehouse.profile import Profile

CORPUS = sorted((Path(__file__).parent / "corpus").glob("*.bin"))


def dataset_of(file: Path) -> str:
    return ".".join(file.name.split(".")[:2])


def as_delivery(file: Path) -> tuple[bytes, ...]:
    """The body among sound answers to the other questions of its dataset: in place of the version if it is one."""
    name, body = dataset_of(file), file.read_bytes()
    sound = answers(name)
    if name.startswith("uis.") and b'"records"' not in body[:2_000]:
        return (*sound[:-1], body)
    return (body, *sound[1:])


@pytest.mark.parametrize("file", CORPUS, ids=[file.stem for file in CORPUS])
def test_every_answer_gives_rows_or_says_where_it_is_not_as_known(file: Path) -> None:
    count, errors = outcome(dataset_of(file), as_delivery(file))
    assert count or errors
    check_said(errors)


def test_none_of_them_keeps_the_deliveries_behind_it_from_landing(bare: Profile) -> None:
    archive, day = Archive(bare.archive), 0
    by_dataset: dict[str, list[tuple[bytes, ...]]] = {}
    for file in CORPUS:
        by_dataset.setdefault(dataset_of(file), []).append(as_delivery(file))
    for name, deliveries in by_dataset.items():
        code, _, short = name.partition(".")
        source = SOURCES[code]
        for answered in (*deliveries, answers(name)):
            day += 1
            asked, bodies = questions(code, source.dataset(short)), answered
            if code == "uis":
                asked, bodies = asked[:1] + asked[-1:], (answered[0], answered[-1])
            for number, (request, body) in enumerate(zip(asked, bodies, strict=False), 1):
                store(
                    archive, source, short, request, body, delivered=f"2026-{day // 28 + 1:02}-{day % 28 + 1:02}T00:00:00+00:00",
                    content_type="application/octet-stream", note="synthetic: made for a test", number=number,
                )  # fmt: skip
        landed = land_all(bare, source, short)
        assert len(landed) == len(deliveries) + 1
        assert not landed[-1].unreadable, name
    reasons = read(bare, "select reason from meta.release where slice = 'unreadable' or reason is not null")
    assert len(reasons) > len(CORPUS) / 4
    assert all("expected" in str(reason) and "a fault of the parser" not in str(reason) for (reason,) in reasons)
