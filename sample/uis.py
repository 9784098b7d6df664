"""Answers of the UNESCO Institute for Statistics, written from the figures at hand (see docs/data.md for where each was taken from)."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from extractors.archive import Archive, Request
from extractors.source import Source, load_source
from extractors.uis.client import requests, version_request
from sample.answer import shipped, store

JSON = "application/json; charset=utf-8"
HOSTS_FILE = "subset/students_from_KAZ_by_destination_2022release.csv"
ORIGINS_FILE = "subset/students_to_KAZ_by_origin_2022release.csv"
NAMES_FILE = "bilateral/360info_country-names.csv"
EXPORT_FILE = "api_export/RAW_inbound_and_outbound_data.csv"
VERSIONS_FILE = "api_captured/uis_versions.json"
OLD_FILE = "derived_copies/ctc_outbound_rd_extract_old_vintage.csv"
# Marks of the copies of 2022, by position; the second, INCLUDED, stands on no figure for Kazakhstan
MAGNITUDES, QUALIFIERS = {"a": "INCLUDES", "b": "INCLUDED"}, {"c": "NAT_EST", "d": "UIS_EST"}
LUMPED = "Other countries"
# The study of the older vintage names countries in the World Bank's way
OLD_NAMES = {"Kyrgyz Republic": "KGZ", "Vietnam": "VNM"}
NUMBER = re.compile(r"-?\d+(\.\d+)?")
IGO = ("CC BY-SA 3.0 IGO", "https://creativecommons.org/licenses/by-sa/3.0/igo/")
BULK = "UNESCO Institute for Statistics (UIS), http://data.uis.unesco.org"


@dataclass(frozen=True)
class Edition:
    """What is known of the release that a copy was taken from, and when it was taken."""

    version: dict[str, Any]
    delivered: str
    source: Source


@dataclass(frozen=True)
class Record:
    """One record of the interface; `value` is the figure's own text."""

    indicator: str
    unit: str
    year: str
    value: str
    magnitude: str | None = None
    qualifier: str | None = None

    def json(self) -> str:
        """The record as the interface writes it. Raises `ValueError` for a value that is not a number."""
        if not NUMBER.fullmatch(self.value):
            raise ValueError(f"{self}: expected a plain number")
        marks = f'"magnitude":{json.dumps(self.magnitude)},"qualifier":{json.dumps(self.qualifier)}'
        return f'{{"indicatorId":"{self.indicator}","geoUnit":"{self.unit}","year":{int(self.year)},"value":{self.value},{marks}}}'


def write(inputs: Path, archive: Archive) -> int:
    """Writes all answers of the institute; returns how many."""
    source = load_source("uis")
    return sum((_bilateral(inputs, archive, source), _totals(inputs, archive, source), _older_outbound(inputs, archive, source)))


def _bilateral(inputs: Path, archive: Archive, source: Source) -> int:
    """Hosts of students from Kazakhstan and origins of students in it: the ten largest of each year, and their remainder."""
    delivered = "2022-05-19T00:00:00+00:00"
    credit = f"Source: {BULK}, 2022, by way of 360info (CC BY 4.0)."
    edition = Edition(_year_only("2022"), delivered, _credited(source, credit, IGO))
    residual = source.dataset("students_from_kazakhstan").request["residual"]
    names = list(_csv(inputs / NAMES_FILE))
    units = {row["country_name"]: row["country_code"] for row in names} | {LUMPED: residual}
    indicators = {row["country_name"]: row["INDICATOR_ID"] for row in names} | {LUMPED: residual}
    hosts = [Record("26540", units[row["dest_country_lumped"]], *_lumped(row)) for row in _csv(inputs / HOSTS_FILE)]
    origins = [Record(indicators[row["origin_country_lumped"]], "KAZ", *_lumped(row)) for row in _csv(inputs / ORIGINS_FILE)]
    note = (
        "OPRI bulk data of early 2022 as lumped by 360info, last changed on 2022-05-19: positive figures of the ten largest partners "
        f"of each year; {residual} is the sum of the others, marked if any of them is; the release's version is not known, only its year"
    )
    return _deliver(archive, edition, "students_from_kazakhstan", hosts, note) + _deliver(
        archive, edition, "students_to_kazakhstan", origins, note
    )


def _lumped(row: dict[str, str]) -> tuple[str, str, str | None, str | None]:
    """Year, value, magnitude and qualifier of a row of the copies of 2022."""
    includes, included, national, estimate = row["cond_all"].split()
    magnitude = MAGNITUDES.get(includes) or MAGNITUDES.get(included)
    return row["year"], row["value_lumped"], magnitude, QUALIFIERS.get(national) or QUALIFIERS.get(estimate)


def _totals(inputs: Path, archive: Archive, source: Source) -> int:
    """Inbound and net flow of all national units as exported in 2025, and the outbound totals that these two imply."""
    version = next(found for found in json.loads((inputs / VERSIONS_FILE).read_bytes()) if found["version"] == "20250416-f6707727")
    # free text and the states of the themes are not figures
    version = {**version, "description": "", "themeDataStatus": []}
    delivered, where = "2025-05-05T00:00:00+00:00", source.attribution.removeprefix("Source: ")
    national = [row for row in _csv(inputs / EXPORT_FILE) if re.fullmatch("[A-Z]{3}", row["geoUnit"])]
    records = [
        Record(row["indicatorId"], row["geoUnit"], row["year"], row["value"], row["magnitude"] or None, row["qualifier"] or None)
        for row in national
    ]
    note = (
        "export of 26637 and MENF.5T8, all units, 2000-2024, in a public repository since 2025-05-05, so of release 20250416-f6707727 "
        "(inferred); regional units left out"
    )
    edition = Edition(version, delivered, _credited(source, f"Source: {where}, 2025-05-05."))
    written = _deliver(archive, edition, "inbound_and_net_flow", records, note)
    note = (
        "derived, not copied: 26637 minus MENF.5T8 of the same export, which is how the agency defines the net flow; qualifier that of the "
        "net flow; left out where inbound is not applicable or the difference negative; " + note
    )
    edition = Edition(version, delivered, _credited(source, f"Adapted from: {where}, 2025-05-05."))
    return written + _deliver(archive, edition, "outbound_totals", list(_outbound(records)), note)


def _outbound(records: list[Record]) -> Iterator[Record]:
    """Outbound totals: net flow is inbound minus outbound (the label of MENF.5T8)."""
    inbound = {(record.unit, record.year): record for record in records if record.indicator == "26637"}
    for net in records:
        found = inbound.get((net.unit, net.year)) if net.indicator == "MENF.5T8" else None
        # "not applicable" is printed as 0, and is none
        if found is None or found.magnitude == "NA":
            continue
        outbound = Decimal(found.value) - Decimal(net.value)
        # one net flow exceeds the inbound total: the two were not revised together
        if outbound >= 0:
            yield Record("OE.5T8.40510", net.unit, net.year, str(outbound), None, net.qualifier)


def _older_outbound(inputs: Path, archive: Archive, source: Source) -> int:
    """Outbound totals 2010-2018 of ten countries in an older release."""
    codes = {row["country_name"]: row["country_code"] for row in _csv(inputs / NAMES_FILE)} | OLD_NAMES
    records = [
        Record("OE.5T8.40510", codes[row["Country Name"]], row["year"], row["outbound_higheredu"]) for row in _csv(inputs / OLD_FILE)
    ]
    note = (
        "outbound totals of ten countries as copied by a study dated 2021-12-16; the release is not named, only that it is no later; "
        "the study filled gaps of its other columns, and marks were not copied"
    )
    credited = _credited(source, f"Source: {BULK}, not later than 2021-12-16.", IGO)
    edition = Edition(_year_only("2021"), "2021-12-16T00:00:00+00:00", credited)
    return _deliver(archive, edition, "outbound_totals", records, note)


def _deliver(archive: Archive, edition: Edition, dataset: str, records: list[Record], note: str) -> int:
    """One delivery: the version, then the records as answers to the questions they belong to; returns the number of answers."""
    declared = edition.source.dataset(dataset)
    bodies: list[tuple[Request, str]] = [(version_request(edition.source), json.dumps(edition.version, separators=(",", ":")))]
    known = [request for request in shipped("uis", dataset, edition.delivered) if request.params]
    questions = known or requests(edition.source, declared, edition.version["version"])
    rest = records
    for request in questions:
        asked = {value for key, value in request.params if key == "indicator"}
        # what belongs to no question, the remainder among the origins, comes with the last answer
        taken = rest if request is questions[-1] else [record for record in rest if record.indicator in asked]
        rest = [record for record in rest if record.indicator not in asked]
        bodies.append((request, f'{{"hints":[],"records":[{",".join(record.json() for record in taken)}],"indicatorMetadata":[]}}'))
    for number, (request, body) in enumerate(bodies, 1):
        store(
            archive,
            edition.source,
            dataset,
            request,
            body.encode(),
            delivered=edition.delivered,
            content_type=JSON,
            note=note,
            number=number,
        )
    return len(bodies)


def _year_only(year: str) -> dict[str, Any]:
    """The version of a release older than the interface."""
    return {"version": year, "publicationDate": None, "description": "", "themeDataStatus": []}


def _credited(source: Source, attribution: str, licence: tuple[str, str] | None = None) -> Source:
    terms, url = licence or (source.licence, source.terms_url)
    return source.model_copy(update={"attribution": attribution, "licence": terms, "terms_url": url})


def _csv(file: Path) -> Iterator[dict[str, str]]:
    with file.open(encoding="utf-8-sig", newline="") as lines:
        yield from csv.DictReader(lines)
