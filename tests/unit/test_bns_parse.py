"""The bureau's parsers: what they read, and what they refuse. All bytes are made by hand in the bureau's shapes."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from typing import Any

import pytest
from openpyxl import Workbook

from extractors.bns.client import requests
from extractors.bns.printed import PRINTED
from extractors.bns.table import TABLE
from extractors.bns.taldau import TALDAU
from extractors.rows import WHOLE, ContractError, Parsed, Row
from tests import asked
from tests.asked import as_bundled

SOURCE = as_bundled("bns")
ELEMENT_HEADER = (
    "NAM", "DAT", "PERIOD", "КАТО(по каталогу)", "LКАТО(по каталогу)", "СПТМ (по каталогу)", "LСПТМ (по каталогу)",
    "КН", "LКН", "СП", "LСП", "VAL",
)  # fmt: skip
NAM = "Сальдо миграции по всем потокам(Человек)"
HTML = "<!DOCTYPE html><html><body>Индекс за пределами диапазона</body></html>".encode()


def read(dataset: str, *bodies: bytes) -> Parsed:
    return asked.parse("bns", SOURCE.dataset(dataset), bodies)


def rows_of(parsed: Parsed, name: str = WHOLE) -> list[dict[str, str | None]]:
    return [dict(zip(("_row", *parsed.columns), row, strict=True)) for row in parsed.slices[name]]


def values(parsed: Parsed, name: str = WHOLE) -> list[str | None]:
    return [row["value"] for row in rows_of(parsed, name)]


def tree(**periods: object) -> bytes:
    node = {"id": "741880", "text": "РЕСПУБЛИКА КАЗАХСТАН ", "leaf": "false", "expanded": "false", "measureName": "Человек", **periods}
    return json.dumps([node], ensure_ascii=False).encode()


def element(*changes: dict[str, str], header: tuple[str, ...] = ELEMENT_HEADER) -> bytes:
    """An element file with one line for each of the changes to a line of the republic in 2017."""
    lines = ["\t".join(f'"{name}"' for name in header)]
    for change in changes:
        cells = dict.fromkeys(header, "0") | {
            "NAM": NAM, "DAT": "2017 год", "PERIOD": "201712", "КАТО(по каталогу)": "РЕСПУБЛИКА КАЗАХСТАН",
            "СПТМ (по каталогу)": "Всего", "КН": "Всего", "СП": "Всего", "VAL": "24 876",
        }  # fmt: skip
        lines.append("\t".join(f'"{(cells | change)[name]}"' for name in header))
    return ("\n".join(lines) + "\n").encode()


def cube(*cells: dict[str, Any]) -> bytes:
    """The flat cube of an element with one cell for each of the changes to the region of Abai in 2023."""
    whole = {
        "terms": [77208141, 741917, 741935],
        "termNames": ["ОБЛАСТЬ АБАЙ", "Всего", "Всего"],
        "periods": [{"name": "2023 год", "date": "31.12.2023", "value": "4532"}],
    }
    return json.dumps([whole | change for change in cells], ensure_ascii=False).encode()


def workbook(sheets: dict[str, list[list[object]]]) -> bytes:
    book = Workbook()
    book.remove(book.worksheets[0])
    for title, lines in sheets.items():
        sheet = book.create_sheet(title)
        for line in lines:
            sheet.append(line)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def test_every_declared_dataset_has_requests_without_a_secret() -> None:
    for name, dataset in SOURCE.datasets.items():
        asked = requests(SOURCE, dataset)
        assert asked, name
        assert len({request.fingerprint for request in asked}) == len(asked)
        assert not any(word in str(asked).lower() for word in ("key=", "token", "password", "@"))


@pytest.mark.parametrize("dataset", ["external_arrivals", "natural_increase", "population", "net_migration", "internal_matrix", "kandas"])
def test_no_bytes_are_refused_by_name(dataset: str) -> None:
    with pytest.raises(ContractError, match=r"at byte 0: .*0 bytes"):
        read(dataset, b"")


@pytest.mark.parametrize("dataset", ["external_arrivals", "births", "net_migration", "internal_matrix", "kandas"])
def test_a_page_instead_of_data_is_refused_as_a_page(dataset: str) -> None:
    with pytest.raises(ContractError, match="found an HTML page"):
        read(dataset, HTML)


def test_a_page_instead_of_a_workbook_is_refused() -> None:
    with pytest.raises(ContractError, match="expected an XLSX workbook"):
        read("population", HTML)


@pytest.mark.parametrize("dataset", ["external_arrivals", "births"])
def test_half_a_json_document_is_refused_with_line_and_column(dataset: str) -> None:
    whole = tree(y122023="25387")
    with pytest.raises(ContractError, match=r"at line 1 column \d+: expected a JSON document"):
        read(dataset, whole[: len(whole) // 2 + 1])


def test_text_that_is_not_utf8_is_refused_with_the_byte() -> None:
    with pytest.raises(ContractError, match="at byte 1: expected UTF-8 text"):
        read("net_migration", b'"\xcd\xe0')


def test_the_tree_keeps_text_as_sourced_and_reads_through_a_byte_order_mark() -> None:
    parsed = read("external_arrivals", b"\xef\xbb\xbf" + tree(**{"y122024 ": "29 282", "y122023": None}))
    assert parsed.columns == TALDAU
    assert [(row["_row"], row["period"], row["term_name"], row["value"]) for row in rows_of(parsed)] == [
        ("/0/y122024", "122024", "РЕСПУБЛИКА КАЗАХСТАН ", "29 282"),
        ("/0/y122023", "122023", "РЕСПУБЛИКА КАЗАХСТАН ", None),
    ]


def test_the_tree_rejects_the_period_of_the_element_file() -> None:
    # 201712 would be month 20
    with pytest.raises(ContractError, match="/0/y201712: expected a period key such as y122023"):
        read("external_arrivals", tree(y201712="15595"))


def test_the_element_file_rejects_the_period_of_the_tree() -> None:
    with pytest.raises(ContractError, match="line 2, PERIOD: expected YYYYMM"):
        read("net_migration", element({"PERIOD": "122017"}))


def test_a_period_whose_name_says_otherwise_is_refused() -> None:
    with pytest.raises(ContractError, match="'201712' for '2018 год'"):
        read("net_migration", element({"DAT": "2018 год"}))


def test_the_star_of_a_preliminary_figure_goes_with_the_period() -> None:
    assert rows_of(read("net_migration", element({"DAT": "2017 год*"})))[0]["period"] == "201712*"
    starred = {"periods": [{"name": "2023 год *", "date": "31.12.2023", "value": "1"}]}
    assert rows_of(read("births", cube(starred)))[0]["period"] == "31.12.2023*"


@pytest.mark.parametrize("mark", ["x", "х", "-", "-5 561", "\u22125\u00a0561", "40,1", "-5\u202f561", "x1", "24 876*"])
def test_figures_gap_marks_and_nonsense_stay_the_text_that_they_are(mark: str) -> None:
    assert values(read("net_migration", element({"VAL": mark}))) == [mark]
    assert values(read("births", cube({"periods": [{"name": "2023 год", "date": "31.12.2023", "value": mark}]}))) == [mark]
    assert values(read("external_arrivals", tree(y122023=mark))) == [mark]


def test_nothing_is_none_and_a_printed_zero_is_a_zero() -> None:
    assert values(read("net_migration", element({"VAL": ""}, {"VAL": "0"}))) == [None, "0"]
    assert values(read("births", cube({"periods": [{"name": "2023 год", "date": "31.12.2023", "value": None}]}))) == [None]


def test_an_element_line_lands_under_the_columns_of_the_raw_table() -> None:
    parsed = read("net_migration", element({"СПТМ (по каталогу)": "городская местность"}))
    assert parsed.columns == TABLE
    row = rows_of(parsed)[0]
    assert {key: value for key, value in row.items() if value is not None} == {
        "_row": "line 2",
        "element_id": "6567",
        "indicator": "Сальдо миграции по всем потокам",
        "unit": "Человек",
        "territory": "РЕСПУБЛИКА КАЗАХСТАН",
        "locality": "городская местность",
        "ethnicity": "Всего",
        "sex": "Всего",
        "period": "201712",
        "value": "24 876",
    }


@pytest.mark.parametrize("name", ["Общий коэффициент рождаемости(Человек)", "Сальдо миграции по всем потокам(Тысяч человек)"])
def test_another_indicator_or_unit_is_refused(name: str) -> None:
    with pytest.raises(ContractError, match="line 2, NAM: expected 'Сальдо миграции по всем потокам\\(Человек\\)'"):
        read("net_migration", element({"NAM": name}))


def test_districts_are_counted_and_an_unknown_name_is_left_to_gate_1() -> None:
    parsed = read(
        "net_migration",
        element(*({"КАТО(по каталогу)": name} for name in ("АБАЙСКИЙ РАЙОН", "РАЙОН ТЕРЕҢКӨЛ", "ТЕКЕЛИ Г.А.", "Г.АЛМАТЫ", "НОВЫЙ КРАЙ"))),
    )
    assert [row["territory"] for row in rows_of(parsed)] == ["Г.АЛМАТЫ", "НОВЫЙ КРАЙ"]
    assert parsed.out_of_scope == 3


def test_a_territory_without_a_total_gets_none_and_a_missing_year_no_zero() -> None:
    parsed = read("net_migration", element({"КАТО(по каталогу)": "Г.АЛМАТЫ", "СПТМ (по каталогу)": "городская местность"}))
    assert [row["locality"] for row in rows_of(parsed)] == ["городская местность"]


def test_years_in_any_order_keep_the_order_of_the_file() -> None:
    lines = [{"DAT": f"{year} год", "PERIOD": f"{year}12"} for year in (2017, 2012, 2014)]
    assert [row["period"] for row in rows_of(read("net_migration", element(*lines)))] == ["201712", "201212", "201412"]


def test_an_unknown_column_a_level_that_is_not_zero_and_a_missing_column_are_refused() -> None:
    with pytest.raises(ContractError, match="line 1: expected only columns that are known, found 'НОВОЕ'"):
        read("net_migration", element({}, header=(*ELEMENT_HEADER, "НОВОЕ")))
    with pytest.raises(ContractError, match="line 2, LСП: expected '0'"):
        read("net_migration", element({"LСП": "1"}))
    with pytest.raises(ContractError, match="no VAL"):
        read("net_migration", element({}, header=ELEMENT_HEADER[:-1]))


def test_a_file_cut_inside_a_line_is_refused_with_the_line() -> None:
    whole = element({}, {})
    with pytest.raises(ContractError, match="line 3: expected a complete record"):
        read("net_migration", whole[:-4])
    with pytest.raises(ContractError, match="line 3: expected 12 cells, as the header has, found 11"):
        read("net_migration", whole[: whole.rindex(b"\t")])


def test_a_cube_cell_keeps_its_terms_and_a_district_is_counted() -> None:
    district = {"terms": [1, 741917, 741935], "termNames": ["АБАЙСКИЙ РАЙОН", "Всего", "Всего"]}
    parsed = read("natural_increase", cube({}, district))
    assert parsed.out_of_scope == 1
    row = rows_of(parsed)[0]
    assert (row["_row"], row["index_id"], row["terms"], row["term_id"]) == (
        "/0/periods/0/value",
        "6547",
        "77208141,741917,741935",
        "77208141",
    )
    assert (row["period"], row["value"], row["measure_name"]) == ("31.12.2023", "4532", None)


@pytest.mark.parametrize(
    ("change", "position"),
    [
        ({"terms": [77208141]}, "/0"),
        ({"terms": "77208141"}, "/0/terms"),
        ({"note": "new"}, "/0/note"),
        ({"periods": [{"name": "2023 год", "date": "31.12.2023"}]}, "/0/periods/0"),
        ({"periods": [{"name": "2023 год", "date": "31.12.2023", "value": "1", "sign": "p"}]}, "/0/periods/0/sign"),
        ({"periods": [{"name": "1 квартал 2023 года", "date": "31.03.2023", "value": "1"}]}, "/0/periods/0"),
    ],
)
def test_a_cube_that_is_not_the_known_contract_is_refused_with_its_pointer(change: dict[str, Any], position: str) -> None:
    with pytest.raises(ContractError) as refused:
        read("births", cube(change))
    assert refused.value.position == position


def test_a_doubled_row_lands_as_two_rows() -> None:
    assert values(read("net_migration", element({}, {}))) == ["24 876", "24 876"]
    assert values(read("births", cube({}, {}))) == ["4532", "4532"]
    assert values(read("internal_matrix", b"Year,region_emmigr,region_immigr,N\n2023,Abay,Almaty,5\n2023,Abay,Almaty,5\n"), "2023") == [
        "5",
        "5",
    ]
    sheet: list[list[object]] = [[None, 2022], ["Абай", 611888], ["Абай", 611888]]
    assert values(read("population", workbook({"Все население": sheet})), "region/2022-01-01") == ["611888", "611888"]


def test_the_origin_is_region_emmigr_and_each_year_is_a_slice() -> None:
    body = b"Year,region_emmigr,region_immigr,N\r\n2022,Almaty,Almaty_city,29803\r\n2023,Almaty_city,Almaty,1\r\n"
    parsed = read("internal_matrix", body)
    assert list(parsed.slices) == ["2022", "2023"]
    # Almaty is the region, Almaty_city the city: both stay as sourced
    assert list(parsed.slices["2022"]) == [("line 2", "2022", "Almaty", "Almaty_city", "29803")]


@pytest.mark.parametrize(
    "text",
    [
        "Year,region_immigr,region_emmigr,N\n2022,A,B,1\n",
        "Year,region_emmigr,region_immigr,N\n22,A,B,1\n",
        "Year,region_emmigr,region_immigr,N\n",
    ],
)
def test_a_matrix_with_swapped_columns_a_strange_year_or_no_pair_is_refused(text: str) -> None:
    with pytest.raises(ContractError):
        read("internal_matrix", text.encode())


def test_a_region_table_keeps_month_and_total_apart() -> None:
    # 3 measures x 2 lines in 2022, 3 x 1 in 2023; the month is never added to the total
    header = b"region,month,arrivals,departures,net\n"
    first = header + b"Abay,Total,15905,22308,-6403\nAbay,January,1,2,-1\n"
    second = header + b"Abay,Total,19797,26545,-6748\n"
    parsed = read("internal_by_region", first, second)
    found = rows_of(parsed, "2022")
    assert [(row["section"], row["indicator"], row["value"]) for row in found[:4]] == [
        ("Total", "arrivals", "15905"),
        ("Total", "departures", "22308"),
        ("Total", "net", "-6403"),
        ("January", "arrivals", "1"),
    ]
    assert (len(found), values(parsed, "2023")) == (6, ["19797", "26545", "-6748"])


def test_a_printed_line_keeps_residual_and_groups_as_codes() -> None:
    line = "F286,effectiveness,table 5,migration,persons,2022,2022,KAZ,OTHER_UNLISTED,,arrivals,external,,,408,,exact,0,"
    parsed = read("external_by_country", f"{','.join(PRINTED)}\n{line}\n".encode())
    row = rows_of(parsed, "2022")[0]
    assert (row["counterpart_area"], row["value"], row["region"], row["remark"]) == ("OTHER_UNLISTED", "408", None, None)
    with pytest.raises(ContractError, match="line 2, period_start: expected the name of a slice"):
        read("external_by_country", f"{','.join(PRINTED)}\n{line.replace(',2022,2022', ',,2022')}\n".encode())


def test_an_unknown_sheet_is_refused_by_name() -> None:
    with pytest.raises(ContractError, match="sheet 'Дети': expected one of Все население, Мужчины, Женщины"):
        read("population", workbook({"Дети": [[None, 2022], ["Абай", 1]]}))


def test_a_workbook_without_years_or_with_a_figure_beside_them_is_refused_with_the_cell() -> None:
    with pytest.raises(ContractError, match="expected a row of years"):
        read("population", workbook({"Все население": [["Абай", 1]]}))
    with pytest.raises(ContractError, match="Все население!C2"):
        read("population", workbook({"Все население": [[None, 2022], ["Абай", 1, 2]]}))


def test_a_workbook_keeps_the_dash_and_the_footnote_digit() -> None:
    parsed = read("population", workbook({"Все население": [[None, 2016], ["г. Шымкент", "-"], ["Туркестанская 1", 2840871.0]]}))
    found = rows_of(parsed, "region/2016-01-01")
    assert [(row["territory"], row["value"]) for row in found] == [("г. Шымкент", "-"), ("Туркестанская 1", "2840871")]


def test_addresses_are_unique_inside_a_slice() -> None:
    def unique(rows: Iterable[Row]) -> bool:
        addresses = [row[0] for row in rows]
        return len(set(addresses)) == len(addresses)

    assert unique(read("net_migration", element({}, {})).slices[WHOLE])
    assert unique(read("births", cube({}, {})).slices[WHOLE])


def test_a_year_that_cannot_be_read_leaves_the_other_years_alone() -> None:
    header = b"region,month,arrivals,departures,net\n"
    parsed = read("internal_by_region", b"<html></html>", header + b"Abay,Total,19797,26545,-6748\n")
    assert values(parsed, "2023") == ["19797", "26545", "-6748"]
    assert list(parsed.slices) == ["2023"]
    assert "2022" in parsed.unreadable
    assert parsed.answers == {"2022": (0,), "2023": (1,)}
