"""Sound answers of every dataset, short enough to be read a thousand times, and what a parser makes of answers."""

from __future__ import annotations

import json
from functools import cache

from extractors import digest
from extractors.archive import Archive
from extractors.raw import addressed
from extractors.rows import ContractError
from extractors.source import source_codes
from tests.asked import as_bundled, parse
from tests.unit.test_undesa_parse import HEADER, KAZAKHSTAN, YEARS, workbook
from warehouse.profile import BUNDLED_ARCHIVE

SOURCES = {code: as_bundled(code) for code in source_codes()}
ARCHIVE = Archive(str(BUNDLED_ARCHIVE))
NAMES = [f"{code}.{name}" for code, source in SOURCES.items() for name in source.datasets if ARCHIVE.deliveries(code, name)]
PAIR_HEADER = (
    "Index",
    "Region, development group, country or area of destination",
    "Notes of destination",
    "Location code of destination",
    "Type of data of destination",
    "Region, development group, country or area of origin",
    "Location code of origin",
    *YEARS * 3,
)
RECORDS = 40


@cache
def answers(name: str) -> tuple[bytes, ...]:
    """The bodies of one delivery: those bundled, cut to some records, and for the Population Division a workbook of two lines."""
    code, _, dataset = name.partition(".")
    if code == "undesa":
        return (_workbook(dataset),)
    held = ARCHIVE.snapshots(code, dataset, ARCHIVE.deliveries(code, dataset)[-1])
    # the version of UIS comes last
    held = sorted(held, key=lambda snapshot: "versions" in snapshot.request.url)
    bodies = tuple(ARCHIVE.body(snapshot) for snapshot in held)
    records = SOURCES[code].dataset(dataset).records
    return bodies if records and records.count else tuple(map(_short, bodies))  # cut, it were not as many as it says


def _short(body: bytes) -> bytes:
    try:
        found = json.loads(body)
    except ValueError:
        return body
    if isinstance(found, list):
        return json.dumps(found[:RECORDS], ensure_ascii=False).encode()
    if isinstance(found, dict) and "records" in found:
        found["records"] = found["records"][:RECORDS]
        # as the agency writes it, without blanks
        return json.dumps(found, ensure_ascii=False, separators=(",", ":")).encode()
    return body


def _workbook(dataset: str) -> bytes:
    request = SOURCES["undesa"].dataset(dataset).request
    if dataset == "stock_by_destination_and_origin":
        line = (1, "Kazakhstan", None, 398, "B R", "China", 156, 1, 2, 3, 4, 5, 6)
        return workbook(line, line, header=PAIR_HEADER, blocks=request["blocks"], title=request["table"])
    return workbook(KAZAKHSTAN, KAZAKHSTAN, header=(*HEADER, *YEARS * 3), blocks=request["blocks"], title=request["table"])


def outcome(name: str, bodies: tuple[bytes, ...]) -> tuple[int, list[ContractError]]:
    """The number of rows that COPY would be given, and what is said of the rest. Any other exception is a fault of the parser."""
    code, _, dataset = name.partition(".")
    try:
        parsed = parse(code, SOURCES[code].dataset(dataset), bodies)
    except ContractError as error:
        return 0, [error]
    count, errors = 0, list(parsed.unreadable.values())
    for piece in parsed.slices:
        total = digest.VERSIONS[digest.CURRENT]()
        try:
            for block in parsed.blocks(piece):
                count += addressed("1,2,", block).count(b"\n")
                total.update(block.lines, block.content)
        except ContractError as error:
            errors.append(error)
        total.result()
    return count, errors


def check_said(errors: list[ContractError]) -> None:
    """Every error has a position, can be printed and kept, and is not the parser's own fault."""
    for error in errors:
        said = str(error)
        assert error.position and said.isprintable(), ascii(said)
        assert said.encode() and len(said) < 2_000
        assert "a fault of the parser" not in said, said
