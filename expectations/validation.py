"""Running checks through Great Expectations on the rows of a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import great_expectations as gx
from great_expectations.checkpoint import ActionContext, CheckpointResult, ValidationAction
from psycopg import sql
from pydantic.v1 import PrivateAttr  # Great Expectations' actions are its models

from expectations import data_context
from expectations.check import BATCH, BELOW, Check
from warehouse.connection import Connection, LostError, connect, says_lost
from warehouse.keys import number_of
from warehouse.profile import Profile
from warehouse.wording import one_line


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
    """What a check said, how many rows are at fault, and which."""

    check: Check
    success: bool
    observed: str
    count: int
    offenders: tuple[Offender, ...]


class Recording(ValidationAction):  # type: ignore[misc]  # of a package without types
    """Hands the result to the gate, which records it. No stored checkpoint has this action: a run by hand records nothing."""

    type: Literal["koshi_recording"] = "koshi_recording"
    name: str = "recording"
    _record: Callable[[Any], None] = PrivateAttr()

    def __init__(self, record: Callable[[Any], None] | None = None, **fields: Any) -> None:
        super().__init__(**fields)
        self._record = record or (lambda _: None)

    def run(self, checkpoint_result: CheckpointResult, action_context: ActionContext | None = None) -> dict[str, Any]:
        """Hands over the one result of the checkpoint."""
        [result] = checkpoint_result.run_results.values()
        self._record(result)
        return {}


def validate(profile: Profile, tables: Mapping[str, str], checks: list[Check], name: str) -> list[Finding]:
    """What each check says, in the order of the checks; `tables` stand for `{batch}` and `{below}`, with their schemas.

    Great Expectations keeps its own result under the name. Raises `GateError` if a check cannot be evaluated.
    """
    results: list[Any] = []
    try:
        with data_context.in_memory(profile, name, tables[BATCH]) as context:
            checkpoint = data_context.put(context, name, tables, checks, Recording(results.append))
            checkpoint.run(run_id=gx.RunIdentifier(run_name=data_context.RUN))
    except Exception as error:
        _raise_if_lost(str(error))
        raise
    by_name = {result.expectation_config.meta["name"]: result for result in results[0].results}
    return [_finding(profile, tables, check, by_name[check.name]) for check in checks]


def lay_out(profile: Profile, name: str, query: str, below: str) -> dict[str, str]:
    """Puts the rows of both queries in place of those last judged under the name; returns what stands for `{batch}` and `{below}`.

    Every expectation asks anew, and a staging view parses text each time: laid out once, forty thousand rows cost a second, not minutes.
    The tables are named by what is judged, for that is what the lock is held by: datasets that share a view do not share a table. They
    stay, so that a person can ask the same of the same rows.
    """
    found = data_context.tables(name)
    with connect(profile, "koshi_loader") as connection:
        for placeholder, rows in ((BATCH, query), (BELOW, below)):
            _replace(connection, sql.Identifier(*found[placeholder].split(".")), rows)
    return found


def _replace(connection: Connection, table: sql.Identifier, query: str) -> None:
    connection.execute(sql.SQL("drop table if exists {}").format(table))
    connection.execute(sql.SQL("create table {} as {}").format(table, sql.SQL(query)))
    connection.execute(sql.SQL("analyze {}").format(table))
    connection.execute(sql.SQL("grant select on {} to koshi_transformer").format(table))  # as whom Great Expectations reads


def _finding(profile: Profile, tables: Mapping[str, str], check: Check, result: Any) -> Finding:
    if result.exception_info and _raised(result.exception_info):
        _raise_if_lost(_raised(result.exception_info))
        raise GateError(f"expectation {check.name!r} could not be evaluated: {_raised(result.exception_info)}")
    if result.success:
        return Finding(check, True, _observed(result), 0, ())
    offenders = _offenders(profile, tables, check)
    if not offenders:
        raise GateError(f"expectation {check.name!r} failed, but the query made of it names no row")
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
        statement = sql.SQL(data_context.named(check.offenders, tables))
        cursor = connection.execute(statement)
        names = [column.name for column in cursor.description or ()]
        return tuple(_offender(dict(zip(names, row, strict=True))) for row in cursor.fetchall())


def _offender(row: dict[str, Any]) -> Offender:
    return Offender(
        row.get("release_key"),
        row.get("snapshot_key"),
        str(row.get("source_row") or ""),
        str(row.get("detail") or row),
        tuple(number_of(key) for key in row.get("release_keys") or ()),
        row.get("waits_for"),
    )
