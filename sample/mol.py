"""The releases of the Ministry of Labour as the press quotes them, one line a figure (see docs/data.md)."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from urllib.parse import urlsplit

from extractors.archive import Archive
from extractors.records.client import requests
from extractors.source import load_source
from sample.answer import store

FIGURES_FILE = "kandas_as_of_2017_2026.csv"
READ = "2026-11-25T00:00:00+00:00"
COLUMNS = ("as_of", "counted_since", "breakdown", "member", "value", "unit", "qualifier", "date_remark", "printed_by", "printed_at")
CUMULATIVE = "1991"
# dimension of the collection → breakdown here; what is counted since 1991 is told by its name
BREAKDOWNS = {
    "since_start_of_year": "all", "since_1991": "all", "families": "all", "since_1991_families": "all", "origin": "origin",
    "origin_persons": "origin", "age": "age", "age_persons": "age", "education_working_age": "education", "region": "region",
}  # fmt: skip
EDUCATION = {"higher": "tertiary", "secondary_specialised": "vocational_secondary"}
UNITS = {"percent of since_start_of_year": "percent"}
# what the collection says of a number or of its date → what is said of the number, and of the date
QUALIFIERS = {"": ("exact", ""), "exact": ("exact", ""), "about": ("about", "")}
DATE_REMARKS = {"date not printed": "date_not_printed", "date printed as September": "month_printed"}


def write(inputs: Path, archive: Archive) -> int:
    """Writes the one answer; returns 1."""
    source = load_source("mol")
    with (inputs / FIGURES_FILE).open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerows([COLUMNS, *map(_transcribed, rows)])
    releases = sorted({row["as_of"] for row in rows})
    quoted = f"{len(releases)} items of the press, each named beside its figures"
    note = (
        f"{len(rows)} figures of the ministry's releases as of {releases[0][:7]} to {releases[-1][:7]} as the press quotes them, read by "
        f"{READ.partition('T')[0]}, each with who prints it; no bytes of the ministry are at hand"
    )
    store(
        archive, source.model_copy(update={"attribution": f"{source.attribution}, as printed in: {quoted}"}), "kandas",
        requests(source, source.dataset("kandas"))[0], out.getvalue().encode(),
        delivered=READ, content_type="text/csv; charset=utf-8", note=note, capture="transcribed",
    )  # fmt: skip
    return 1


def _transcribed(row: dict[str, str]) -> list[str]:
    since = CUMULATIVE if row["dimension"].startswith("since_1991") else row["year_counted"]
    member = EDUCATION.get(row["member"], row["member"])
    place = row["url"].partition(" (")[0]
    is_address = place.startswith("https://")
    site = urlsplit(place).hostname if is_address else place
    if not site:
        raise ValueError(f"{row['as_of']} {row['dimension']} {row['member']}: nobody prints it")
    qualifier, date_remark = QUALIFIERS.get(row["qualifier"]) or ("exact", DATE_REMARKS[row["qualifier"].partition(";")[0]])
    return [
        row["as_of"], since, BREAKDOWNS[row["dimension"]], member, row["value_as_printed"], UNITS.get(row["unit"], row["unit"]),
        qualifier, date_remark, site, place if is_address else "",
    ]  # fmt: skip
