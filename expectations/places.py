"""Whether the code knows a dataset everywhere, asked before anything is fetched: nothing lands that could not be judged."""

from __future__ import annotations

import csv
import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from expectations.check import Suite
from expectations.suites.continuity import same_unit, still_there
from expectations.suites.default import default_suite, usual_view, view_of
from extractors.source import load_source, source_codes
from warehouse.connection import connect
from warehouse.contracts import COMMAND, contracts, differing
from warehouse.profile import ROOT, Profile
from warehouse.wording import counted

# what a source's module must have to be one
MODULES = {
    "client": "fetch(source, dataset, transport) -> list[Snapshot], which asks the agency",
    "parse": "parse(dataset, answers) -> Parsed, which reads them",
}


@dataclass(frozen=True)
class Missing:
    """A place that does not know the dataset: the file, and what to write there."""

    file: str
    write: str


class MissingPlaceError(RuntimeError):
    """The code does not know a dataset everywhere that it must; the message names each place and what to write there."""

    def __init__(self, source: str, dataset: str, missing: list[Missing]) -> None:
        self.source, self.dataset, self.missing = source, dataset, missing
        self.found = f"the code does not know the dataset in {counted(len(missing), 'place')}"
        self.advice = "; ".join(f"{place.file}: {place.write}" for place in missing)
        super().__init__(f"{source}.{dataset}: {self.found}. {self.advice}")


def check(profile: Profile, source: str, dataset: str, root: Path | None = None) -> None:
    """Raises `MissingPlaceError` with every place under `root`, and every table of the profile's database, that the dataset lacks."""
    if missing := _lacking(profile, source, dataset, root or ROOT):
        raise MissingPlaceError(source, dataset, missing)


def of_source(profile: Profile, source: str, root: Path | None = None) -> dict[Missing, list[str]]:
    """Every place that the source lacks, with the datasets that lack it, and what a person must decide, which is of them all.

    Raises `SourceError` if there is no such source.
    """
    found: dict[Missing, list[str]] = {}
    root = root or ROOT
    datasets = load_source(source, root / "extractors").datasets
    found |= {place: list(datasets) for place in _undecided(source, root)}
    for dataset in datasets:
        for place in _lacking(profile, source, dataset, root):
            found.setdefault(place, []).append(dataset)
    return found


def _undecided(source: str, root: Path) -> Iterator[Missing]:
    """What a person must decide: each FIXME of the source's own folders."""
    folders = (root / "extractors" / source, root / "dbt/models/staging" / source)
    for file in sorted(file for folder in folders for file in folder.rglob("*") if file.suffix in {".yml", ".md", ".py", ".sql"}):
        for number, line in enumerate(file.read_text("utf-8").splitlines(), 1):
            if "FIXME" in line:
                yield Missing(f"{file.relative_to(root)}:{number}", line.partition("FIXME")[2].strip(" :") or line.strip())


def _lacking(profile: Profile, source: str, dataset: str, root: Path) -> list[Missing]:
    return [
        *_modules(source, dataset, root),
        *_raw(profile, source, dataset, root),
        *_suite(source, dataset, root),
        *([] if load_source(source, root / "extractors").dataset(dataset).staging else _cube(source, dataset, root)),
    ]


def suite_of(source: str, dataset: str, schema: str) -> Suite:
    """The suite of gate 1 for a dataset, its own or the default one, with what is asked of every dataset; `schema` holds the staging views.

    Raises `MissingPlaceError` if there is none, if there are two, or if it has no key.
    """
    suite = _own_suite(source, dataset, schema)
    declared = load_source(source).datasets.get(dataset) if source in source_codes() else None
    judged = declared.judged if declared else None
    if suite and declared and declared.suite:
        what = f"no `suite` of {dataset}, or no gate1({dataset!r}, …) in expectations/suites/{source}.py: one of them judges"
        raise MissingPlaceError(source, dataset, [Missing(f"extractors/{source}/source.yml", what)])
    if declared and judged and not suite:
        suite = default_suite(source, dataset, declared, judged)
    if suite is None:
        raise MissingPlaceError(source, dataset, [_no_suite(source, dataset)])
    if not suite.key:
        what = "Suite.key: the columns of the staging view that say what a row is about"
        raise MissingPlaceError(source, dataset, [Missing(f"expectations/suites/{source}.py", what)])
    bounds = load_source(source).dataset(dataset).continuity
    return replace(suite, checks=[*suite.checks, same_unit(suite.key), still_there(suite.key, bounds)])


def _own_suite(source: str, dataset: str, schema: str) -> Suite | None:
    """What `expectations/suites/<source>.py` asks of the dataset; None if it does not exist or does not know the dataset."""
    try:
        module = importlib.import_module(f"expectations.suites.{source}")
    except ModuleNotFoundError as error:
        if error.name != f"expectations.suites.{source}":
            raise
        return None
    try:
        suite: Suite = module.gate1(dataset, schema)
    except KeyError as error:
        if error.args != (dataset,):
            raise
        return None
    return suite


def _no_suite(source: str, dataset: str) -> Missing:
    return Missing(
        f"expectations/suites/{source}.py",
        f"gate1({dataset!r}, schema) -> Suite: the checks of the dataset and its staging view; or, for the checks of every dataset,"
        f" `suite: {{key: […], unit: …}}` in extractors/{source}/source.yml",
    )


def _modules(source: str, dataset: str, root: Path) -> Iterator[Missing]:
    if load_source(source, root / "extractors").dataset(dataset).records:
        return  # declared: asked and read by extractors/records
    for name, what in MODULES.items():
        file = f"extractors/{source}/{name}.py"
        if not (root / file).is_file():
            yield Missing(file, what)


def _raw(profile: Profile, source: str, dataset: str, root: Path) -> Iterator[Missing]:
    declared = load_source(source, root / "extractors").dataset(dataset)
    shape = declared.shape
    with connect(profile) as connection:
        found = connection.execute("select to_regclass(format('raw.%%I', %s::text))", [shape]).fetchone()
    if found == (None,) and not declared.records:
        columns = "_release_key, _snapshot_key, _row and the columns of the parser, all text"
        yield Missing("warehouse/migrations/versions/", f"a migration that makes the table raw.{shape} with {columns}")
    described = (file.read_text("utf-8") for file in sorted((root / "dbt/models/staging").rglob("*.yml")))
    if not declared.staging and not any(re.search(rf"\b(name|identifier): {shape}\b", text) for text in described):
        yield Missing(f"dbt/models/staging/{source}/_{source}.yml", f"the table {shape} of raw, under `sources`")


def _suite(source: str, dataset: str, root: Path) -> Iterator[Missing]:
    declared = load_source(source, root / "extractors").dataset(dataset)
    judged = declared.judged
    try:
        if (root / f"expectations/suites/{source}.py").is_file():
            view = suite_of(source, dataset, "staging").view
        elif judged:
            view = view_of(source, dataset, judged)
        else:
            raise MissingPlaceError(source, dataset, [_no_suite(source, dataset)])
    except MissingPlaceError as error:
        yield from error.missing
        if not declared.records and any((root / f"dbt/models/staging/{source}").glob("*.sql")):
            return  # the suite will say which of them it looks at
        view = usual_view(source, dataset)
    yield from _staging(source, view, root) if declared.staging is None else _contract(source, dataset, root)


def _staging(source: str, view: str, root: Path) -> Iterator[Missing]:
    """The staging view, the facts that read it, and the list of periods: without them facts have keys that lead nowhere."""
    if not (root / f"dbt/models/staging/{source}/{view}.sql").is_file():
        yield Missing(f"dbt/models/staging/{source}/{view}.sql", "the typed view of the raw table that the suite looks at")
    facts = sorted((root / "dbt/models/core").glob("int_*.sql"))
    if not any(f"'{view}'" in fact.read_text("utf-8") for fact in facts):
        yield Missing("dbt/models/core/int_….sql", f"a line that reads {view}, in the fact that it feeds")
    if f"'{view}'" not in (root / "dbt/models/core/release_period.sql").read_text("utf-8"):
        yield Missing(
            "dbt/models/core/release_period.sql", f"{view} in the list of views: else its periods are unknown and gate 2 refuses its facts"
        )


def _contract(source: str, dataset: str, root: Path) -> Iterator[Missing]:
    """What is written from a contract, where it is not as the contract says."""
    for one in contracts(root):
        if (one.source, one.name) == (source, dataset):
            for file in differing(root, one):
                yield Missing(file, f"what the contracts say: `{COMMAND}` writes it")


def _cube(source: str, dataset: str, root: Path) -> Iterator[Missing]:
    with (root / "dbt/seeds/cube.csv").open(encoding="utf-8", newline="") as file:
        known = {(row["source_code"], row["dataset"]) for row in csv.DictReader(file)}
    if (source, dataset) not in known:
        yield Missing("dbt/seeds/cube.csv", f"a row for each table of {source}.{dataset}: else its facts have no cube")
