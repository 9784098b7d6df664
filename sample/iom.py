"""The Missing Migrants Project's answer for 2018, its free text left out (see docs/data.md for where it was taken from)."""

from __future__ import annotations

import json
from pathlib import Path

from extractors.archive import Archive
from extractors.iom.client import questions
from extractors.source import load_source
from sample.answer import store

ANSWER_FILE = "iom_mmp/2018-json.json"
# Taken from the agency in September 2025, the day is not recorded
COPIED = "2025-09-30T00:00:00+00:00"
FREE_TEXT = ("cause_death", "location_description", "information_source", "url")


def write(inputs: Path, archive: Archive) -> int:
    """Writes the answer of 2018; returns how many answers were written."""
    source = load_source("iom")
    dated = source.model_copy(update={"attribution": f"{source.attribution}, September 2025"})
    dataset = source.dataset("missing_migrants")
    incidents = json.loads((inputs / ANSWER_FILE).read_text("utf-8"))
    kept = [{name: value for name, value in incident.items() if name not in FREE_TEXT} for incident in incidents]
    body = json.dumps(kept, ensure_ascii=False, separators=(",", ":")).encode()
    note = f"the agency's answer of September 2025 as kept by a public client; left out: {', '.join(FREE_TEXT)}"
    store(
        archive,
        dated,
        "missing_migrants",
        questions(source, dataset)["2018"],
        body,
        delivered=COPIED,
        content_type="application/json",
        note=note,
    )
    return 1
