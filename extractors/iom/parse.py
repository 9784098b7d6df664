"""Answers of the Missing Migrants Project → rows of text. Pure: knows neither network nor database, and judges no figure.

Ids that repeat, complete duplicates, negative counts, empty dates and HTML entities are rows like any other; gate 1 decides.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from extractors.decode import decode_json
from extractors.rows import Answered, ContractError, Parsed, Row, one_slice_an_answer
from extractors.source import Dataset

# Without these an object is no incident as the agency describes it
REQUIRED = (
    "web_id",
    "region",
    "reported_date",
    "number_dead",
    "number_missing",
    "total_dead_and_missing",
    "number_of_survivors",
    "number_of_female",
    "number_of_male",
    "number_of_children",
    "country_of_incident",
    "location_coodinates",  # the agency's own spelling; latitude, then longitude
    "source_quality",
)
# Fields that come and go with the year, and texts that an archive may leave out
OPTIONAL = (
    "cause_death",
    "location_description",
    "unsd_geographic_grouping",
    "migration_route",
    "information_source",
    "url",
    "region_origin",
    "country_origin",
)
INCIDENT = (*REQUIRED, *OPTIONAL, "other_fields")
FIGURES = tuple(name for name in REQUIRED if name.startswith(("number_", "total_")))
YEAR = r"/global-figures/(\d{4})/json"


def parse(_dataset: Dataset, answers: Sequence[Answered]) -> Parsed:
    """The incidents of each year that was asked for, a slice a year, with year and JSON pointer as address."""
    return one_slice_an_answer(INCIDENT, answers, lambda answer: answer.named(YEAR), _incidents, figures=FIGURES)


def _incidents(year: str, body: bytes) -> Iterator[Row]:
    # a year without incidents is answered by an empty list, or by nothing at all
    incidents = decode_json(body, f"{year}, ", f"{year}#") if body else []
    if not isinstance(incidents, list):
        raise ContractError(f"{year}#/", "a list of incidents", type(incidents).__name__)
    for number, incident in enumerate(incidents):
        address = f"{year}#/{number}"
        if not isinstance(incident, dict):
            raise ContractError(address, "an incident", type(incident).__name__)
        if missing := [name for name in REQUIRED if name not in incident]:
            raise ContractError(address, f"the fields {', '.join(REQUIRED)}", f"no {', '.join(missing)}")
        known = [_text(f"{address}/{name}", incident.pop(name, None)) for name in (*REQUIRED, *OPTIONAL)]
        # what the agency adds is kept and shown, so that gate 1 can warn of it
        other = json.dumps(incident, ensure_ascii=False, sort_keys=True) if incident else None
        yield (address, *known, other)


def _text(address: str, value: Any) -> str | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise ContractError(address, "text or a number", type(value).__name__)
    return value
