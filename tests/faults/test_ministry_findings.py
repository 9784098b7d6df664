"""What the Ministry of Labour's releases print oddly is found and told, and stands as printed."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable

import pytest

from expectations.gate1 import Verdict
from tests.conftest import new_profile
from tests.faults.test_meaning import deliver
from tests.state import read
from warehouse.fingerprint import core_schema
from warehouse.profile import Profile

BASE, SUM, REPEAT = "the totals of a year make one base", "complete shares make 100", "a release repeats not every share of the one before"
Row = dict[str, str]
# each as the files print it, with the arithmetic: 1,111.1 - 4.575 and 1,112.6 - 6.144 where 1,107.1 is the base of 2023
AS_PRINTED = {
    BASE: {"2023-04-01": "1106.525 thousand, expected 1107.1 ± 0.15, as 6 of 8", "2023-05-01": "1106.456 thousand"},
    SUM: {
        "2020-11-01": "4 shares by origin make 96.8", "2021-11-01": "3 shares by education make 96.7",
        "2022-08-01": "5 shares by origin make 126.7", "2023-05-01": "6 shares by origin make 97.4",
        "2023-08-01": "3 shares by age make 320", "2023-09-01": "3 shares by education make 91.2",
    },
    REPEAT: {"2023-03-01": "every share is that of the release as of 2023-02-01"},
}  # fmt: skip


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory, template: str) -> Profile:
    """One warehouse for the module: each test delivers the releases with other misprints."""
    return new_profile(tmp_path_factory.mktemp("ministry"), "koshi_ministry", like=template)


def misprinted(*changes: Callable[[list[Row]], None]) -> Callable[[list[bytes]], list[bytes]]:
    """The one answer with its rows changed."""

    def change(bodies: list[bytes]) -> list[bytes]:
        rows = list(csv.DictReader(io.StringIO(bodies[0].decode())))
        for one in changes:
            one(rows)
        out = io.StringIO()
        table = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
        return [out.getvalue().encode()]

    return change


def printed(as_of: str, since: str, breakdown: str, member: str, value: str) -> Callable[[list[Row]], None]:
    """One figure is printed as another."""

    def change(rows: list[Row]) -> None:
        [row] = [row for row in rows if (row["as_of"], row["counted_since"], row["breakdown"], row["member"]) == (as_of, since, breakdown, member)]
        row["value"] = value

    return change


def repeated(as_of: str, before: str) -> Callable[[list[Row]], None]:
    """Every share of a release is that of another."""

    def change(rows: list[Row]) -> None:
        old = {(row["breakdown"], row["member"]): row["value"] for row in rows if row["as_of"] == before and row["unit"].startswith("percent")}
        for row in rows:
            if row["as_of"] == as_of and row["unit"].startswith("percent"):
                row["value"] = old[row["breakdown"], row["member"]]

    return change


def found(profile: Profile, verdicts: list[Verdict]) -> dict[str, dict[str, str]]:
    """By check and first day what the newest release was warned of; it is accepted whatever that is."""
    [verdict] = verdicts
    assert not verdict.reasons
    assert not verdict.quarantined
    rows = read(profile, f"select expectation, observed from quality.validation_result where outcome = 'warn' and not success"
                         f" and release_key = {verdict.release_key}")  # fmt: skip
    told: dict[str, dict[str, str]] = {}
    for check, observed in rows:
        for day, text in re.findall(r"as of (\d{4}-\d\d-01): (.*?)(?=\||$)", str(observed)):
            told.setdefault(str(check), {})[day] = text
    return told


def test_x(warehouse: Profile) -> None:
    v = deliver(warehouse, "mol.kandas")
    print(v)
    print(read(warehouse, "select * from quality.validation_result where not success"))
    for k in ("base","sum","repeat"):
        for r in read(warehouse, f"select distinct period_end_date, {k}_finding from {core_schema()}.stg_mol__kandas where {k}_finding is not null order by 1"): print(r)
    for w in ("value","area","period","unit","member"):
        print(read(warehouse, f"select {w}_issue, count(*) from {core_schema()}.stg_mol__kandas group by 1"))
    print(read(warehouse, f"select measure, tolerance, min(value_as_sourced), count(*) from {core_schema()}.stg_mol__kandas group by 1,2"))
    assert 0
