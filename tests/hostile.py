"""Answers made to take a machine's time and memory, and a process of its own that reads one of them. All of them are synthetic.

python -m tests.hostile NAME        reads it; prints what was said of it, seconds, and the process's peak of memory in MB
"""

from __future__ import annotations

import io
import json
import resource
import sys
import time
import zipfile
from collections.abc import Callable, Iterable

from extractors.rows import ContractError
from extractors.source import load_source
from tests.asked import parse

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
DOCUMENT = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
SHEET = "xl/worksheets/sheet1.xml"
TITLES = {"bns.population": "Все население", "undesa.stock_by_destination": "Table 1"}
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


def _laughs() -> str:
    entities = "".join(f'<!ENTITY l{at} "{f"&l{at - 1};" * 10}">' for at in range(1, 12))
    return f'<!DOCTYPE worksheet [<!ENTITY l0 "ha">{entities}]>'


# What is made of the sheet's title, and the position and the finding that must be said of it
BOOKS: dict[str, tuple[Callable[[str], bytes], str, str]] = {
    "half a gigabyte declared": (_declares_half_a_gigabyte, SHEET, "500"),
    "empty rows": (lambda title: package(title, many("<row/>", 60_000_000)), f"!A{1 << 20}", "line 1048577"),
    "empty cells": (lambda title: package(title, ["<row>", *many("<c/>", 90_000_000), "</row>"]), "!XFD1", "column 16385"),
    "styled rows": (lambda title: package(title, many('<row><c s="1"/></row>', 18_000_000)), f"!A{1 << 20}", "line 1048577"),
    "rows of empty cells": (lambda title: package(title, many(f"<row>{'<c/>' * 100}</row>", 900_000)), "!", "more"),
    "unknown elements": (lambda title: package(title, many("<x/>", 90_000_000)), "sheet '", "more"),
    "unknown names": (lambda title: package(title, ["".join(f"<x{at} y{at}='' />" for at in range(30_000))]), "sheet '", "more"),
    "unknown depth": (lambda title: package(title, many("<x>", 1_000_000)), "sheet '", "more"),
    "one long mark": (lambda title: package(title, ["<x y='", *many("y" * 100, 3_000_000), "'/>"]), "sheet '", "longer"),
    "one long comment": (lambda title: package(title, ["<!--", *many("y" * 100, 3_000_000), "-->"]), "sheet '", "longer"),
    "one long text": (lambda title: package(title, ["<row><c><v>", *many("1" * 100, 3_000_000), "</v></c></row>"]), "!A1", "more"),
    "long shared strings": (
        lambda title: package(title, ['<row><c t="s"><v>1</v></c></row>'], many(f"<si><t>{'y' * 300}</t></si>", 1_000_000)),
        "shared string",
        "more",
    ),
    "a billion laughs": (lambda title: package(title, [ABAI], head=_laughs()), "sheet '", "a document type"),
    "a row beyond the last": (lambda title: package(title, [YEARS, '<row r="1048577"><c><v>1</v></c></row>']), "!A1", "line 1048577"),
}

DEEP = 100_000
# The dataset, its bytes, and the position and the finding that must be said of them
DOCUMENTS: dict[str, tuple[str, Callable[[], bytes], str, str]] = {
    "bns deep": ("bns.external_arrivals", lambda: b"[" * DEEP + b"]" * DEEP, "line 1 column 33", "more"),
    "iom deep": ("iom.missing_migrants", lambda: b'[{"a":' * DEEP, "2018#", "more"),
    "uis deep": ("uis.outbound_totals", lambda: b'{"hints":[],"records":[' + b"[" * DEEP, "line", "more"),
    "uis deep record": ("uis.outbound_totals", lambda: _records(b'{"a":' * DEEP + b"1" + b"}" * DEEP), "/records", "more"),
    "bns many lists": ("bns.external_arrivals", lambda: b"[" + b"[]," * 16_000_000 + b"[]]", "/", "16000002"),
    "bns many objects": ("bns.births", lambda: b"[" + b"{}," * 16_000_000 + b"{}]", "/", "16000002"),
    "iom many numbers": ("iom.missing_migrants", lambda: b"[" + b"10," * 16_000_000 + b"10]", "2018#/", "16000000"),
    "uis many lists": ("uis.outbound_totals", lambda: _records(b"[]," * 9_000_000 + b"[]"), "/records", "9000002"),
    "bns one name in all rows": (
        "bns.external_arrivals",
        lambda: json.dumps(
            [{"id": "1", "text": "y" * 20_000_000, "measureName": "y"} | {f"y12{year}": 1 for year in range(1900, 2100)}]
        ).encode(),
        "/0/text",
        "20000000",
    ),
    "bns many lines": (
        "bns.internal_matrix",
        lambda: b"Year,region_emmigr,region_immigr,N\n" + b"2010,,,\n" * 6_000_000,
        "line 300001",
        "more",
    ),
}


def _records(inside: bytes) -> bytes:
    return b'{"hints":[],"records":[' + inside + b'],"indicatorMetadata":[]}'


def read(name: str) -> ContractError:
    """What is said of the answer of that name (of a workbook, `NAME/DATASET`). Raises `AssertionError` if it is read to its end."""
    kind, _, dataset = name.partition("/")
    body = BOOKS[kind][0](TITLES[dataset]) if kind in BOOKS else DOCUMENTS[kind][1]()
    dataset = dataset or DOCUMENTS[kind][0]
    source, _, short = dataset.partition(".")
    bodies = [body, b'{"version":"2021"}'] if source == "uis" else [body]
    try:
        parsed = parse(source, load_source(source).dataset(short), bodies)
        for error in parsed.unreadable.values():
            return error
        for piece in parsed.slices:
            for _ in parsed.blocks(piece):
                pass
    except ContractError as error:
        return error
    raise AssertionError(f"{name} was read to its end")


if __name__ == "__main__":
    begun = time.perf_counter()
    error = read(sys.argv[1])
    seconds, peak = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps({"position": error.position, "found": error.found, "seconds": round(seconds, 1), "peak_mb": peak}))
