"""The data contexts of Great Expectations: one in memory for each gate, and the stored one that a person opens.

The gates write results, each into a file of its own. The stored context has what they asked: for each dataset that was judged, and for
the publication, a suite, a validation definition and a checkpoint, of Great Expectations' own classes only and on relations that outlive
the gate.
"""

from __future__ import annotations

import dataclasses
import hashlib
import logging
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

import great_expectations as gx
import yaml
from great_expectations.checkpoint import UpdateDataDocsAction, ValidationAction

from expectations import places
from expectations.check import BATCH, BELOW, Check, naming_batch
from expectations.suites import publication
from extractors.source import load_source, source_codes
from warehouse import folders
from warehouse.connection import Connection, connect, parameters, sqlalchemy_url
from warehouse.fingerprint import code_fingerprint, core_schema
from warehouse.locks import locked
from warehouse.profile import ROOT, Profile

# a check of gate 2 looks at several relations, and Great Expectations warns of each
logging.getLogger("great_expectations").setLevel(logging.ERROR)

SCHEMA = "quality"
CONFIGURATION = ROOT / "expectations" / "great_expectations.yml"
# The variable that Great Expectations puts into the configuration: the database
URL = "KOSHI_GX_URL"
SOURCE = "warehouse"
# How the results of the gates are told from those of a person, whose runs have no name
RUN = "gate"
# Results of each suite that are kept
KEPT = 3
PUBLICATION = "publication"
# The batch that is judged: of a table all
ROWS = "all rows"
BI = "bi"
# In the stored context: what it was made of
MADE_OF = "made_of"
# Great Expectations keeps its current project in one place of the process: threads take turns, processes have one each
_ONE_PROJECT = Lock()


def home(profile: Profile) -> Path:
    """The folder of the stored context, which Great Expectations calls its root directory (`GX_HOME`)."""
    return profile.state / "gx"


def environment(profile: Profile) -> dict[str, str]:
    """The variables with which plain Great Expectations opens the stored context; `PGPASSWORD`, which libpq reads, is the secret."""
    secret = parameters(profile).get("password")
    return {"GX_HOME": str(home(profile)), URL: sqlalchemy_url(profile, with_secret=False)} | ({"PGPASSWORD": secret} if secret else {})


def tables(name: str) -> dict[str, str]:
    """The tables with the last judged rows of a dataset (`source.dataset`), and with those that they are compared with."""
    return {BATCH: f"{SCHEMA}.judged_{_in_sql(name)}", BELOW: f"{SCHEMA}.below_{_in_sql(name)}"}


def _in_sql(name: str) -> str:
    return name.replace(".", "__")


@contextmanager
def in_memory(profile: Profile, name: str, table: str) -> Iterator[Any]:
    """A context of one table under a name, gone after the block but for the results: each is put, whole, where the stored context looks."""
    profile.state.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="validations.", dir=profile.state) as own:
        with _in_memory(profile, own, {name: table}) as context:
            yield context
        for file in Path(own).rglob("*.json"):
            target = results_folder(profile) / file.relative_to(own)
            target.parent.mkdir(parents=True, exist_ok=True)
            file.replace(target)


@contextmanager
def _in_memory(profile: Profile, results: str, on: Mapping[str, str]) -> Iterator[Any]:
    configuration = yaml.safe_load(CONFIGURATION.read_text("utf-8")) | {"data_docs_sites": {}}
    for name, store in configuration["stores"].items():
        if name == "validation_results_store":
            store["store_backend"]["base_directory"] = results
        else:
            store["store_backend"] = {"class_name": "InMemoryStoreBackend"}
    with _ONE_PROJECT:
        context = gx.get_context(mode="ephemeral", project_config=configuration, runtime_environment={URL: sqlalchemy_url(profile)})
        with _connected(context, on):
            yield context


@contextmanager
def in_folder(folder: Path, url: str = "") -> Iterator[Any]:
    """A new context stored in the folder; its results are looked for in the folder `validations` beside it."""
    folder.mkdir(parents=True)
    shutil.copy(CONFIGURATION, folder / CONFIGURATION.name)
    with _ONE_PROJECT:
        yield gx.get_context(mode="file", context_root_dir=folder, runtime_environment={URL: url})


@contextmanager
def _connected(context: Any, on: Mapping[str, str]) -> Iterator[None]:
    """Gives the context its data source with tables by name. The variable is stored, and never what it stands for.

    The tables come all at once, because a stored context writes its configuration anew for each that is added.
    """
    assets = [
        {"type": "table", "name": name, "schema_name": schema, "table_name": table, "batch_definitions": [{"name": ROWS}]}
        for name, (schema, _, table) in ((name, whole.partition(".")) for name, whole in on.items())
    ]
    source = context.data_sources.add_postgres(SOURCE, connection_string=f"${{{URL}}}", create_temp_table=False, assets=assets)
    try:
        yield
    finally:
        # each has a pool, which would keep sessions open as long as the process lives
        source.get_execution_engine().close()
        source.get_engine().dispose()


def put(context: Any, name: str, on: Mapping[str, str], checks: Sequence[Check], action: ValidationAction) -> gx.Checkpoint:
    """Puts the checks of a table into its context, as a suite with a validation definition; returns a checkpoint, not yet stored.

    `on` are the tables, with their schemas, that stand for `{batch}` and `{below}`.
    """
    suite = context.suites.add(gx.ExpectationSuite(name=name, expectations=[_on(check.expectation, on) for check in checks]))
    data = context.data_sources.get(SOURCE).get_asset(name).get_batch_definition(ROWS)
    definition = context.validation_definitions.add(gx.ValidationDefinition(name=name, data=data, suite=suite))
    return gx.Checkpoint(name=name, validation_definitions=[definition], actions=[action], result_format="SUMMARY")


def _on(expectation: Any, on: Mapping[str, str]) -> Any:
    """A copy of the expectation, which becomes the suite's own, with the tables' names in its query.

    Great Expectations would put a subquery there, with an alias or without one, and PostgreSQL 15 asks for one.
    """
    query = getattr(expectation, "unexpected_rows_query", None)
    return expectation.copy(update={"unexpected_rows_query": naming_batch(named(query, on))} if query else None)


def named(query: str, on: Mapping[str, str]) -> str:
    """The query with the tables' names in place of `{batch}` and `{below}`."""
    for placeholder, table in on.items():
        query = query.replace(placeholder, table)
    return query


def store(profile: Profile) -> None:
    """Makes the stored context anew, unless it is of this code, these datasets and these relations of `bi` already.

    A dataset is in it once it was judged, the publication once there is one. Whoever has it open reads the old files or the new ones.
    """
    with locked(profile, "reports", wait=True):
        with connect(profile) as connection:
            judged, served = _judged(connection), _served(connection)
        print_ = hashlib.sha256(repr((code_fingerprint(), judged, sorted(served.items()))).encode()).hexdigest()
        made_of = home(profile) / MADE_OF
        if made_of.exists() and made_of.read_text("utf-8") == print_:
            return
        scratch = profile.state / f"gx.{os.getpid()}.new"
        shutil.rmtree(scratch, ignore_errors=True)
        _fill(profile, scratch, judged, served)
        (scratch / MADE_OF).write_text(print_, encoding="utf-8")
        folders.replace(home(profile), scratch)


def _fill(profile: Profile, folder: Path, judged: Sequence[str], served: Mapping[str, str]) -> None:
    docs = UpdateDataDocsAction(name="update_data_docs")
    parts = {name: name.partition(".") for name in judged}
    asked = {name: (tables(name), places.suite_of(source, dataset, core_schema()).checks) for name, (source, _, dataset) in parts.items()}
    if served:
        suite = publication.suite(BI)
        checks = [_as_served(check, served) for check in suite.checks]
        asked[PUBLICATION] = {BATCH: _in_bi(f"{BI}.{suite.view}", served)}, checks
    on = {name: found[BATCH] for name, (found, _) in asked.items()}
    with in_folder(folder, sqlalchemy_url(profile)) as context, _connected(context, on):
        for name, (found, checks) in asked.items():
            context.checkpoints.add(put(context, name, found, checks, docs))


def _judged(connection: Connection) -> list[str]:
    """The datasets whose last judged rows are there."""
    names = [f"{code}.{name}" for code in source_codes() for name in load_source(code).datasets]
    return [name for name in names if connection.execute("select to_regclass(%s)", [tables(name)[BATCH]]).fetchone() != (None,)]


def _served(connection: Connection) -> dict[str, str]:
    """Where readers find all rows of what was built as a relation: by its name, the relation of `bi`. Empty before a publication."""
    rows = connection.execute(
        "select c.relname, array_agg(a.attname) from pg_class as c join pg_attribute as a on a.attrelid = c.oid"
        " where c.relnamespace = to_regnamespace(%s) and c.relkind in ('r', 'v') and a.attnum > 0 and not a.attisdropped group by 1",
        [BI],
    ).fetchall()
    columns: dict[str, list[str]] = dict(rows)
    wider = (("is_current", "vintage"), ("row_kind", "all"))
    return {
        name: next((f"{name}_{suffix}" for column, suffix in wider if column in columns[name] and f"{name}_{suffix}" in columns), name)
        for name in columns
    }


def _as_served(check: Check, served: Mapping[str, str]) -> Check:
    query = _in_bi(check.expectation.unexpected_rows_query, served)
    return dataclasses.replace(check, expectation=check.expectation.copy(update={"unexpected_rows_query": query}))


def _in_bi(query: str, served: Mapping[str, str]) -> str:
    return re.sub(rf"\b{BI}\.(\w+)", lambda found: f"{BI}.{served.get(found[1], found[1])}", query)


def results_folder(profile: Profile) -> Path:
    """Where Great Expectations writes results: a folder a suite, then the run's name, then its time."""
    return profile.state / "validations"


def keep_last(profile: Profile) -> list[Path]:
    """Of each suite the last `KEPT` results, the newest first; drops the older ones, and of a person's runs as many."""
    kept: list[Path] = []
    by_run: dict[Path, list[Path]] = {}
    for file in sorted(results_folder(profile).glob("**/*/*/*.json"), reverse=True):
        by_run.setdefault(file.parent.parent, []).append(file)
    for run, files in sorted(by_run.items()):
        kept += files[:KEPT] if run.name == RUN else []
        for file in files[KEPT:]:
            shutil.rmtree(file.parent)
    return kept
