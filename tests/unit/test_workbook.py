"""Cells of workbooks as they are kept, and what a workbook is refused for. The XML is written by hand, as scripts and agencies write it."""

from __future__ import annotations

import io
import zipfile
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extractors import workbook
from extractors.rows import ContractError
from extractors.workbook import Line, Workbook
from tests.hostile import package

REGION = '<c r="A2" t="inlineStr"><is><t>Абай</t></is></c>'


def lines(*xml: str, strings: str = "", styles: str = "") -> list[Line]:
    body = package("T", xml, [strings])
    if styles:
        body = replaced(
            body, "xl/styles.xml", f'<styleSheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">{styles}</styleSheet>'
        )
    return list(Workbook(body).lines("T"))


def replaced(body: bytes, part: str, content: str) -> bytes:
    """The workbook with another content of a part, related to it if it is new."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(body)) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            text = old.read(name).decode()
            if name == "xl/_rels/workbook.xml.rels" and part == "xl/styles.xml":
                kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/styles"
                text = text.replace("</Relationships>", f'<Relationship Id="s" Type="{kind}" Target="/xl/styles.xml"/></Relationships>')
            if name != part:
                new.writestr(name, text)
        new.writestr(part, content)
    return out.getvalue()


def value(cell: str, **more: str) -> object:
    """The value of B2 with this inside."""
    [line] = lines(f'<row r="2">{REGION}{cell}</row>', **more)
    return line.cells.get(2)


def error(*xml: str, **more: str) -> ContractError:
    with pytest.raises(ContractError) as caught:
        lines(*xml, **more)
    return caught.value


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ('<c r="B2"><v>12</v></c>', 12),
        ("<c><v>12.0</v></c>", 12.0),
        ('<c r="B2" t="n"><v> 1.5E3 </v></c>', 1500.0),
        ('<c r="B2" t="str"><f>"x"</f><v>x</v></c>', "x"),
        ('<c r="B2"><f>A1+1</f><v>7</v></c>', 7),
        ('<c r="B2" t="str"><f>IF(1,"","")</f><v></v></c>', None),
        ('<c r="B2" t="e"><v>#REF!</v></c>', "#REF!"),
        ('<c r="B2" t="b"><v>1</v></c>', True),
        ('<c r="B2" s="4"/>', None),
        ('<c r="B2" t="s"><v>0</v></c>', "Абай"),
    ],
)
def test_a_cell_has_the_value_that_the_workbook_shows(cell: str, expected: object) -> None:
    assert value(cell, strings="<si><t>Абай</t></si>") == expected


def test_a_number_whose_style_is_a_date_is_a_date() -> None:
    formats = "".join(f'<xf numFmtId="{number}"/>' for number in (0, 14, 170))
    styles = f'<numFmts><numFmt numFmtId="170" formatCode="yyyy"/></numFmts><cellXfs>{formats}</cellXfs>'
    day = datetime(2020, 1, 1)  # noqa: DTZ001 - a workbook knows no zone
    assert [value(f'<c r="B2" s="{style}"><v>43831</v></c>', styles=styles) for style in range(3)] == [43831, day, day]
    assert error(f'<row r="2">{REGION}<c r="B2" s="1"><v>1e300</v></c></row>', styles=styles).position == "T!B2"


RAISED = '<r><rPr><vertAlign val="superscript"/></rPr><t>{}</t></r>'


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        (f"<r><t>611888</t></r>{RAISED.format(1)}", "611888¹"),
        (f'<r><t xml:space="preserve">611 888</t></r>{RAISED.format(" 2)")}', "611 888 ²⁾"),
        (f"{RAISED.format(3)}<r><t>611888</t></r>", "³611888"),
        (f"<t>-</t>{RAISED.format(1)}", "-¹"),
        ('<r><t>5</t></r><r><rPr><vertAlign val="subscript"/></rPr><t>2</t></r>', "5₂"),
        # a name keeps its footnote as the aliases have it
        (f"<r><t>Туркестанская</t></r>{RAISED.format(' 1')}", "Туркестанская 1"),
        ("<r><t>611</t></r><r><t>888</t></r>", "611888"),
        ("<t>阿拜</t><rPh sb='0' eb='1'><t>あばい</t></rPh>", "阿拜"),
    ],
)
def test_a_raised_digit_is_none_of_the_figures_digits(runs: str, expected: str) -> None:
    assert value(f'<c r="B2" t="inlineStr"><is>{runs}</is></c>') == expected
    assert value('<c r="B2" t="s"><v>0</v></c>', strings=f"<si>{runs}</si>") == expected


@pytest.mark.parametrize(
    ("xml", "position", "found"),
    [
        ('<row r="2"><c r="B2"><f>SUM(B3:B9)</f></c></row>', "T!B2", "a formula without one"),
        ('<row r="2"><c r="B2"><f>SUM(B3:B9)</f><v></v></c></row>', "T!B2", "a formula without one"),
        ('<row r="2"><c r="B2" t="str"><f>A1</f></c></row>', "T!B2", "a formula without one"),
        ('<row r="2"><c r="C2"><f t="shared" si="0"/><v/></c></row>', "T!C2", "a formula without one"),
        ('<row r="2"><c r="B2"><v>1_000</v></c></row>', "T!B2", "'1_000'"),
        ('<row r="2"><c r="B2"><v>１２</v></c></row>', "T!B2", "'１２'"),
        ('<row r="2"><c r="B2"><v>1</v><v>2</v></c></row>', "T!B2", "two"),
        ('<row r="2"><c r="B2" t="inlineStr"><is><t>1</t></is><is><t>2</t></is></c></row>', "T!B2", "two"),
        ('<row r="2"><c r="B2"><v>1</v></c><c r="B2"><v>2</v></c></row>', "T!B2", "B2 after it"),
        ('<row r="2"><c r="B3"><v>1</v></c></row>', "T!A2", "B3 after it"),
        ('<row r="2"><c r="XFE2"><v>1</v></c></row>', "T!A2", "XFE2 after it"),
        ('<row r="2"/><row r="2"/>', "T!A2", "line 2 after it"),
        ('<row r="2"><row r="3"/></row>', "T!A2", "line 3 after it"),
        ('<row r="2"><c r="B2" t="s"><v>1</v></c></row>', "T!B2", "'1'"),
        ('<row r="2"><c r="B2" t="s"><v>-1</v></c></row>', "T!B2", "'-1'"),
        ('<row r="2"><c r="B2" t="q"><v>1</v></c></row>', "T!B2", "KeyError: 'q'"),
        ('<row r="2"><c r="B2" t="d"><v>soon</v></c></row>', "T!B2", "ValueError"),
        ('<row r="2"><c r="B2"><v>1</w></c></row>', "sheet 'T', line 1 column", "mismatched tag"),
    ],
)
def test_a_cell_that_can_be_two_things_or_none_is_refused_with_its_address(xml: str, position: str, found: str) -> None:
    refused = error(xml)
    assert refused.position.startswith(position)
    assert found in refused.found


def test_what_is_far_hidden_or_said_wrong_of_the_size_changes_nothing() -> None:
    plain = lines(f'<row r="2">{REGION}</row>')
    far = '<row r="1048576" hidden="1"><c r="XFD1048576" s="1"/></row>'
    assert lines(f'<row r="2" hidden="1">{REGION}<c r="XFD2" s="3"/></row>{far}') == plain
    body = package("T", [f'<row r="2">{REGION}</row>'], head="")
    sheet = zipfile.ZipFile(io.BytesIO(body)).read("xl/worksheets/sheet1.xml").decode()
    said = replaced(body, "xl/worksheets/sheet1.xml", sheet.replace("<sheetData>", '<dimension ref="A1:A1"/><sheetData>'))
    assert list(Workbook(said).lines("T")) == plain


def test_a_part_or_a_sheet_that_comes_twice_is_refused() -> None:
    body = package("T", [])
    book = zipfile.ZipFile(io.BytesIO(body)).read("xl/workbook.xml").decode()
    twice = replaced(body, "xl/workbook.xml", book.replace("</sheets>", '<sheet name="T" sheetId="2" r:id="r0"/></sheets>'))
    with pytest.raises(ContractError, match="sheet 'T': expected each sheet once"):
        Workbook(twice)
    out = io.BytesIO(body)
    with zipfile.ZipFile(out, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("xl/worksheets/sheet1.xml", "<worksheet/>")
    with pytest.raises(ContractError, match="expected each part once"):
        Workbook(out.getvalue())


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_part_that_no_workbook_packs_so_is_refused(method: int) -> None:
    out = io.BytesIO(package("T", []))
    with zipfile.ZipFile(out, "a", method) as archive:
        archive.writestr("more.xml", "<x/>" * 100)
    with pytest.raises(ContractError, match=r"at more\.xml: expected a part that is stored or deflated"):
        Workbook(out.getvalue())


def test_the_day_of_the_last_change_is_what_the_workbook_says_or_nothing() -> None:
    body = package("T", [])
    assert Workbook(body).modified == ""
    core = '<p xmlns:d="http://purl.org/dc/terms/"><d:modified>{}</d:modified></p>'
    assert Workbook(replaced(body, "docProps/core.xml", core.format("2026-01-15T01:02:03Z"))).modified == "2026-01-15"
    with pytest.raises(ContractError, match=r"docProps/core\.xml"):
        _ = Workbook(replaced(body, "docProps/core.xml", core.format("last week"))).modified


CELLS = (
    '<c r="{0}{1}"><v>12</v></c>', '<c r="{0}{1}" s="1" t="n"><v>-1.50</v></c>', '<c r="{0}{1}" s="1"><v>43831</v></c>',
    '<c r="{0}{1}" t="s"><v>0</v></c>', '<c r="{0}{1}" t="s"><v>9</v></c>', '<c r="{0}{1}" s="0"/>', '<c r="{0}{1}" t="s"></c>',
    '<c r="{0}{1}" t="inlineStr"><is><t xml:space="preserve"> Абай ]</t></is></c>', '<c r="{0}{1}" t="inlineStr"><v>3</v></c>',
    '<c r="{0}{1}" t="inlineStr"><is><t>]]></t></is></c>', '<c r="{0}{1}" t="inlineStr"><is><t>\uffff</t></is></c>',
    '<c r="{0}{1}"><is><t>x</t></is></c>', '<c r="{0}{1}"><f>A1</f><v>5</v></c>', '<c r="{0}{1}"><v>1.2.3</v></c>',
    '<c r="{0}7"><v>1</v></c>', "<c><v>4</v></c>", " ", "<!-- -->", "</row>", '<row r="99">', "<!-- <row>", " -->", "<![CDATA[", "]]>",
    "&amp;", "<v>1</v>", '<x a="', '"/>',
)  # fmt: skip
ROWS = (
    '<row r="{}">', '<row spans="1:2" r="{}" >', "<row >", '<row r="{}" x:a="1">', '<row r="{}" a="/>">', '<row xmlns="other" r="{}">',
    '<row r="{}"/><row >', "<!-- <row >", '<x a="<row >', '<x xmlns="other"><row r="{}">', '<row r="1">',
)  # fmt: skip
ENDS = ("</row>", "</row ></x>", "--></row>", "</row></x>", "</x>")


def often(usual: str, all_of: tuple[str, ...]) -> st.SearchStrategy[str]:
    return st.one_of(st.just(usual), st.sampled_from(all_of))


@given(
    st.lists(st.tuples(often(ROWS[0], ROWS), st.lists(often(CELLS[0], CELLS), max_size=4), often(ENDS[0], ENDS)), max_size=4),
    st.sampled_from(["", '<?xml version="1.0" encoding="utf-8"?>', '<?xml version="1.0" encoding="iso-8859-5"?>']),
    st.integers(1, 90),
)
def test_a_line_that_is_read_by_an_expression_is_what_the_parser_of_xml_makes_of_it(
    drawn: list[tuple[str, list[str], str]], head: str, block_bytes: int
) -> None:
    xml = [
        row.format(number) + "".join(cell.format("ABCD"[at], number) for at, cell in enumerate(cells)) + end
        for number, (row, cells, end) in enumerate(drawn, 2)
    ]
    styles = '<styleSheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><cellXfs><xf numFmtId="0"/><xf numFmtId="14"/>'
    body = replaced(package("T", xml, ["<si><t>Ұлытау</t></si>"], head), "xl/styles.xml", f"{styles}</cellXfs></styleSheet>")

    def read() -> list[Line] | tuple[str, str, str]:
        try:
            return list(Workbook(body).lines("T"))
        except ContractError as error:
            return error.position, error.expected, error.found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workbook, "BLOCK_BYTES", block_bytes)
        found = read()
        patch.setattr(workbook._Sheet, "_plain", lambda *_: 0)
        assert found == read()


def test_lines_written_in_the_plainest_way_need_no_call_for_each_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(workbook._Sheet, "_begin_cell")
    [line] = lines('<row r="2" ht="15"><c r="A2" t="inlineStr"><is><t>Абай</t></is></c><c r="B2" s="3"><v>-1.5</v></c><c r="C2"/></row>')
    assert line == Line(2, {1: "Абай", 2: -1.5})
