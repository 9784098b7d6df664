"""Answers made to take a machine's time and memory, and a process of its own that reads them. All of them are synthetic.

python -m tests.hostile [NAME ...]     reads each (all); a line says what was said of it, the seconds, and the peak of memory so far
"""

from __future__ import annotations

import io
import json
import os
import resource
import sys
import time
import zipfile
from collections.abc import Callable, Iterable

from openpyxl import load_workbook

from extractors.rows import ContractError
from tests.fuzz.sound import answers, outcome

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
DOCUMENT = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
SHEET = "xl/worksheets/sheet1.xml"
YEARS = '<row r="1"><c r="B1"><v>2020</v></c></row>'
ABAI = '<row r="2"><c r="A2" t="inlineStr"><is><t>Абай</t></is></c><c r="B2"><v>1</v></c></row>'
BLOCK = 10_000


def package(title: str, lines: Iterable[str], strings: Iterable[str] = (), head: str = "") -> bytes:
    """A workbook of one sheet with this XML as its lines."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        related = {
            "_rels/.rels": ["officeDocument xl/workbook.xml"],
            "xl/_rels/workbook.xml.rels": ["worksheet worksheets/sheet1.xml", "sharedStrings sharedStrings.xml"],
        }
        for name, targets in related.items():
            pairs = [target.split() for target in targets]
            ids = [f'<Relationship Id="r{at}" Type="{DOCUMENT}/{kind}" Target="{part}"/>' for at, (kind, part) in enumerate(pairs)]
            archive.writestr(name, f'<Relationships xmlns="{PACKAGE}">{"".join(ids)}</Relationships>')
        sheet = f'<sheet name="{title}" sheetId="1" r:id="r0"/>'
        archive.writestr("xl/workbook.xml", f'<workbook xmlns="{MAIN}" xmlns:r="{DOCUMENT}"><sheets>{sheet}</sheets></workbook>')
        for name, begin, parts, end in (
            ("xl/sharedStrings.xml", f'<sst xmlns="{MAIN}">', strings, "</sst>"),
            (SHEET, f'{head}<worksheet xmlns="{MAIN}"><sheetData>', lines, "</sheetData></worksheet>"),
        ):
            with archive.open(name, "w") as part:
                for text in (begin, *parts, end):
                    part.write(text.encode())
    return out.getvalue()


def many(text: str, times: int) -> list[str]:
    """The text so many times, in blocks of which each is the same object."""
    return [text * BLOCK] * (times // BLOCK)


def _declares_half_a_gigabyte(title: str) -> bytes:
    """A directory that says of the sheet what a ZIP of 0.7 MB may hold."""
    body = package(title, [YEARS])
    at = body.rindex(b"PK\x01\x02", 0, body.rindex(SHEET.encode()))
    return body[: at + 24] + (500_000_000).to_bytes(4, "little") + body[at + 28 :]


def _declares_less(title: str) -> bytes:
    """A directory that says of the sheet that it is shorter than it is."""
    body = package(title, [YEARS, ABAI * 1_000])
    at = body.rindex(b"PK\x01\x02", 0, body.rindex(SHEET.encode()))
    return body[: at + 24] + (1_000).to_bytes(4, "little") + body[at + 28 :]


def _laughs() -> str:
    entities = "".join(f'<!ENTITY l{at} "{f"&l{at - 1};" * 10}">' for at in range(1, 12))
    return f'<!DOCTYPE worksheet [<!ENTITY l0 "ha">{entities}]>'


def _far_pair(title: str) -> bytes:
    book = load_workbook(io.BytesIO(answers("undesa.stock_by_destination")[0]))
    book[title].cell(1 << 20, 1 << 14, 1)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


BUREAU, STOCK = "bns.population", "undesa.stock_by_destination"
FIGURE = "<row><c><v>1</v></c><c><v>1</v></c></row>"
FAR = f'<row r="{1 << 20}"><c r="XFD{1 << 20}"><v>1</v></c></row>'
DEEP = 100_000
# The dataset, what it is answered, and the position and the finding that must be said of it
ANSWERS: dict[str, tuple[str, Callable[[str], bytes], str, str]] = {
    "a cell in the last corner": (BUREAU, lambda title: package(title, [YEARS, ABAI, FAR]), f"!XFD{1 << 20}", "1"),
    "a cell in the last corner of a stock": (STOCK, _far_pair, str(1 << 20), "empty cell"),
    "half a gigabyte of rows": (BUREAU, lambda title: package(title, many("<row/>", 84_000_000)), SHEET, "504001050"),
    "half a gigabyte of a stock": (STOCK, _declares_half_a_gigabyte, SHEET, "500000"),
    "more than it declares": (BUREAU, _declares_less, "sheet '", "Bad CRC-32"),
    "empty rows": (BUREAU, lambda title: package(title, many("<row/>", 1_100_000)), f"!A{1 << 20}", "line 1048577"),
    "empty rows of a stock": (STOCK, lambda title: package(title, many("<row/>", 1_100_000)), f"!A{1 << 20}", "line 1048577"),
    "empty cells": (BUREAU, lambda title: package(title, ["<row>", *many("<c/>", 20_000), "</row>"]), "!XFD1", "column 16385"),
    "rows of empty cells": (BUREAU, lambda title: package(title, many(f"<row>{'<c/>' * 1_000}</row>", 10_000)), "!", "more"),
    "rows of figures": (
        BUREAU,
        lambda title: package(title, [YEARS, *many("<row><c><v>1</v></c><c><v>1</v></c></row>", 200_000)]),
        "!",
        "more",
    ),
    "unknown elements": (BUREAU, lambda title: package(title, many("<x/>", 1_100_000)), "sheet '", "more"),
    "unknown names": (BUREAU, lambda title: package(title, ["".join(f"<x{at} y{at}='' />" for at in range(30_000))]), "sheet '", "more"),
    "depth of elements": (BUREAU, lambda title: package(title, many("<x>", 1_000_000)), "sheet '", "more"),
    "one long mark": (BUREAU, lambda title: package(title, ["<x y='", *many("y" * 100, 100_000), "'/>"]), "sheet '", "longer"),
    "one long comment": (BUREAU, lambda title: package(title, ["<!--", *many("y" * 100, 100_000), "-->"]), "sheet '", "longer"),
    "one long text": (BUREAU, lambda title: package(title, ["<row><c><v>", *many("1" * 100, 100_000), "</v></c></row>"]), "!A1", "more"),
    "long shared strings": (
        BUREAU,
        lambda title: package(title, ['<row><c t="s"><v>1</v></c></row>'], many(f"<si><t>{'y' * 300}</t></si>", 100_000)),
        "shared string",
        "more",
    ),
    "a billion laughs": (BUREAU, lambda title: package(title, [ABAI], head=_laughs()), "sheet '", "a document type"),
    "depth of a tree": ("bns.external_arrivals", lambda _: b"[" * DEEP + b"]" * DEEP, "line 1 column 33", "more"),
    "depth of incidents": ("iom.missing_migrants", lambda _: b'[{"a":' * DEEP, "2018#", "more"),
    "depth of an envelope": ("uis.outbound_totals", lambda _: b'{"hints":[],"records":[' + b"[" * DEEP, "line", "more"),
    "depth of a record": ("uis.outbound_totals", lambda _: _records(b'{"a":' * DEEP + b"1" + b"}" * DEEP), "/records", "more"),
    "lists without end": ("bns.external_arrivals", lambda _: b"[" + b"[]," * 16_000_000 + b"[]]", "/", "16000002"),
    "objects without end": ("bns.births", lambda _: b"[" + b"{}," * 16_000_000 + b"{}]", "/", "16000002"),
    "numbers without end": ("iom.missing_migrants", lambda _: b"[" + b"10," * 16_000_000 + b"10]", "2018#/", "16000000"),
    "records without end": ("uis.outbound_totals", lambda _: _records(b"[]," * 9_000_000 + b"[]"), "/records", "9000002"),
    "one name in all rows": ("bns.external_arrivals", lambda _: _named("y" * 20_000_000), "/0/text", "20000000"),
    "lines without end": (
        "bns.internal_matrix",
        lambda _: b"Year,region_emmigr,region_immigr,N\n" + b"2010,,,\n" * 4_000_000,
        "line 300001",
        "more",
    ),
}


def _named(name: str) -> bytes:
    return json.dumps([{"id": "1", "text": name, "measureName": "y"} | {f"y12{year}": 1 for year in range(1900, 2100)}]).encode()


def _records(inside: bytes) -> bytes:
    return b'{"hints":[],"records":[' + inside + b'],"indicatorMetadata":[]}'


def read(name: str) -> ContractError:
    """What is said of the answer of that name. Raises `AssertionError` if it is read to its end."""
    dataset, made, _, _ = ANSWERS[name]
    body = made({BUREAU: "Все население"}.get(dataset, "Table 1"))
    _, errors = outcome(dataset, (body, *answers(dataset)[1:]))
    assert errors, f"{name} was read to its end"
    return errors[0]


def main(names: Iterable[str]) -> None:
    """Reads each in a child of this process, so that the peak of memory is its own."""
    for name in names:
        if child := os.fork():
            os.waitpid(child, 0)
            continue
        begun = time.perf_counter()
        error = read(name)
        seconds, peak = round(time.perf_counter() - begun, 1), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        line = {"name": name, "position": error.position, "found": error.found, "seconds": seconds, "peak_mb": peak}
        print(json.dumps(line, ensure_ascii=False), flush=True)
        os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:] or ANSWERS)
