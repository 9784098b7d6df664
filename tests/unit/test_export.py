"""How far a row may be handed on, and what a workbook and a run make of what they are given."""

from __future__ import annotations

import csv
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from openpyxl import load_workbook

import reporting.export as extra
from extractors.source import CLASSES, Redistribution, load_source
from reporting.export import tables
from reporting.export.errors import ExportError
from reporting.export.read import Column
from reporting.export.terms import Grounds, Made, Period, Release, spans
from warehouse import meaning
from warehouse.profile import ROOT

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_a_row_is_of_the_strictest_class_that_it_can_rest_on() -> None:
    said: tuple[tuple[str, str, Redistribution], ...] = (
        ("a", "Bureau", "open"),
        ("b", "Bureau", "open"),
        ("c", "Committee", "unknown"),
        ("u", "Institute", "share-alike"),
        ("m", "Ministry", "quote-only"),
    )
    releases = {key: Release(key, f"s.{key}", Made(made, "", "", may)) for key, made, may in said}
    releases["c"] = Release(
        "c", "s.c", Made("Bureau", "", "", "open"), {(date(1990, 1, 1), date(1990, 12, 31)): Made("Committee", "", "", "unknown")}
    )
    grounds = Grounds(releases, {"k": frozenset({"a", "b"}), "l": frozenset({"a", "c"})})

    def of(keys: dict[str, str | None], sources: str | None, *, has_figures: bool = True) -> str:
        return grounds.of(keys, sources, has_figures=has_figures)[0]

    assert of({"k": "a", "l": "u"}, "Bureau; Institute") == "share-alike"
    assert of({"k": "a", "l": "m"}, "Bureau; Ministry") == "quote-only"
    assert of({"k": "a"}, "Bureau; Institute") == "share-alike"  # no key explains the Institute
    assert of({"k": "a"}, "Bureau; Somebody") == "unknown"
    assert of({"k": None}, "Bureau") == "open"  # of several releases, all that the column has
    assert of({"l": None}, "Bureau") == "unknown"
    assert of({"n": None}, "Bureau") == "unknown"  # the column names none anywhere: any release of the Bureau's
    assert of({"k": None}, None) == "open"
    assert of({"l": None}, None) == "unknown"
    assert of({"l": None}, None, has_figures=False) == "open"
    assert of({"k": "z"}, "Bureau") == "unknown"
    assert of({}, None) == "unknown"


def test_figures_of_another_agency_keep_its_terms_in_the_years_that_it_made() -> None:
    """The bureau's copy is open but for the years of the committee, and a sum over both is the committee's as well."""
    years: dict[Period, Made] = {(date(y, 1, 1), date(y, 12, 31)): Made("Committee", "", "not known", "unknown") for y in (1998, 1999)}
    filled = Release("f", "s.flows", Made("Bureau", "", "free", "open"), years)
    grounds = Grounds({"f": filled, "n": Release("n", "s.people", Made("Bureau", "", "free", "open"))}, {"k": frozenset({"f"})})

    def of(first: int | None, last: int, key: str | None = "f", sources: str | None = "Bureau") -> str:
        period = (date(first, 1, 1), date(last, 12, 31)) if first else None
        return grounds.of({"k": key}, sources, period=period)[0]

    assert [of(year, year) for year in (1997, 1998, 1999, 2000)] == ["open", "unknown", "unknown", "open"]
    assert (of(1991, 2000), of(2000, 2025)) == ("unknown", "open")
    assert (of(None, 0), of(1999, 1999, "n")) == ("unknown", "open")
    assert of(2000, 2000, "f", "Bureau; Committee") == "unknown"  # who is named counts, whatever the year
    assert (of(1999, 2000, None), of(2000, 2001, None)) == ("unknown", "open")  # a sum of several releases


def test_periods_are_told_in_years() -> None:
    years = [(date(y, 1, 1), date(y, 12, 31)) for y in (1999, 1991, 1992, 2001)]
    assert spans([*years, (date(1991, 1, 1), date(2021, 12, 31)), (date(2001, 7, 1), date(2001, 7, 31))]) == (
        "1991–1992, 1999, 2001, 1991–2021 together"
    )
    assert spans([]) == ""


def test_who_else_made_figures_is_declared_with_the_dataset() -> None:
    """A dataset that an origin is known of says how far such figures may be handed on, so that nothing has to look into its answers."""
    with (ROOT / "dbt" / "seeds" / "series_origin.csv").open(encoding="utf-8", newline="") as file:
        origins = [(row["source_code"], row["dataset"]) for row in csv.DictReader(file)]
    assert origins
    for source, name in origins:
        dataset = load_source(source).datasets[name]
        assert dataset.redistribution_of_others is not None, (source, name)
        assert dataset.narrowest == dataset.redistribution_of_others
    stock = load_source("undesa").datasets["stock_by_destination_and_origin"]
    assert (stock.may("2020"), stock.may("2024"), stock.narrowest) == ("open", "unknown", "unknown")
    assert meaning.HANDED_ON == CLASSES


def _workbook(file: Path, *values: object) -> Path:
    tables.to_workbook([("data", ["value"], [[value] for value in values])], AT, file)
    return file


@pytest.mark.parametrize(
    ("value", "kept", "kind"),
    [
        ("=1+1", "=1+1", "s"),
        ("#N/A", "#N/A", "s"),
        ("-6,722", "-6,722", "s"),
        ("007", "007", "s"),
        (-6722, -6722, "n"),
        (Decimal("12.3400"), 12.34, "n"),
        (999999999999999, 999999999999999, "n"),
        (8825921345982090380, "8825921345982090380", "s"),  # a workbook has 15 digits
        (Decimal("1234567890123456.78"), "1234567890123456.78", "s"),
        (False, False, "b"),
    ],
)
def test_text_is_text_and_a_number_is_a_number_that_a_workbook_can_keep(tmp_path: Path, value: object, kept: object, kind: str) -> None:
    cell = load_workbook(_workbook(tmp_path / "w.xlsx", value))["data"]["A2"]
    assert (cell.value, cell.data_type) == (kept, kind)


@pytest.mark.parametrize("value", ["a\x07b", "x" * 32_768])
def test_what_no_cell_can_hold_is_refused_by_its_place(tmp_path: Path, value: str) -> None:
    with pytest.raises(ExportError, match=r"w\.xlsx, sheet data, row 3: a cell holds at most 32,767 characters"):
        _workbook(tmp_path / "w.xlsx", "fine", value)


def test_a_workbook_says_when_it_was_published_and_never_when_it_was_written(tmp_path: Path) -> None:
    one, other = _workbook(tmp_path / "a.xlsx", "x", 1), _workbook(tmp_path / "b.xlsx", "x", 1)
    assert one.read_bytes() == other.read_bytes()
    properties = load_workbook(one).properties
    assert properties.created == properties.modified == AT.replace(tzinfo=None)


def test_a_type_without_a_form_in_files_is_refused_by_name() -> None:
    assert tables.type_of("mart", Column("share_pct", "numeric(12,4)", "")) == pa.decimal128(12, 4)
    assert tables.type_of("mart", Column("release_key", "bigint", "")) == pa.string()
    with pytest.raises(ExportError, match=r"mart\.place is of type point, which has no form in files: expected one of smallint"):
        tables.type_of("mart", Column("place", "point", ""))


def test_a_run_exports_where_the_extra_is_installed_and_nobody_says_no(monkeypatch: pytest.MonkeyPatch) -> None:
    assert extra.unwanted() == "KOSHI_EXPORT=0: no run makes an export"
    monkeypatch.delenv("KOSHI_EXPORT")
    assert extra.unwanted() == ""
    monkeypatch.setattr(extra, "NEEDS", ("duckdb", "no_such_module"))
    assert extra.unwanted() == extra.missing()
    assert extra.missing().startswith("no_such_module not installed: `make export` installs the extra `export`")
