"""What `source.yml` declares of flat records, as it stands in the file: for the fingerprint of parsing code, and for the raw tables."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from warehouse.profile import ROOT

OF_FIELDS = ("fields", "optional", "of_answer", "of_question")


def columns_of(records: Mapping[str, Any]) -> tuple[str, ...]:
    """The columns of a declaration of records, sorted: their order in the declaration means nothing."""
    unpivot = records.get("unpivot") or {}
    made = [unpivot[part] for part in ("name", "value") if unpivot]
    return tuple(sorted([*(column for part in OF_FIELDS for column in (records.get(part) or {}).values()), *made]))


@cache
def declared_records(source: str, root: Path) -> dict[str, tuple[str, dict[str, Any]]]:
    """The datasets of a source that are declared as flat records, each with its raw table and its declaration as it stands.

    A file that is no `source.yml` has none: whoever loads it says what is wrong with it.
    """
    try:
        text = (root / "extractors" / source / "source.yml").read_text("utf-8")
        # most sources have none, and parsing their files takes longer than asking the database
        datasets = yaml.safe_load(text)["datasets"] if "records:" in text else {}
        found = {name: (dataset["shape"], dataset["records"]) for name, dataset in datasets.items() if dataset.get("records")}
        for _, records in found.values():
            columns_of(records)
    except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError):
        return {}
    return found


def declared_tables(root: Path | None = None) -> dict[str, tuple[str, ...]]:
    """The columns of the raw tables that sources declare, by table."""
    found: dict[str, tuple[str, ...]] = {}
    for file in sorted(((root or ROOT) / "extractors").glob("*/source.yml")):
        for shape, records in declared_records(file.parent.name, root or ROOT).values():
            found[shape] = tuple(sorted({*found.get(shape, ()), *columns_of(records)}))
    return found
