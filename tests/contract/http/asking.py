"""What the tests of the session share: a source at an address on loopback."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from extractors.archive import Archive, Snapshot
from extractors.source import HttpPolicy, Source, load_source

DATASET = "missing_migrants"
Ask = Callable[..., Snapshot]


def source_at(url: str, code: str = "iom", **policy: Any) -> Source:
    """A source whose every base address is `url`, and who is asked without waiting unless the test says otherwise."""
    source = load_source(code)
    quick = {"min_interval_seconds": 0, "backoff_seconds": 0.01, "read_timeout_seconds": 5, "tries": 3}
    http = HttpPolicy(**{**source.http.model_dump(), **quick, **policy})
    return source.model_copy(update={"base_urls": dict.fromkeys(source.base_urls, url), "http": http})


def nothing_archived(archive: Archive) -> bool:
    return archive.deliveries("iom", DATASET) == [] and not Path(archive.root).exists()
