"""A small synthetic archive of the bureau's answers: a few years, round figures, in the interface's own shape."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from openpyxl import Workbook

from expectations.intake import Intake, take_in
from expectations.settle import Settled, settle
from extractors.archive import Archive, Request, archive_of
from extractors.bns.client import requests
from extractors.landing import Landed, land
from extractors.replay import catch_up
from extractors.source import Source, load_source
from sample.answer import store, workbook_bytes
from warehouse.connection import connect
from warehouse.journal import Journal
from warehouse.profile import Profile

NOTE = "synthetic: made for a test"
YEARS = range(2018, 2022)
DATASETS = ("external_arrivals", "external_departures", "population")
# The regions that the series has from 2017 to 2021, as the workbook prints them
REGIONS = (
    "Акмолинская", "Актюбинская", "Алматинская", "Атырауская", "Западно-Казахстанская", "Жамбылская", "Карагандинская",
    "Костанайская", "Кызылординская", "Мангистауская", "Павлодарская", "Северо-Казахстанская", "Туркестанская 1",
    "Восточно-Казахстанская", "г. Астана", "г. Алматы", "г. Шымкент",
)  # fmt: skip


def request_of(dataset: str) -> Request:
    """The request that the client makes for the dataset."""
    source = load_source("bns")
    return requests(source, source.dataset(dataset))[0]


def put(profile: Profile, dataset: str, body: bytes, delivered: str) -> None:
    """Stores the bytes as the answer of the delivery of that day."""
    content_type = "application/octet-stream"
    store(
        Archive(profile.archive), load_source("bns"), dataset, request_of(dataset), body,
        delivered=f"{delivered}T00:00:00+00:00", content_type=content_type, note=NOTE,
    )  # fmt: skip


def tree(values: Mapping[int, object], **more: object) -> bytes:
    """A Taldau tree with one node; `more` replaces or adds keys of the node."""
    node: dict[str, object] = {
        "id": "741880",
        "text": "РЕСПУБЛИКА КАЗАХСТАН ",
        "leaf": "false",
        "expanded": "false",
        "measureName": "Человек",
    }
    node |= {f"y12{year}": str(value) for year, value in values.items()}
    return json.dumps([node | more], ensure_ascii=False).encode()


def arrivals(years: Iterable[int] = YEARS) -> dict[int, object]:
    """1,000 arrivals in the first year and 10 more each year."""
    return {year: 1000 + 10 * (year - 2018) for year in years}


def departures(years: Iterable[int] = YEARS) -> dict[int, object]:
    """1,500 departures in the first year and 20 fewer each year."""
    return {year: 1500 - 20 * (year - 2018) for year in years}


def population(
    years: Iterable[int] = range(2018, 2023),
    replace: Mapping[tuple[str, int], object] | None = None,
    labels: Mapping[str, str] | None = None,
) -> bytes:
    """A workbook with one sheet: 17 regions of 1,000,000 each and 1,000 more a year.

    `replace` puts other cells (label, year); `labels` prints a region under another name.
    """
    known = [year for year in years if year < 2022]
    book = Workbook()
    sheet = book.worksheets[0]
    sheet.title = "Все население"
    sheet.append([None, *known])
    for label in ("Республика Казахстан ", *REGIONS):
        factor = 17 if label.startswith("Республика") else 1
        row: list[object] = [(labels or {}).get(label, label)]
        for year in known:
            row.append((replace or {}).get((label, year), factor * (1_000_000 + 1000 * (year - 2018))))
        sheet.append(row)
    return workbook_bytes(book, "2026-01-15T00:00:00Z")


def fill(profile: Profile, delivered: str = "2026-02-01") -> None:
    """One good delivery of every dataset."""
    put(profile, "external_arrivals", tree(arrivals()), delivered)
    put(profile, "external_departures", tree(departures()), delivered)
    put(profile, "population", population(), delivered)


def land_all(profile: Profile, source: Source, dataset: str) -> list[Landed]:
    """Lands every delivery of the archive without a gate; what lands counts as accepted."""
    archive, journal, done = archive_of(profile), Journal(profile.journal), []
    for delivery in archive.deliveries(source.code, dataset):
        with connect(profile, "koshi_loader") as connection:
            done.append(land(connection, journal, archive, source, dataset, archive.snapshots(source.code, dataset, delivery)))
            connection.execute("update meta.release set state = 'accepted' where state = 'landed'")
    return done


def run(profile: Profile) -> tuple[dict[str, Intake], Settled]:
    """What `make run` does, without Airflow around it."""
    catch_up(profile)
    intakes = {dataset: take_in(profile, "bns", dataset) for dataset in DATASETS}
    return intakes, settle(profile)
