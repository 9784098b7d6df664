"""Running checks through Great Expectations on one query's rows."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

os.environ.setdefault("GX_ANALYTICS_ENABLED", "False")
# a check of gate 2 looks at several relations, and Great Expectations warns of each
logging.getLogger("great_expectations").setLevel(logging.ERROR)

import great_expectations as gx
from psycopg import sql

from expectations.check import BATCH, BELOW, Check, naming_batch
from warehouse.connection import LostError, connect, says_lost, sqlalchemy_url
from warehouse.profile import Profile
from warehouse.wording import one_line

SCHEMA = "quality"
# Great Expectations keeps its current project in one place of the process: threads take turns, processes have one each
_ONE_PROJECT = Lock()


class GateError(RuntimeError):
    """A gate cannot speak: an expectation raised, or failed without naming what is at fault. A fault of the code."""


@dataclass(frozen=True)
class Offender:
    """One row at fault; `release_key` is None where the check is about the candidate as a whole.

    Then `release_keys` are those that the row rests on, and `waits_for` the dataset whose figure has not come (see `Check`).
    """

    release_key: int | None
    snapshot_key: int | None
    source_row: str
    detail: str
    release_keys: tuple[int | None, ...] = ()
    waits_for: str | None = None


@dataclass(frozen=True)
class Finding:
    """What a check said, how many rows are at fault, and which: all that matter, for a warning the first that are named."""

    check: Check
    success: bool
    observed: str
    count: int
    offenders: tuple[Offender, ...]


def validate(profile: Profile, query: str, checks: list[Check], keep_as: str, below: str = "") -> list[Finding]:
    """What each check says of the query's rows, in the order of the checks. Raises `GateError` if one cannot be evaluated.

    `below` is a query too: of the rows that the checks compare with. What is laid out bears the name `keep_as`, so no two judgements
    that run at the same time may share it. Great Expectations' own result is kept under it in `kept_results`, for the Data Docs.
    """
    with ExitStack() as stack:
        tables = {BATCH: stack.enter_context(_laid_out(profile, "batch", keep_as, query))}
        if below:
            tables[BELOW] = stack.enter_context(_laid_out(profile, "below", keep_as, below))
        outcome = _ask(profile, tables, checks, keep_as)
        by_name = {result.expectation_config.meta["name"]: result for result in outcome.results}
        findings = [_finding(profile, tables, check, by_name[check.name]) for check in checks]
    _keep(kept_results(profile) / f"{keep_as}.json", outcome.to_json_dict())
    return findings


def _ask(profile: Profile, tables: Mapping[str, str], checks: list[Check], name: str) -> Any:
    """What Great Expectations says of the laid out rows."""
    schema, _, batch = tables[BATCH].partition(".")
    with _ONE_PROJECT:
        context = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = gx.data_context.types.base.ProgressBarsConfig(globally=False)
        url = sqlalchemy_url(profile)
        source = context.data_sources.add_or_update_postgres("warehouse", connection_string=url, create_temp_table=False)
        try:
            data = source.add_table_asset("rows", table_name=batch, schema_name=schema).add_batch_definition_whole_table("rows")
            expectations = [_on(tables, check.expectation) for check in checks]
            suite = context.suites.add(gx.ExpectationSuite(name=name, expectations=expectations))
            definition = context.validation_definitions.add(gx.ValidationDefinition(name="gate", data=data, suite=suite))
            return definition.run(result_format="SUMMARY")
        except Exception as error:
            _raise_if_lost(str(error))
            raise
        finally:
            # each has a pool, which would keep sessions open as long as the process lives
            source.get_execution_engine().close()
            source.get_engine().dispose()


@contextmanager
def _laid_out(profile: Profile, kind: str, name: str, query: str) -> Iterator[str]:
    """The name, with the schema's, of a table that holds the query's rows as long as the block lasts, however it ends.

    Every expectation asks anew, and a staging view parses text each time: laid out once, forty thousand rows cost a second, not minutes.
    The table is named by what is judged, for that is what the lock is held by: datasets that share a view do not share a table.
    """
    scratch = f"{kind}_{name.replace('.', '__')}"
    table = sql.Identifier(SCHEMA, scratch)
    with connect(profile, "koshi_loader") as connection:
        connection.execute(sql.SQL("drop table if exists {}").format(table))  # left behind by a kill
        connection.execute(sql.SQL("create unlogged table {} as {}").format(table, sql.SQL(query)))
        connection.execute(sql.SQL("analyze {}").format(table))
    try:
        yield f"{SCHEMA}.{scratch}"
    finally:
        with connect(profile, "koshi_loader") as connection:
            connection.execute(sql.SQL("drop table if exists {}").format(table))


def _on(tables: Mapping[str, str], expectation: Any) -> Any:
    """The expectation with the tables' names in its query.

    Great Expectations would put a subquery there, with an alias or without one, and PostgreSQL 15 asks for one.
    """
    if query := getattr(expectation, "unexpected_rows_query", None):
        return expectation.copy(update={"unexpected_rows_query": naming_batch(_named(tables, query))})
    return expectation


def _named(tables: Mapping[str, str], query: str) -> str:
    for placeholder, table in tables.items():
        query = query.replace(placeholder, table)
    return query


def kept_results(profile: Profile) -> Path:
    """The folder with the last result of each suite, one JSON file each, as Great Expectations writes it."""
    return profile.state / "validations"


def _keep(file: Path, result: dict[str, Any]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    scratch = file.with_suffix(f".{os.getpid()}.new")  # tasks of several datasets write side by side
    scratch.write_text(json.dumps(result, ensure_ascii=False), encoding="utf-8")
    scratch.replace(file)


def _finding(profile: Profile, tables: Mapping[str, str], check: Check, result: Any) -> Finding:
    if result.exception_info and _raised(result.exception_info):
        _raise_if_lost(_raised(result.exception_info))
        raise GateError(f"expectation {check.name!r} could not be evaluated: {_raised(result.exception_info)}")
    if result.success:
        return Finding(check, True, _observed(result), 0, ())
    if check.outcome == "warn" and (named := (result.result.get("details") or {}).get("unexpected_rows")):
        # nothing follows from a warning for single rows, so those that Great Expectations names are enough
        return Finding(check, False, _observed(result), int(result.result["observed_value"]), tuple(map(_offender, named)))
    offenders = _offenders(profile, tables, check)
    if not offenders:
        raise GateError(f"expectation {check.name!r} failed, but its own query names no row: the two state different rules")
    return Finding(check, False, _observed(result), len(offenders), offenders)


def _raise_if_lost(said: str) -> None:
    if says_lost(said):
        raise LostError(f"the server ended a session of a gate ({one_line(said)[:200]}): nothing was judged, run again")


def _raised(info: dict[str, Any]) -> str:
    """The message of an exception inside an expectation; Great Expectations keeps it flat or by metric."""
    if "raised_exception" in info:
        return str(info.get("exception_message")) if info["raised_exception"] else ""
    return "; ".join(str(entry.get("exception_message")) for entry in info.values() if entry.get("raised_exception"))


def _observed(result: Any) -> str:
    found = result.result or {}
    for key in ("observed_value", "unexpected_count"):
        if found.get(key) is not None:
            return f"{key.replace('_', ' ')} {found[key]}"
    return ""


def _offenders(profile: Profile, tables: Mapping[str, str], check: Check) -> tuple[Offender, ...]:
    with connect(profile, "koshi_loader") as connection:
        statement = sql.SQL(_named(tables, check.offenders))
        cursor = connection.execute(statement)
        names = [column.name for column in cursor.description or ()]
        return tuple(_offender(dict(zip(names, row, strict=True))) for row in cursor.fetchall())


def _offender(row: dict[str, Any]) -> Offender:
    return Offender(
        row.get("release_key"),
        row.get("snapshot_key"),
        str(row.get("source_row") or ""),
        str(row.get("detail") or row),
        tuple(row.get("release_keys") or ()),
        row.get("waits_for"),
    )
