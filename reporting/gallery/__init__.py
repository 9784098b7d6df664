"""The site for readers in Kazakh, Russian and English: charts, tables, downloads, pages of datasets, marts and indicators."""

from __future__ import annotations

import importlib.util

# what draws; the extra `export` brings it
DRAWS = "vl_convert"


def missing() -> str:
    """Why the site for readers cannot be made here; nothing where it can."""
    if importlib.util.find_spec(DRAWS):
        return ""
    return "the site in three languages needs the extra `export`, which `make serve` installs"
