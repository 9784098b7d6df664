"""Which territories are taken: the republic and its regions; districts are declared out of scope and counted."""

from __future__ import annotations

import re

from extractors.source import Dataset


def in_scope(dataset: Dataset, territory: str | None) -> bool:
    """Whether a territory is taken. A name that is neither a district's nor known is taken, so that gate 1 sees it."""
    pattern = dataset.request.get("territory_out_of_scope")
    return not (pattern and territory and re.search(pattern, territory.strip(), re.IGNORECASE))
