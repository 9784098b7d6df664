"""A place that does not know a dataset is named, with what to write there, before anything is fetched or landed."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Literal

import pytest
from typer.testing import CliRunner

import pipeline
from expectations import places
from expectations.check import BATCH, Suite
from expectations.intake import take_in
from expectations.places import MissingPlaceError, check, of_source, suite_of
from expectations.suites import bns, iom
from expectations.suites.default import default_suite
from extractors.source import Dataset, Judged, load_source, source_codes
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
    assert "population" in of_source(profile, "bns", root)[missing]


@pytest.mark.parametrize(
    ("file", "line", "named"),
    [
        ("dbt/models/core/release_period.sql", f"'{VIEW}'", "dbt/models/core/release_period.sql"),
        ("dbt/models/core/int_population.sql", f"'{VIEW}'", "dbt/models/core/int_….sql"),
        ("dbt/models/staging/bns/_bns.yml", "name: bns_table,", "dbt/models/staging/bns/_bns.yml"),
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
    assert {missing.file for missing in of_source(profile, "bns", root)} == {named}


def test_all_that_a_source_lacks_is_named_at_once(profile: Profile, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    variables = {"KOSHI_DATABASE": profile.database, "KOSHI_JOURNAL": profile.journal, "KOSHI_ARCHIVE": profile.archive}
    assert of_source(profile, "iom", root) == {}
    done = CliRunner().invoke(pipeline.app, ["check-source", "iom"], env=variables)
    assert (done.exit_code, done.output) == (0, "iom is known everywhere\n")
    gone = ["extractors/iom/client.py", "extractors/iom/parse.py", f"dbt/models/staging/iom/{iom.VIEW}.sql", "expectations/suites/iom.py"]
    for file in gone:
        (root / file).unlink()
    for file in ("dbt/seeds/cube.csv", "dbt/models/core/release_period.sql"):
        text = (root / file).read_text("utf-8")
        (root / file).write_text(text.replace("iom", "moi"), encoding="utf-8")
        gone.append(file)
    assert sorted(missing.file for missing in of_source(profile, "iom", root)) == sorted(gone)
    monkeypatch.setattr(places, "of_source", lambda profile, source: of_source(profile, source, root))
    done = CliRunner().invoke(pipeline.app, ["check-source", "iom"], env=variables)
    assert done.exit_code == 1
    assert all(file in done.output for file in gone)
    assert "6 places to write before iom can be taken in" in done.output
    done = CliRunner().invoke(pipeline.app, ["check-source", "nowhere"], env=variables)
    assert done.exit_code == 1
    assert "no source 'nowhere'" in done.output


def _by_default(monkeypatch: pytest.MonkeyPatch, *key: str) -> None:
    """From now on arrivals have no checks of their own, but the declaration of the default ones."""
    bureau = load_source("bns")
    judged = Judged(key=key, unit="persons", view="stg_bns__external_migration")
    arrivals = bureau.datasets["external_arrivals"].model_copy(update={"suite": judged})
    declared = bureau.model_copy(update={"datasets": bureau.datasets | {"external_arrivals": arrivals}})
    monkeypatch.setattr(places, "load_source", lambda *_: declared)

    def nothing_known(dataset: str, _: str) -> None:
        raise KeyError(dataset)

    monkeypatch.setattr(bns, "gate1", nothing_known)


def test_a_dataset_without_a_suite_of_its_own_is_judged_by_the_default_one(profile: Profile, monkeypatch: pytest.MonkeyPatch) -> None:
    _by_default(monkeypatch, "area_code", "year")
    check(profile, "bns", "external_arrivals")

    def judged(values: dict[int, object], day: str) -> tuple[str, str]:
        small.put(profile, "external_arrivals", small.tree(values), day)
        [verdict] = take_in(profile, "bns", "external_arrivals").verdicts
        return verdict.state, verdict.said

    sound = small.arrivals()
    assert judged(sound, "2026-02-01") == ("accepted", "")
    assert judged(sound | {2020: 3 * 1020}, "2026-02-02") == ("accepted", "")
    warned = "select expectation from quality.validation_result where not success and outcome = 'warn'"
    assert read(profile, warned) == [("no figure is revised by more than 100%",)]
    state, said = judged({year: value for year, value in sound.items() if year != 2019}, "2026-02-03")
    assert (state, "no observation of the release below is missing: at KAZ, 2019" in said) == ("rejected", True)
    state, said = judged(sound | {2020: "many"}, "2026-02-04")
    assert (state, "every value is readable" in said) == ("rejected", True)
    _by_default(monkeypatch, "area_code")
    state, said = judged(sound | {2021: 1031}, "2026-02-05")
    assert (state, "one row for each area_code" in said) == ("rejected", True)


def test_the_default_suite_asks_for_whole_persons_where_persons_are_counted(profile: Profile) -> None:
    declared = load_source("iom").dataset("missing_migrants")
    [whole] = [each for each in _default(declared, "persons").checks if each.name == "persons are whole"]
    rows = "(values (1, 2, 'a', 7.0), (1, 2, 'b', 7.5), (1, 2, 'c', null)) as line (release_key, snapshot_key, source_row, value)"
    assert read(profile, whole.offenders.replace(BATCH, rows)) == [(1, 2, "b", "found 7.5 persons")]
    assert "persons are whole" not in [each.name for each in _default(declared, "other").checks]
    # rows may be set aside where the dataset says how many
    assert whole.outcome == "quarantine"
    [strict] = [each for each in _default(load_source("uis").dataset("outbound_totals"), "persons").checks if each.name == whole.name]
    assert strict.outcome == "reject"


def _default(declared: Dataset, unit: Literal["persons", "other"]) -> Suite:
    return default_suite("agency", "d", declared, Judged(key=("year",), unit=unit))


def test_a_dataset_has_one_suite(profile: Profile, monkeypatch: pytest.MonkeyPatch) -> None:
    own = bns.gate1
    _by_default(monkeypatch, "area_code", "year")
    assert suite_of("bns", "external_arrivals", "staging").view == "stg_bns__external_migration"
    monkeypatch.setattr(bns, "gate1", own)
    with pytest.raises(MissingPlaceError, match=r"extractors/bns/source\.yml: no `suite` of external_arrivals, or no gate1"):
        check(profile, "bns", "external_arrivals")


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
