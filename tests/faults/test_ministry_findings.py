"""What the Ministry of Labour's releases print oddly is found and told, and stands as printed."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence

import pytest

from tests.conftest import new_profile
from tests.faults.test_meaning import deliver, warned
from tests.state import read
from warehouse.fingerprint import core_schema
from warehouse.profile import Profile

Rows = list[dict[str, str]]
Misprint = Callable[[Rows], None]
Findings = dict[tuple[str, str], str]
BASE_OF_2023 = "since 1991 less since the start of the year is {} thousand, expected 1107.1 ± 0.15, as 6 of 8 releases of the year"
# Each with its arithmetic: 1,111.1 - 4.575 and 1,112.6 - 6.144, where 1,107.1 is the base of 2023; 96.6 + 10.3 + 7.1 + 4.0 + 8.7; …
AS_PRINTED = {
    ("base", "2023-04"): BASE_OF_2023.format("1106.525"),
    ("base", "2023-05"): BASE_OF_2023.format("1106.456"),
    ("sum", "2020-11"): "4 shares by origin make 96.8, expected 100 ± 0.3",
    ("sum", "2021-11"): "3 shares by education make 96.7, expected 100 ± 0.3",
    ("sum", "2022-08"): "5 shares by origin make 126.7, expected 100 ± 0.3",
    ("sum", "2023-05"): "6 shares by origin make 97.4, expected 100 ± 0.3",
    ("sum", "2023-08"): "3 shares by age make 320, expected 100 ± 0.3",
    ("sum", "2023-09"): "3 shares by education make 91.2, expected 100 ± 0.3",
    ("repeat", "2023-03"): "every share is that of the release as of 2023-02-01",
}  # fmt: skip

CHECKS = {
    "base": "the totals of a year make one base",
    "sum": "complete shares by {} make 100",
    "repeat": "no release repeats every share of the one before",
}


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory, template: str) -> Profile:
    """One warehouse for the module: each test delivers the releases with other misprints."""
    return new_profile(tmp_path_factory.mktemp("ministry"), "koshi_ministry", like=template)


def printed(month: str, since: str, breakdown: str, member: str, **cells: str) -> Misprint:
    """Cells of one figure are printed otherwise."""

    def change(rows: Rows) -> None:
        place = f"{month}-01", since, breakdown, member
        [row] = [row for row in rows if (row["as_of"], row["counted_since"], row["breakdown"], row["member"]) == place]
        row.update(cells)

    return change


def repeated(month: str, before: str, but: str = "") -> Misprint:
    """Every share of a release is that of another, but for one member."""

    def change(rows: Rows) -> None:
        shares = [row for row in rows if row["unit"].startswith("percent") and row["member"] != but]
        old = {(row["breakdown"], row["member"]): row["value"] for row in shares if row["as_of"] == f"{before}-01"}
        for row in shares:
            if row["as_of"] == f"{month}-01":
                row["value"] = old[row["breakdown"], row["member"]]

    return change


def without(month: str, breakdown: str, *members: str) -> Misprint:
    """Some figures of a release are not printed."""

    def change(rows: Rows) -> None:
        rows[:] = [row for row in rows if (row["as_of"], row["breakdown"]) != (f"{month}-01", breakdown) or row["member"] not in members]

    return change


def found(profile: Profile, *misprints: Misprint) -> Findings:
    """What staging says of the releases, by kind and month, once they are taken in with the misprints; no figure is refused for one."""

    def change(bodies: list[bytes]) -> list[bytes]:
        rows = list(csv.DictReader(io.StringIO(bodies[0].decode())))
        for misprint in misprints:
            misprint(rows)
        out = io.StringIO()
        table = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
        return [out.getvalue().encode()]

    [verdict] = deliver(profile, "mol.kandas", change)
    assert not verdict.quarantined
    assert not [reason for reason in verdict.reasons if "release below" not in reason]
    rows = read(
        profile,
        f"select distinct kind, to_char(period_end_date + 1, 'YYYY-MM'), finding from {core_schema()}.stg_mol__kandas"
        " cross join lateral (values ('base', base_finding), ('sum', sum_finding), ('repeat', repeat_finding)) as told (kind, finding)"
        f" where finding is not null and release_key = {verdict.release_key}",
    )
    assert len({row[:2] for row in rows}) == len(rows)
    return {(str(kind), str(month)): str(finding) for kind, month, finding in rows}


def test_what_the_press_prints_oddly_is_named_and_nothing_else_is(warehouse: Profile) -> None:
    assert found(warehouse) == AS_PRINTED
    for (kind, month), finding in AS_PRINTED.items():
        check = CHECKS[kind].format(finding.partition(" by ")[2].partition(" ")[0])
        assert f"as of {month}-01: {finding}" in warned(warehouse, "mol.kandas", check)


# misprints of one delivery, and what is found beside what is printed oddly anyway
MISPRINTED = [
    (
        # 1,175.6 - 9.586 in 2025; 1,105.7 - 18.788 in 2022
        [printed("2025-09", "1991", "all", "total", value="1175.6"), printed("2022-12", "2022", "all", "total", value="18788"),
         printed("2024-02", "2024", "age", "working_age", value="65.2"), printed("2025-11", "2025", "education", "tertiary", value="51.2"),
         repeated("2025-10", "2025-09")],
        {("base", "2025-09"): "expected 1148.0 ± 0.15, as 6 of 7 releases", ("base", "2022-12"): "expected 1087.8 ± 0.15, as 3 of 4",
         ("sum", "2024-02"): "3 shares by age make 109", ("sum", "2025-11"): "4 shares by education make 136",
         ("repeat", "2025-10"): "that of the release as of 2025-09-01"},
    ),
    (
        # 1,157.6 - 5.986; a list that lacks the rest; a release that prints fewer breakdowns repeats all that it prints
        [printed("2025-09", "2025", "all", "total", value="5986"), without("2025-11", "origin", "OTHER"), repeated("2024-08", "2024-07")],
        {("base", "2025-09"): "expected 1148.0 ± 0.15, as 6 of 7 releases", ("sum", "2025-11"): "5 shares by origin make 97.5",
         ("repeat", "2024-08"): "that of the release as of 2024-07-01"},
    ),
    (
        # 1,156.1 - 8.151 is 1,147.949, within print; about; of an unknown day; 100.3; an excerpt; regions; all shares repeated but one
        [printed("2025-08", "2025", "all", "total", value="8151"),
         printed("2025-09", "2025", "all", "total", value="5000", qualifier="about"),
         printed("2025-10", "2025", "all", "total", value="5000", date_remark="date_not_printed"),
         printed("2024-02", "2024", "age", "working_age", value="56.5"), without("2025-12", "age", "working_age"),
         printed("2023-06", "2023", "region", "Shymkent", value="1.7"), repeated("2025-11", "2025-10", but="pension_age")],
        {},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("misprints", "new"), MISPRINTED)
def test_a_misprint_of_any_month_is_found_and_what_is_within_print_is_not(
    warehouse: Profile, misprints: Sequence[Misprint], new: Mapping[tuple[str, str], str]
) -> None:
    told = found(warehouse, *misprints)
    assert told.keys() == AS_PRINTED.keys() | new.keys()
    for place, finding in new.items():
        assert finding in told[place]


def test_two_totals_that_agree_on_nothing_are_both_named(warehouse: Profile) -> None:
    def change(rows: Rows) -> None:
        rows[:] = [row for row in rows if row["counted_since"] != "2022" or row["as_of"] in ("2022-07-01", "2022-08-01")]
        printed("2022-08", "2022", "all", "total", value="8077")(rows)

    told = found(warehouse, change)
    for month in ("2022-07", "2022-08"):
        assert "most of the 2 releases of the year agree on nothing" in told["base", month]
