"""A publication of the whole bundled archive, read as the BI role: what a newcomer sees after `make run`."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from expectations.intake import Intake, take_in
from expectations.settle import settle
from extractors.source import load_source, source_codes
from tests.conftest import keep_as, new_profile
from warehouse.connection import reader_url
from warehouse.profile import BUNDLED_ARCHIVE, Profile

Reader = psycopg.Connection[tuple[object, ...]]
HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups in the same hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests of this folder go to one worker: the publication is built once."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("golden"))


@pytest.fixture(scope="session")
def bundled(template: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Profile, dict[str, Intake]]:
    """The profile of a warehouse that has taken in every bundled dataset and published, and what each intake came to."""
    profile = dataclasses.replace(new_profile(tmp_path_factory.mktemp("golden")), archive=str(BUNDLED_ARCHIVE))
    intakes = {}
    for code in source_codes():
        for dataset in load_source(code).datasets:
            intakes[f"{code}.{dataset}"] = take_in(profile, code, dataset)
    settled = settle(profile)
    assert settled.outcome == "published", settled.reasons
    assert not settled.held, settled.reasons
    return keep_as(profile, "koshi_golden"), intakes


@pytest.fixture(scope="session")
def published(bundled: tuple[Profile, dict[str, Intake]]) -> Iterator[Reader]:
    """A connection of the BI role to it."""
    with psycopg.connect(reader_url(bundled[0]), autocommit=True) as connection:
        yield connection
