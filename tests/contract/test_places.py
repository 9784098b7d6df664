"""A place that does not know a dataset is named, with what to write there, before anything is fetched or landed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from expectations import places
from expectations.intake import take_in
from expectations.places import MissingPlaceError, check, suite_of
from extractors.source import load_source, source_codes
from tests import small
from tests.state import read
from warehouse.connection import connect
from warehouse.profile import ROOT, Profile

KNOWN = ("extractors", "expectations/suites", "dbt/models/staging", "dbt/models/core", "dbt/seeds")
VIEW = "stg_bns__population"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    for name in KNOWN:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "archive"))
    return folder


@pytest.fixture
def root(whole: Path, tmp_path: Path) -> Path:
    """A copy of the places that can be taken away one at a time."""
    return Path(shutil.copytree(whole, tmp_path / "root"))


def test_every_declared_dataset_is_known_everywhere(profile: Profile) -> None:
    for code in source_codes():
        for name in load_source(code).datasets:
            check(profile, code, name)


@pytest.mark.parametrize(
    ("file", "write"),
    [
        ("extractors/bns/client.py", "fetch(source, dataset, transport)"),
        ("extractors/bns/parse.py", "parse(dataset, answers)"),
        ("expectations/suites/bns.py", "gate1('population', schema) -> Suite"),
        (f"dbt/models/staging/bns/{VIEW}.sql", "the typed view of the raw table"),
    ],
)
def test_a_forgotten_file_is_named(profile: Profile, root: Path, file: str, write: str) -> None:
    (root / file).unlink()
    with pytest.raises(MissingPlaceError, match=r"^bns\.population: the code does not know the dataset in 1 place\. ") as caught:
        check(profile, "bns", "population", root)
    [missing] = caught.value.missing
    assert missing.file == file
    assert write in missing.write


@pytest.mark.parametrize(
    ("file", "line", "named"),
    [
        ("dbt/models/core/release_period.sql", f"'{VIEW}'", "dbt/models/core/release_period.sql"),
        ("dbt/models/core/int_population.sql", f"'{VIEW}'", "dbt/models/core/int_….sql"),
        ("dbt/models/staging/_sources.yml", "name: bns_table,", "dbt/models/staging/_sources.yml"),
        ("dbt/seeds/cube.csv", "bns,population,", "dbt/seeds/cube.csv"),
    ],
)
def test_a_forgotten_line_is_named(profile: Profile, root: Path, file: str, line: str, named: str) -> None:
    text = (root / file).read_text("utf-8")
    assert line in text
    (root / file).write_text(text.replace(line, line.replace("p", "q").replace("bns_table", "x")), encoding="utf-8")
    with pytest.raises(MissingPlaceError) as caught:
        check(profile, "bns", "population", root)
    assert [missing.file for missing in caught.value.missing] == [named]


def test_a_forgotten_migration_is_named_and_nothing_lands(profile: Profile) -> None:
    small.fill(profile)
    with connect(profile) as connection:
        connection.execute("alter table raw.bns_table rename to bns_elsewhere")
    with pytest.raises(
        MissingPlaceError, match=r"warehouse/migrations/versions/: a migration that makes the table raw\.bns_table with _release_key"
    ):
        take_in(profile, "bns", "population")
    assert read(profile, "select count(*) from meta.release") == [(0,)]
    # the ledger tells the same, and what to do
    [(outcome, happened, advice)] = read(profile, "select outcome, happened, advice from meta.attempt")
    assert (outcome, happened) == ("failed", "the code does not know the dataset in 1 place")
    assert "raw.bns_table" in str(advice)


@pytest.mark.parametrize(("source", "file"), [("bns", "expectations/suites/bns.py"), ("nowhere", "expectations/suites/nowhere.py")])
def test_a_dataset_without_a_suite_is_told_where_to_write_one(source: str, file: str) -> None:
    with pytest.raises(MissingPlaceError, match=rf"^{source}\.students_from_serbia: .*{file}: gate1\('students_from_serbia', schema\)"):
        suite_of(source, "students_from_serbia", "staging")


def test_a_module_that_misses_another_is_not_told_as_a_forgotten_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(name: str) -> None:
        raise ModuleNotFoundError("No module named 'numpi'", name="numpi")

    monkeypatch.setattr("importlib.import_module", broken)
    with pytest.raises(ModuleNotFoundError, match="numpi"):
        suite_of("bns", "population", "staging")


def test_places_are_looked_at_before_the_agency_is_asked(profile: Profile, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise MissingPlaceError("bns", "population", [places.Missing("a file", "a line")])

    monkeypatch.setattr(places, "check", refuse)
    # the archive is empty: asked for a delivery, it would raise another error
    with pytest.raises(MissingPlaceError, match="a file: a line"):
        take_in(profile, "bns", "population")
