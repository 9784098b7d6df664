"""The site for readers in Kazakh, Russian and English: charts, tables, downloads, pages of datasets, marts and indicators."""

from __future__ import annotations

import importlib.util
import os

# what draws; the extra `export` brings it
DRAWS = "vl_convert"


def unwanted() -> str:
    """Why the site for readers is not made here: `KOSHI_EXPORT=0` says so, or the extra is not installed. Else ""."""
    if os.environ.get("KOSHI_EXPORT") == "0":
        return "KOSHI_EXPORT=0: the site in three languages is not made"
    return "" if importlib.util.find_spec(DRAWS) else f"{DRAWS} is not installed: `make serve` installs the extra `export`, and draws"
