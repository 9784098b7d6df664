"""What a delivery says must mean what it seems to: the sound answers of every dataset, each spoilt in one way, through gate 1."""

from __future__ import annotations

import io
import itertools
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from openpyxl import load_workbook
from openpyxl.worksheet.worksheet import Worksheet

from expectations.gate1 import Verdict
from expectations.intake import take_in
from extractors.archive import Archive, Snapshot, archive_of
from extractors.source import load_source
from sample.answer import store, workbook_bytes
from tests.conftest import new_profile
from tests.small import NOTE
from tests.state import read
from warehouse.profile import BUNDLED_ARCHIVE, Profile

BUNDLED = Archive(str(BUNDLED_ARCHIVE))
MINUTES = itertools.count(1)
Change = Callable[[list[bytes]], list[bytes]]


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory, template: str) -> Profile:
    """One warehouse for the module: each test delivers another answer, and none that is spoilt stands."""
    return new_profile(tmp_path_factory.mktemp("meaning"), "koshi_meaning", like=template)


def sound(name: str) -> list[Snapshot]:
    """The answers of the last bundled delivery of a dataset (the workbook of the population: of the delivery with all its sheets)."""
    source, _, dataset = name.partition(".")
    delivery = BUNDLED.deliveries(source, dataset)[0 if dataset == "population" else -1]
    return list(BUNDLED.snapshots(source, dataset, delivery))


def deliver(profile: Profile, name: str, change: Change | None = None) -> list[Verdict]:
    """Takes in the sound answers of a dataset with the change made to their bytes: what gate 1 says of each of their slices."""
    source, _, dataset = name.partition(".")
    snapshots = sound(name)
    bodies = [BUNDLED.body(snapshot) for snapshot in snapshots]
    asked = [snapshot.request for snapshot in snapshots]
    delivered = (datetime(2026, 12, 1, tzinfo=UTC) + timedelta(minutes=next(MINUTES))).isoformat()
    for number, (request, body) in enumerate(zip(asked, change(bodies) if change else bodies, strict=True), 1):
        store(
            archive_of(profile), load_source(source), dataset, request, body,
            delivered=delivered, content_type="application/octet-stream", note=NOTE, number=number,
        )  # fmt: skip
    return take_in(profile, source, dataset).verdicts


def text(*pairs: tuple[str, str]) -> Change:
    """Every first text in one of the answers becomes the second, once."""

    def change(bodies: list[bytes]) -> list[bytes]:
        found = list(bodies)
        for old, new in pairs:
            [number] = [number for number, body in enumerate(found) if old.encode() in body][:1]
            found[number] = found[number].replace(old.encode(), new.encode(), 1)
        return found

    return change


def cells(sheet: str, **values: object) -> Change:
    """Cells of a sheet get other values; `None` empties one."""

    def edit(book: Any) -> None:
        for cell, value in values.items():
            book[sheet][cell].value = value

    return workbook(edit)


def workbook(edit: Callable[[Any], None]) -> Change:
    """The one answer is a workbook, and is edited."""

    def change(bodies: list[bytes]) -> list[bytes]:
        book = load_workbook(io.BytesIO(bodies[0]))
        edit(book)
        modified = book.properties.modified
        return [workbook_bytes(book, modified.strftime("%Y-%m-%dT%H:%M:%SZ") if modified else None)]

    return change


def lines(edit: Callable[[str], str]) -> Change:
    """Every line of the answers but the first of each is edited."""

    def change(bodies: list[bytes]) -> list[bytes]:
        return ["\n".join([head, *map(edit, rest)]).encode() for head, *rest in (body.decode().split("\n") for body in bodies)]

    return change


def records(edit: Callable[[dict[str, Any]], None]) -> Change:
    """The elements of the JSON list, or of its list `records`, are edited."""

    def change(bodies: list[bytes]) -> list[bytes]:
        def edited(body: bytes) -> bytes:
            answer = json.loads(body)
            for record in answer if isinstance(answer, list) else answer.get("records", []):
                edit(record)
            return json.dumps(answer, ensure_ascii=False, separators=(",", ":")).encode()

        return [edited(body) for body in bodies]

    return change


def warned(profile: Profile, name: str, check: str) -> str:
    """What the check warned of in the dataset; nothing if it did not."""
    found = read(profile, "select dataset, expectation, observed from quality.validation_result where not success and outcome = 'warn'")
    return " ".join(str(observed) for dataset, expectation, observed in found if (dataset, expectation) == (name, check))


VALUE, AREA, MEMBER, READABLE = "every value is readable", "every area is readable", "every member is readable", "the answer is readable"


@dataclass(frozen=True)
class Case:
    """A kind of fault in one dataset: the change, the check that must name it, where, and whether it rejects, sets aside or warns."""

    kind: str
    dataset: str
    change: Change
    check: str
    places: tuple[str, ...]
    outcome: str = "rejected"

    def __str__(self) -> str:
        return f"{self.kind}, {self.dataset}"


def _spelt(*figures: str, kind: str = "a mark before three digits or a fraction") -> Iterator[Case]:
    """Three ways to write what is no whole number, in three cells of every dataset that counts."""
    comma, point, fraction = figures

    def case(dataset: str, change: Change, *places: str, outcome: str = "rejected") -> Case:
        return Case(kind, dataset, change, VALUE, places, outcome)

    yield case(
        "bns.external_arrivals",
        text(('"y122020": "11370"', f'"y122020": "{comma}"'), ('"y122021": "11039"', f'"y122021": "{point}"'),
             ('"y122022": "17425"', f'"y122022": {fraction}')),
        "/0/y122020", "/0/y122021", "/0/y122022",
    )  # fmt: skip
    yield case(
        "bns.births", text(('"10833"', f'"{comma}"'), ('"9930"', f'"{point}"'), ('"9450"', fraction)),
        "/0/periods/0/value", "/0/periods/1/value", "/0/periods/2/value", outcome="quarantined",
    )  # fmt: skip
    yield case(
        "bns.net_migration", text(('"-108 307"', f'"-{comma}"'), ('"41 184"', f'"{point}"'), ('"9 987"', f'"{fraction}"')),
        "line 2", "line 115", "line 116", outcome="quarantined",
    )  # fmt: skip
    yield case(
        "bns.internal_by_region",
        text(("15905,22308,-6403", f'"{comma}",{point},-{fraction}')), "2022, line 2, arrivals", "2022, line 2, departures", "net",
        outcome="quarantined",
    )  # fmt: skip
    yield case("bns.internal_matrix", text((",161\n", f',"{comma}"\n'), (",1198\n", f",{point}\n")), "line 2", "line 4")
    yield case("bns.external_by_country", text((",14796,", f',"{comma}",'), (",408,", f",{point},")), "line 2", "line 77")
    yield case("bns.all_flows_by_education", text((",111907,", f',"{comma}",'), (",110536,", f",{fraction},")), "line 12", "line 13")
    yield case("bns.flows_by_specialty", text((",172,", f',"{comma}",'), (",519,", f",{fraction},")), "line 2", "line 64")
    yield case("bns.kandas", text((",9077,", f',"{comma}",'), (",69.9,,exact,0.05", f",{point},,exact,0.05")), "line 2", "line 4")
    yield case(
        "mol.kandas",
        text((",17661,", f',"{comma}",'), (",15903,", f",{fraction},"), (",65.5,", f",{point},")),
        "line 12",
        "line 82",
        "line 3",
    )
    yield case(
        "bns.population", cells("Мужчины", Y10=comma, Y11=float(fraction), X10=point), "Мужчины!Y10", "Мужчины!Y11", outcome="quarantined"
    )
    yield case(
        "undesa.stock_by_destination", cells("Table 1", F31=comma, F32=float(point), F33=float(fraction)),
        "Table 1!F31", "Table 1!F32", "Table 1!F33",
    )  # fmt: skip
    yield case("undesa.population_by_destination", cells("Table 2", F31=602.81234, F32="9,451"), "Table 2!F31", "Table 2!F32")
    yield case(
        "iom.missing_migrants",
        text(('"total_dead_and_missing":"1"', f'"total_dead_and_missing":"{comma}"'), ('"number_dead":"2"', f'"number_dead":"{point}"')),
        "2018#/0", outcome="quarantined",
    )  # fmt: skip
    # the agency's own fractions come from estimates: only what may be thousands is no figure
    yield case("uis.inbound_and_net_flow", text(('"value":91,', f'"value":{point},'), ('"value":40,', f'"value":"{comma}",')), "/records/0")


def _year_is(year: str, value: object) -> Callable[[dict[str, Any]], None]:
    """An edit that gives every figure of a year the value; `value` may be a function of the figure."""

    def edit(record: dict[str, Any]) -> None:
        for period in record.get("periods", ()):
            if period["name"].startswith(year):
                period["value"] = value(period["value"]) if callable(value) else value
        if str(record.get("year")) == year:
            record["value"] = value(record["value"]) if callable(value) else value

    return edit


def _column(sheet: str, column: str, first: int, value: Callable[[Any], object]) -> Change:
    """The figures of a column from a line on become what `value` makes of them."""

    def edit(book: Any) -> None:
        page: Worksheet = book[sheet]
        for line in range(first, page.max_row + 1):
            cell: Any = page[f"{column}{line}"]
            if isinstance(cell.value, int | float):
                cell.value = value(cell.value)

    return workbook(edit)


def each_cell(edit: Callable[[Any], object]) -> Change:
    """Every filled cell of the workbook becomes what `edit` makes of it."""

    def every(book: Any) -> None:
        for page in book:
            for line in page.iter_rows():
                for cell in line:
                    if cell.value is not None:
                        cell.value = edit(cell.value)

    return workbook(every)


def _column_again(sheet: str, column: str, of: str) -> Change:
    """A column becomes a copy of another, but for its header."""

    def edit(book: Any) -> None:
        page: Worksheet = book[sheet]
        for line in range(2, page.max_row + 1):
            cell: Any = page[f"{column}{line}"]
            cell.value = page[f"{of}{line}"].value

    return workbook(edit)


def _another_edition(book: Any) -> None:
    for cell in itertools.chain.from_iterable(book["Table 1"].iter_rows(max_row=10)):
        if isinstance(cell.value, str):
            cell.value = cell.value.replace("Rev.2020", "Rev.2024")
    book["Table 1"]["F40"].value = 1_000


def _with_a_republic(bodies: list[bytes]) -> list[bytes]:
    republic = {
        "terms": [741880, 741917, 741935],
        "termNames": ["РЕСПУБЛИКА КАЗАХСТАН", "Всего", "Всего"],
        "periods": [{"name": "2024 год", "date": "31.12.2024", "value": "365000"}],
    }
    return [json.dumps([republic, *json.loads(bodies[0])], ensure_ascii=False).encode()]


def _matrix_of_2025_again(bodies: list[bytes]) -> list[bytes]:
    kept = [line for line in bodies[0].decode().split("\n") if line and not line.startswith("2025,")]
    return ["\n".join([*kept, *(f"2025{line[4:]}" for line in kept if line.startswith("2024,"))]).encode()]


def _of_2019(incident: dict[str, Any]) -> None:
    for field in ("web_id", "reported_date"):
        incident[field] = incident[field].replace("2018", "2019", 1)


def _placed_nowhere(incident: dict[str, Any]) -> None:
    incident["location_coodinates"] = "0, 0"


NO_ZERO, NO_ZEROS = "no zero stands where the other years have 100 or more", "no year is all zeros"
ONE_UNIT = "no year differs from the years beside it by a factor of 8"
NO_LEAP = "no figure differs from the years beside it by a factor of 8"
SEXES, EVERY_REGION = "men and women make all", "every region of the date has its row"
NO_COPY = "no year has the figures of another year"
ZERO = "a zero for what is not yet"
UNIT = "a part in another unit"
COPY = "the answer of another question"
NAME = "a name that contradicts its code"
TOTAL = "a total that contradicts its parts"
NOTE_ROW = "a figure beside a note"
HALF = "half a partition"

CASES = [
    *_spelt("9,451", "9.451", "22310.5"),
    # zeros
    Case(ZERO, "bns.external_arrivals", text(('"y122025": "23761"', '"y122025": "0"')), NO_ZERO, ("/0/y122025",)),
    Case(ZERO, "bns.births", records(_year_is("2024", "0")), NO_ZEROS, ("2024",)),
    Case(ZERO, "bns.births", text(('"9450"', '"0"')), NO_ZERO, ("/0/periods/2/value",), "quarantined"),
    Case(ZERO, "bns.net_migration", text(('"41 184"', '"0"')), NO_ZERO, ("line 115",), "quarantined"),
    Case(ZERO, "bns.internal_by_region", lines(lambda line: re.sub(r",[-\d]+,[-\d]+,[-\d]+$", ",0,0,0", line)), NO_ZEROS, ("all 40",)),
    Case(ZERO, "bns.internal_matrix", lines(lambda line: re.sub(r"^(2025,.*),\d+$", r"\1,0", line)), NO_ZEROS, ("all 380",)),
    Case(ZERO, "bns.internal_matrix", lines(lambda line: re.sub(r"^(2024,Abay,Almaty_city),\d+$", r"\1,0", line)), NO_ZERO, ("line ",)),
    Case(ZERO, "bns.population", _column("Все население", "Y", 2, lambda _: 0), NO_ZEROS, ("2023",)),
    Case(ZERO, "bns.population", cells("Все население", Y4=0), NO_ZERO, ("Все население!Y4",), "quarantined"),
    Case(ZERO, "uis.inbound_and_net_flow", records(_year_is("2019", 0)), NO_ZEROS, ("2019",)),
    Case(ZERO, "undesa.stock_by_destination", _column("Table 1", "L", 12, lambda _: 0), NO_ZERO, ("in 2020",)),
    Case(ZERO, "undesa.population_by_destination", cells("Table 2", L40=0), NO_ZERO, ("Table 2!L40",)),
    # units
    Case(UNIT, "bns.external_arrivals", text(('"y122025": "23761"', '"y122025": "24"')), ONE_UNIT, ("/0/y122025",)),
    Case(UNIT, "bns.births", records(_year_is("2024", lambda value: str(int(value) // 1000))), ONE_UNIT, ("2024",)),
    Case(UNIT, "bns.births", text(('"9450"', '"945"')), NO_LEAP, ("/0/periods/2/value",), "quarantined"),
    Case(UNIT, "bns.population", _column("Все население", "Y", 2, lambda value: round(value / 1000)), ONE_UNIT, ("2023",)),
    Case(UNIT, "bns.population", _column("Мужчины", "X", 9, lambda value: round(value / 10)), "men and women make all", ("2022",)),
    Case(UNIT, "bns.internal_matrix", lines(lambda line: re.sub(r"^(2025,.*,\d+)$", r"\g<1>000", line)), ONE_UNIT, ("2025",)),
    Case(UNIT, "uis.inbound_and_net_flow", records(_year_is("2019", lambda value: value / 1000)), ONE_UNIT, ("2019",)),
    Case(UNIT, "undesa.stock_by_destination", _column("Table 1", "L", 12, lambda value: value // 1000), SEXES, ("Table 1!L",)),
    # the answer of another question
    Case(COPY, "bns.internal_by_region", lambda bodies: [bodies[0], bodies[0]], NO_COPY, ("year 2023",)),
    Case(COPY, "bns.internal_matrix", _matrix_of_2025_again, NO_COPY, ("year 2025",)),
    Case(COPY, "bns.population", _column_again("Все население", "Y", "X"), NO_COPY, ("year 2023",)),
    Case(COPY, "bns.births", records(lambda cell: cell["periods"][2].update(value=cell["periods"][1]["value"])), NO_COPY, ("2024",)),
    Case(COPY, "iom.missing_migrants", records(_of_2019), "most incidents lie in the year that was asked for", ("1684 of 1684",)),
    Case(
        COPY, "undesa.stock_by_destination", workbook(_another_edition), "the workbook is of the edition that was asked for",
        ("asked for 2020",),
    ),
    # names
    Case(NAME, "bns.external_arrivals", text(("РЕСПУБЛИКА КАЗАХСТАН ", "ОБЛАСТЬ АБАЙ")), AREA, ("/0/y121991", "ОБЛАСТЬ АБАЙ")),
    Case(
        NAME, "bns.births", text(("77208141", "1"), ("247783", "77208141"), ('"terms":[1,', '"terms":[247783,')), AREA,
        ("/0/periods/0/value", "and 3 more"),
    ),
    Case(NAME, "bns.births", text(("АКМОЛИНСКАЯ ОБЛАСТЬ", "АКТЮБИНСКАЯ ОБЛАСТЬ")), AREA, ("/1/periods/0/value",), "quarantined"),
    Case(NAME, "bns.births", text(('"Всего"', '"городская местность"')), READABLE, ("/0/termNames/1",)),
    Case(NAME, "bns.population", cells("Мужчины", A7="Женщины"), READABLE, ("Мужчины!A7",)),
    Case(NAME, "undesa.stock_by_destination", cells("Table 1", D38=398), AREA, ("named", "398")),
    # totals
    Case(TOTAL, "bns.population", cells("Женщины", Y10=402_863), "men and women make all", ("11 2023",)),
    Case(TOTAL, "bns.births", _with_a_republic, "the regions add up to the republic", ("2024",)),
    Case(
        TOTAL, "iom.missing_migrants", text(('"total_dead_and_missing":"1"', '"total_dead_and_missing":""')),
        "no total is blank where a part is known", ("2018.MMP01629",), "warned",
    ),
    # notes
    Case(
        NOTE_ROW, "bns.population", cells("Все население", A23="1) в том числе г. Байконыр", Y23=36_200), AREA,
        ("Все население!Y23",), "quarantined",
    ),
    Case(NOTE_ROW, "bns.population", cells("Мужчины", D3=36_200), READABLE, ("Мужчины!D3",)),
    Case(NOTE_ROW, "undesa.stock_by_destination", cells("Table 1", B296="1) of whom", F296=100), READABLE, ("Table 1!D296",)),
    Case(NOTE_ROW, "undesa.stock_by_destination", cells("Table 1", F9=100), READABLE, ("Table 1!F9",)),
    # partitions
    Case(HALF, "bns.population", _column("Мужчины", "Y", 7, lambda _: None), READABLE, ("Мужчины!Y6", "2023")),
    Case(HALF, "bns.population", workbook(lambda book: book.remove(book["Мужчины"])), EVERY_REGION, ("sex M",)),
    Case(HALF, "bns.population", workbook(lambda book: book["Мужчины"].delete_rows(10)), EVERY_REGION, ("region 11",)),
    # places
    Case("a place that is none", "iom.missing_migrants", records(_placed_nowhere), MEMBER, ("'0, 0'",)),
]  # fmt: skip


@pytest.mark.parametrize("name", sorted({case.dataset for case in CASES}))
def test_the_sound_answers_of_every_dataset_are_taken(warehouse: Profile, name: str) -> None:
    verdicts = deliver(warehouse, name)
    # one year of the matrix is corrupt at the source
    assert {verdict.slice for verdict in verdicts if verdict.reasons} == ({"2022"} if name == "bns.internal_matrix" else set())
    assert verdicts


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_figure_that_does_not_mean_what_it_seems_to_is_named_with_its_place(warehouse: Profile, case: Case) -> None:
    verdicts = deliver(warehouse, case.dataset, case.change)
    rejected = [reason for verdict in verdicts for reason in verdict.reasons if reason.startswith(case.check)]
    pointers = [p for verdict in verdicts for p in verdict.quarantined if p["rule"] == case.check]
    told = {
        "rejected": " ".join(rejected),
        "quarantined": " ".join(f"{pointer['source_row']}: {pointer['detail']}" for pointer in pointers),
        "warned": warned(warehouse, case.dataset, case.check) if not rejected else "",
    }[case.outcome]
    assert told, [(verdict.slice, verdict.reasons, verdict.quarantined) for verdict in verdicts]
    assert all(place in told for place in case.places), told


OLD_NAMES = {
    "bns.population": each_cell(
        lambda value: {"г. Астана": "Г. НУР-СУЛТАН", "Абай": "Абайская", "Жетісу": "Жетысуская область"}.get(value, value)
    ),
    "bns.net_migration": lines(lambda line: line.replace("Г.АСТАНА", "г. Нур-Султан").replace("ОБЛАСТЬ ҰЛЫТАУ", "УЛЫТАУСКАЯ ОБЛАСТЬ")),
    "bns.births": text(("Г.АСТАНА", "город Нур-Султан"), ("ОБЛАСТЬ АБАЙ", "АБАЙСКАЯ ОБЛАСТЬ"), ("ОБЛАСТЬ ЖЕТІСУ", "Область Жетысу")),
    "bns.internal_by_region": lines(lambda line: line.replace("Astana city", "Nur-Sultan city").replace("Abay", "Abai")),
    "bns.internal_matrix": lines(lambda line: line.replace("Astana_city", "Nursultan_city")),
}  # fmt: skip


@pytest.mark.parametrize("name", OLD_NAMES)
def test_a_territory_is_known_by_the_names_that_it_had(warehouse: Profile, name: str) -> None:
    verdicts = deliver(warehouse, name, OLD_NAMES[name])
    assert verdicts
    assert {verdict.slice for verdict in verdicts if verdict.reasons} <= ({"2022"} if name == "bns.internal_matrix" else set())
    assert not any(verdict.quarantined for verdict in verdicts)


def test_a_name_means_what_it_meant_in_the_year_of_the_figure(warehouse: Profile) -> None:
    # the region that was divided ends with 2016 in the population series, and no figure of a later year is its own
    rename = each_cell(lambda value: "Южно-Казахстанская область" if value == "Туркестанская 1" else value)
    rejected = [verdict for verdict in deliver(warehouse, "bns.population", rename) if verdict.reasons]
    assert {verdict.slice[-10:-6] for verdict in rejected} == {str(year) for year in range(2017, 2024)}


def test_the_tree_of_arrivals_is_no_answer_about_departures(warehouse: Profile) -> None:
    deliver(warehouse, "bns.external_arrivals")
    arrivals = BUNDLED.body(sound("bns.external_arrivals")[0])
    [verdict] = deliver(warehouse, "bns.external_departures", lambda _: [arrivals])
    assert any("the figures are those of external_arrivals, one by one" in reason for reason in verdict.reasons)
    [accepted] = deliver(warehouse, "bns.external_departures")
    assert not accepted.reasons
