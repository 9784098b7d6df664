"""CIS Stat's answers, spoilt: what gate 1 refuses of Kazakhstan's figures, and what gate 2 says of two agencies without holding either."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from expectations.intake import take_in
from expectations.settle import settle
from tests import small
from tests.conftest import new_profile
from tests.faults.test_meaning import Change, deliver, warned
from tests.state import read
from warehouse.profile import Profile

NAME = "cisstat.external_flows"
FACTS = ("4650866", "4679599", "44243", "44245")
ARRIVALS, DEPARTURES, BY_ORIGIN, BY_DESTINATION = FACTS


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory, template: str) -> Profile:
    """One warehouse for the module: each test delivers another answer, and none that is spoilt stands."""
    return new_profile(tmp_path_factory.mktemp("cisstat"), "koshi_cisstat", like=template)


def answers(**edits: Callable[[dict[str, Any]], None]) -> Change:
    """The answers of some facts (`of_<fact>`) are edited."""

    def change(bodies: list[bytes]) -> list[bytes]:
        found = dict(zip(FACTS, map(json.loads, bodies), strict=True))
        for name, edit in edits.items():
            edit(found[name.removeprefix("of_")])
        return [json.dumps(answer, ensure_ascii=False).encode() for answer in found.values()]

    return change


def rows(answer: dict[str, Any], **having: str) -> list[list[Any]]:
    """The rows of an answer that have these cells: country, partner, year."""
    header: list[str] = answer["data"][0]
    names = {"country": "Страны", "partner": "Территориальный справочник по миграции", "year": "Год"}
    places = {header.index(names[name]): value for name, value in having.items()}
    return [row for row in answer["data"][1:] if all(row[at] == value for at, value in places.items())]


def cell(value: object, **having: str) -> Callable[[dict[str, Any]], None]:
    """The figure of one row becomes another."""

    def edit(answer: dict[str, Any]) -> None:
        [row] = rows(answer, **having)
        row[answer["data"][0].index("Значение")] = value

    return edit


def gone(**having: str) -> Callable[[dict[str, Any]], None]:
    """One row is not there."""

    def edit(answer: dict[str, Any]) -> None:
        [row] = rows(answer, **having)
        answer["data"].remove(row)

    return edit


def _in_thousands(answer: dict[str, Any]) -> None:
    cell("477", **KAZ, partner=ALL, year="1994")(answer)


KAZ = {"country": "Казахстан"}
ALL, CIS, REST = "Международная миграция - всего", "Всего по странам СНГ", "Другие страны (исключая страны СНГ) - всего"
PARTNERS, WHOLE = "the partners of Kazakhstan make the CIS", "the CIS and the other countries make all that Kazakhstan reports"


def test_the_sound_answers_are_taken_whole(warehouse: Profile) -> None:
    verdicts = {verdict.slice: verdict for verdict in deliver(warehouse, NAME)}
    assert {name: (verdict.reasons, verdict.quarantined) for name, verdict in verdicts.items()} == dict.fromkeys(FACTS, ([], []))
    # 35 years and twice 10 sums; 10 years of 13 rows, and the mirrors: 439 figures, of which the sums of 10 years stand in both facts
    assert {name: verdict.rows for name, verdict in verdicts.items()} == {ARRIVALS: 55, DEPARTURES: 55, BY_ORIGIN: 187, BY_DESTINATION: 182}
    assert {verdict.edition for verdict in verdicts.values()} == {"2026-09-17T13:02:44.987380"}


SPOILT: dict[str, tuple[Change, str, str, tuple[str, ...]]] = {
    "a partner is one more": (
        answers(of_44243=cell("3600", **KAZ, partner="Россия", year="2020")), BY_ORIGIN, PARTNERS,
        ("2020, arrivals: 11 of 11 parts make 8278, CIS+UKR is 8277",),
    ),
    "a partner is missing": (
        answers(of_44245=gone(**KAZ, partner="Украина", year="2016")), BY_DESTINATION, PARTNERS,
        ("2016, departures: 10 of 10 parts make 31120, CIS+UKR is 31238",),
    ),
    "a partner has no figure": (
        answers(of_44243=cell("", **KAZ, partner="Казахстан", year="2025")), BY_ORIGIN, PARTNERS,
        ("2025, arrivals: 10 of 11 parts make 19429, CIS+UKR is 19429",),
    ),
    "the CIS is missing": (
        answers(of_44243=gone(**KAZ, partner=CIS, year="2019")), BY_ORIGIN, PARTNERS,
        ("2019, arrivals: 11 of 11 parts make 9401, CIS+UKR is missing",),
    ),
    "the other countries are one less": (
        answers(of_4650866=cell("2424", **KAZ, partner=REST, year="2022")), ARRIVALS, WHOLE,
        ("2022, arrivals: 2 of 2 parts make 17424, W1 is 17425",),
    ),
    "the total is missing": (
        answers(of_4679599=gone(**KAZ, partner=ALL, year="2023")), DEPARTURES, WHOLE,
        ("2023, departures: 2 of 2 parts make 16094, W1 is missing",),
    ),
    "a gap of a reporter that is written 0": (
        answers(of_44243=cell("0", country="Россия", partner="Казахстан", year="2023")), BY_ORIGIN,
        "no zero stands where the other years have 100 or more", ("found 0 in 2023", "have 64382 or more"),
    ),
    "a year in thousands": (
        answers(of_4679599=_in_thousands), DEPARTURES, "no year differs from the years beside it by a factor of 8", ("of 1994",),
    ),
    "thousands": (
        answers(of_4650866=cell("17.425", **KAZ, partner=ALL, year="2022")), ARRIVALS, "every value is readable", ("found 17.425",),
    ),
    "parts of persons": (
        answers(of_44243=cell("69356.5", country="Россия", partner="Казахстан", year="2016")), BY_ORIGIN, "persons are whole",
        ("found 69356.5", "/data/"),
    ),
    "another scale": (
        answers(of_44245=lambda answer: answer.update(valueScale=1000)), BY_DESTINATION, "every unit is readable", ("found scale '1000'",),
    ),
    "a name that nobody knows": (
        answers(of_44243=lambda answer: rows(answer, country="Россия", year="2016")[0].__setitem__(0, "Абхазия")), BY_ORIGIN,
        "every area is readable", ("'Абхазия'", "seed area_alias"),
    ),
    "a further column": (
        answers(of_4650866=lambda answer: answer["data"][0].__setitem__(1, "Страны(партнёр)")), ARRIVALS, "the answer is readable",
        ("/data/0/1", "Страны(партнёр)"),
    ),
    "a row twice": (
        answers(of_44245=lambda answer: answer["data"].append(rows(answer, country="Россия", year="2020")[0])), BY_DESTINATION,
        "one row for each", ("RUS, KAZ",),
    ),
    "no row of Kazakhstan": (
        answers(of_44243=lambda answer: answer.update(data=[row for row in answer["data"] if row[0] != "Казахстан"])), BY_ORIGIN,
        "Kazakhstan is among the reporters", ("no row of Kazakhstan",),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SPOILT)
def test_a_spoilt_answer_is_refused_alone_with_what_it_says(warehouse: Profile, name: str) -> None:
    change, place, check, told = SPOILT[name]
    said = {verdict.slice: " ".join(verdict.reasons) for verdict in deliver(warehouse, NAME, change) if verdict.reasons}
    assert list(said) == [place]
    assert check in said[place]
    assert all(text in said[place] for text in told), said


def test_rows_that_cannot_be_told_apart_or_are_of_others_are_no_facts_and_no_fault(warehouse: Profile) -> None:
    twice, inside = ("Неизвестно", "0", "5"), ("Внутри страны", "390987", "454213")

    def more(answer: dict[str, Any]) -> None:
        for name, *values in (twice, inside, ("Вся миграция", "1")):
            answer["data"] += [["Казахстан", name, "2020", value, None, None, "f", "1"] for value in values]
        answer["data"].append(["Армения", ALL, "2020", "5961", None, None, "f", "1"])

    found = [verdict for verdict in deliver(warehouse, NAME, answers(of_4650866=more)) if verdict.slice == ARRIVALS]
    assert [(verdict.reasons, verdict.quarantined) for verdict in found] == [([], [])]


def test_a_remark_is_told_and_rejects_nothing(warehouse: Profile) -> None:
    def remark(answer: dict[str, Any]) -> None:
        rows(answer, **KAZ, partner="Россия", year="2020")[0][5] = "без учёта чего-либо"

    assert [verdict.reasons for verdict in deliver(warehouse, NAME, answers(of_44243=remark)) if verdict.slice == BY_ORIGIN] == [[]]
    assert "Казахстан / Россия 2020: без учёта чего-либо" in warned(warehouse, NAME, "no figure comes with a remark")


def test_two_agencies_that_differ_are_told_with_both_figures_and_neither_is_held(profile: Profile) -> None:
    # of 2008 the bureau's arrivals are the known ones, its departures one more; every other year is a round figure of a test
    years = dict.fromkeys(range(2009, 2022), 20_000)
    small.put(profile, "external_arrivals", small.tree({2008: 46_113, **years}), "2026-03-01")
    small.put(profile, "external_departures", small.tree({2008: 44_814, **years, 2009: 33_985}), "2026-03-01")
    for dataset in ("external_arrivals", "external_departures"):
        assert not take_in(profile, "bns", dataset).rejected
    deliver(profile, NAME)
    found = settle(profile)
    assert (found.outcome, found.held) == ("published", [])
    [(severity, count, told)] = read(
        profile,
        "select severity, unexpected_count, observed from quality.validation_result where not success and outcome = 'warn'"
        " and expectation = 'CIS Stat says of Kazakhstan''s flows what the bureau says'",
    )
    # 13 years of both flows but for the departures of 2009, and of 2008 the figure that is not the known one
    assert (severity, count) == ("warning", 26)
    assert str(told).startswith(
        "2008, departures, W1: the bureau 44814, CIS Stat 45287; 2009, arrivals, W1: the bureau 20000, CIS Stat 41511;"
    )


def test_without_the_totals_of_one_flow_the_other_waits_and_no_gap_becomes_a_zero(profile: Profile) -> None:
    deliver(profile, NAME, SPOILT["the other countries are one less"][0])
    found = settle(profile)
    assert (found.outcome, len(found.held)) == ("published", 1)
    assert "waiting for cisstat.external_flows" in " ".join(found.reasons)
    # the partners stand, in place of the bureau's, which has not come; the other countries are of the totals' facts, and have no figure
    assert read(
        profile,
        "select counterpart_code, arrivals_persons, departures_persons, arrivals_total_persons, value_missing_reason, is_preferred"
        " from bi.migration_by_country_all where year = 2022 and counterpart_code in ('NON_CIS', 'RUS', 'W1') order by 1",
    ) == [
        ("NON_CIS", None, None, 17_425, "no figure in the current releases", True),
        ("RUS", 5_891, 19_383, 17_425, None, True),
        ("W1", 17_425, 24_147, 17_425, None, True),
    ]
    assert read(profile, "select count(*) from bi.migration_balance_all where arrivals_persons is not null") == [(0,)]
