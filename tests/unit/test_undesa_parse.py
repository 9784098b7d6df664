"""Migrant stock workbooks made by hand: every trap of the source, one at a time."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

import pytest
from openpyxl import Workbook

from extractors.rows import WHOLE, ContractError, Parsed, Row
from extractors.source import SourceError, load_source
from extractors.undesa.client import requests
from extractors.undesa.parse import STOCK
from tests.asked import parse as read

SOURCE = load_source("undesa")
BLOCKS = SOURCE.dataset("stock_by_destination").request["blocks"]
HEADER = (None, "Region, development group, country or area", "Notes", "Location code", "Type of data")
YEARS = (2015, 2020)
KAZAKHSTAN = (88, "   Kazakhstan", None, 398, "B R", 3546060, 3732073, 1757828, 1850097, 1788232, 1881976)
LICENCE = "Copyright © 2020 by United Nations, made available under a Creative Commons license CC BY 3.0 IGO: see the deed"


def workbook(
    *lines: Sequence[Any],
    header: Sequence[Any] = (*HEADER, *YEARS, *YEARS, *YEARS),
    blocks: Sequence[str] = BLOCKS,
    code: str = "POP/DB/MIG/Stock/Rev.2020",
    licence: str = LICENCE,
    sheets: Sequence[str] = (),
    title: str = "Table 1",
) -> bytes:
    """A workbook in the layout of the destination file: blocks in row 8, the header in row 11, lines from row 12."""
    book = Workbook()
    sheet = book.worksheets[0]
    sheet.title = title
    sheet["E4"], sheet["E6"] = code, licence
    for number, block in enumerate(blocks):
        sheet.cell(8, header.index(YEARS[0]) + 1 + len(YEARS) * number, block)
    for row, cells in enumerate((header, *lines), start=11):
        for column, cell in enumerate(cells, start=1):
            sheet.cell(row, column, cell)
    for name in sheets:
        book.create_sheet(name)["B12"] = "a line"
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def parsed(body: bytes, dataset: str = "stock_by_destination") -> Parsed:
    """What the parser makes of one answer."""
    return read("undesa", SOURCE.dataset(dataset), [body])


def rows(body: bytes, dataset: str = "stock_by_destination") -> list[Row]:
    """The rows of the one slice."""
    return list(parsed(body, dataset).slices[WHOLE])


def column(name: str, found: list[Row]) -> list[str | None]:
    """One column of the rows."""
    return [row[1 + STOCK.index(name)] for row in found]


def test_every_cell_of_figures_is_a_row_with_its_address() -> None:
    found = rows(workbook(KAZAKHSTAN, (89, "   Kyrgyzstan", None, 417, "B R", 1, 2, 3, 4, 5, 6)))
    # 2 lines x 3 blocks x 2 years; the first figure stands in column F of row 12
    assert len(found) == 12
    assert found[0] == (
        "Table 1!F12",
        "Table 1",
        "International migrant stock at mid-year, both sexes combined",
        "88",
        "   Kazakhstan",
        None,
        None,
        "398",
        "B R",
        None,
        None,
        "2015",
        "3546060",
    )
    assert found[-1][0] == "Table 1!K13"
    assert column("block", found)[:6] == [block for block in BLOCKS for _ in YEARS]


def test_rows_that_are_written_many_at_once_say_what_each_says_alone() -> None:
    values = ("1 234", 'a "b", c', " 12\n", "..", 1.50, "007")
    lines = [(number, f'x, "{number}"', "a, b", 417, "B R", *values) for number in range(1000)]
    found = parsed(workbook(KAZAKHSTAN, *lines))
    alone = replace(found, slices={WHOLE: list(found.slices[WHOLE])})
    one, other = (
        [list(chain(*column)) for column in zip(*((b.addresses, b.lines, b.content) for b in each.blocks(WHOLE)), strict=True)]
        for each in (found, alone)
    )
    assert len(one[0]) == 6006
    assert one == other


def test_missing_suppressed_rounded_and_zero_stay_four_things() -> None:
    found = rows(workbook((1, "x", None, 4, "B", "..", "~", "—", 0, None, 0.0)))
    assert column("value", found) == ["..", "~", "—", "0", None, "0"]


def test_names_and_types_keep_their_blanks_and_asterisks() -> None:
    found = rows(workbook((1, "   Samoa*", 41, 882, "B R ", 1, 1, 1, 1, 1, 1)))
    assert (column("destination", found)[0], column("destination_notes", found)[0]) == ("   Samoa*", "41")
    assert column("data_type", found)[0] == "B R "


def test_an_aggregate_has_no_type_of_data() -> None:
    found = rows(workbook((1, "WORLD", None, 900, "", 1, 1, 1, 1, 1, 1)))
    assert column("data_type", found)[0] is None


def test_an_area_that_appears_twice_lands_twice_under_two_addresses() -> None:
    twice = (8, "  Australia and New Zealand", None, 927, "", 1, 2, 3, 4, 5, 6)
    found = rows(workbook(twice, (257, *twice[1:])))
    assert column("destination_code", found) == ["927"] * 12
    assert [row[0] for row in found][::6] == ["Table 1!F12", "Table 1!F13"]


def test_thousands_are_kept_as_sourced_and_said_in_the_block() -> None:
    titles = SOURCE.dataset("population_by_destination").request["blocks"]
    line = (88, "   Kazakhstan", None, 398, "B R", 17572.01, 18776.707, 1, 1, 1, 1)
    found = rows(workbook(line, blocks=titles, title="Table 2"), "population_by_destination")
    assert column("value", found)[1] == "18776.707"
    assert column("block", found)[1] == "Total population at mid-year, both sexes combined (thousands)"


def test_a_residual_origin_is_an_origin_like_any_other() -> None:
    header = (
        "Index",
        "Region, development group, country or area of destination",
        "Notes of destination",
        "Location code of destination",
        "Type of data of destination",
        "Region, development group, country or area of origin",
        "Location code of origin",
        *YEARS * 3,
    )
    others = (1, "Kazakhstan", None, 398, "B R", "Others", 2003, 1, 2, 3, 4, 5, 6)
    china = (2, "Kazakhstan", None, 398, "B R", "China", 156, 0, 0, 0, 0, 0, 0)
    found = rows(workbook(others, china, header=header), "stock_by_destination_and_origin")
    assert column("origin_code", found) == ["2003"] * 6 + ["156"] * 6
    # a pair that is listed with 0 is zero; a pair that is not listed has no row
    assert column("value", found)[6:] == ["0"] * 6


def test_the_edition_is_the_database_code_that_the_workbook_prints() -> None:
    assert parsed(workbook(KAZAKHSTAN)).edition == "2020"
    with pytest.raises(ContractError, match="POP/DB/MIG/Stock"):
        parsed(workbook(KAZAKHSTAN, code="International Migrant Stock"))


def test_a_workbook_that_prints_another_licence_is_refused() -> None:
    with pytest.raises(ContractError, match=r"Table 1!A6.*CC BY 3\.0 IGO"):
        parsed(workbook(KAZAKHSTAN, licence="Copyright © 2024 by United Nations, CC BY-NC-ND 4.0"))
    assert parsed(workbook(KAZAKHSTAN, licence="")).edition == "2020"


def test_the_other_tables_are_counted_as_out_of_scope_and_the_notes_are_not() -> None:
    # Table 2 and Table 3 hold one line each below the header
    assert parsed(workbook(KAZAKHSTAN, sheets=("Table 2", "Table 3", "Notes"))).out_of_scope == 2


def test_rows_are_read_as_they_are_taken_and_can_be_read_again() -> None:
    slices = parsed(workbook(KAZAKHSTAN)).slices[WHOLE]
    assert not isinstance(slices, list)
    assert list(slices) == list(slices)


@pytest.mark.parametrize(
    ("body", "position"),
    [
        (b"", "byte 0"),
        (b"<html>403 Forbidden</html>", "byte 0"),
        (workbook(KAZAKHSTAN)[:3000], "byte 0"),
        (workbook(KAZAKHSTAN, sheets=("Annex",)), "sheet 'Annex'"),
        (workbook(KAZAKHSTAN, title="Table 7"), "the workbook"),
        (workbook(KAZAKHSTAN, blocks=("Refugees", "Men", "Women")), "Table 1!F11"),
        (workbook(KAZAKHSTAN, blocks=BLOCKS[:1]), "Table 1!A11"),
        (workbook(KAZAKHSTAN, header=(*HEADER, 2015, 2020, 2015, 2020, 2015, 2024)), "Table 1!A11"),
        (workbook(KAZAKHSTAN, header=(*HEADER[:3], "Code", "Type of data", *YEARS * 3)), "Table 1!D11"),
        (workbook(KAZAKHSTAN, header=(*HEADER[:3], None, "Type of data", *YEARS * 3)), "Table 1!A11"),
    ],
)
def test_an_answer_that_is_not_the_known_workbook_is_refused_with_its_position(body: bytes, position: str) -> None:
    with pytest.raises(ContractError) as caught:
        parsed(body)
    assert caught.value.position == position


def test_a_line_without_location_code_or_with_a_stray_cell_is_refused() -> None:
    with pytest.raises(ContractError, match="Table 1!D12: expected a destination code"):
        rows(workbook((1, "Nowhere", None, None, "B", 1, 2, 3, 4, 5, 6)))
    with pytest.raises(ContractError, match="Table 1!L12: expected no cell outside the header"):
        rows(workbook((*KAZAKHSTAN, "see note")))


@pytest.mark.parametrize(("at", "edition"), [("2021-01-25T19:38:13+00:00", "2020"), ("20250127T000000+0000", "2024"), ("9999", "2024")])
def test_a_delivery_asks_for_the_newest_edition_that_was_out_when_it_began(at: str, edition: str) -> None:
    [request] = requests(SOURCE, SOURCE.dataset("stock_by_destination_and_origin"), at)
    assert request.method == "GET"
    assert request.url.endswith(f"/files/undesa_pd_{edition}_ims_stock_by_sex_destination_and_origin.xlsx")


def test_before_the_first_edition_there_is_nothing_to_ask_for() -> None:
    with pytest.raises(SourceError, match="no edition was out"):
        requests(SOURCE, SOURCE.dataset("stock_by_destination"), "2019-01-01")
