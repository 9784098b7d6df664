"""Answers that are flat records → rows of text, as `source.yml` declares them. Pure: knows neither network nor database.

The declaration is a contract: a field that it does not name, one that it names and a record lacks, and a value that is no text, number
or null refuse the answer with the place. Numbers keep the agency's spelling. A page that repeats another, is missing, or does not end
refuses its question; other questions of the delivery stand.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import ValidationError

from extractors.declared import Asked
from extractors.records.answer import value_of
from extractors.records.pages import Pages
from extractors.rows import WHOLE, Answered, ContractError, Parsed, parsing
from extractors.source import Dataset


def parse(dataset: Dataset, answers: Sequence[Answered]) -> Parsed:
    """The rows of one delivery, a slice for each value of `each`, else whole. A row's address is its JSON pointer or line in its answer.

    Raises `ContractError` where there is one question and its answer cannot be read; of several, each is refused by itself.
    """
    records = dataset.declared_records
    try:
        asked = dataset.asked
    except ValidationError as error:
        raise ContractError("the question", "a request as flat records are asked for", str(error)) from error
    parsed = Parsed(records.columns, figures=records.figures, decimal_marks=records.decimal_marks)
    for name, numbers in _by_question(asked, answers).items():
        parsed.answers[name] = tuple(numbers)
        try:
            with parsing():
                pages = Pages(dataset)
                for number in numbers:
                    pages.take(answers[number])
                parsed.slices[name], parsed.editions[name] = pages.ended(), pages.edition
        except ContractError as error:
            if not asked.each:
                raise
            parsed.unreadable[name] = error
    return parsed


def _by_question(asked: Asked, answers: Sequence[Answered]) -> dict[str, list[int]]:
    """The numbers of the answers by the value of `each` that their question has."""
    found: dict[str, list[int]] = {}
    for number, answer in enumerate(answers):
        found.setdefault(value_of(asked, answer, asked.name) if asked.each else WHOLE, []).append(number)
    return found
