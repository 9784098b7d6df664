"""Fingerprints of the code that makes numbers: changed code makes new facts beside the old ones, never over them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from warehouse.profile import ROOT
from warehouse.records import declared_records

# What gate verdicts and publications depend on …
CODE = ("dbt", "extractors", "expectations", "warehouse/meaning.py")
# … and what core facts depend on; their contracts stand with what readers see of them.
CORE = ("dbt/dbt_project.yml", "dbt/vars.yml", "dbt/macros", "dbt/seeds", "dbt/models/staging", "dbt/models/core", "dbt/models/star/facts")
# What the parsers of all sources read by.
READING = ("extractors/rows.py", "extractors/decode.py", "extractors/workbook.py")
# What flat records are read by, beside their declaration.
RECORDS = ("extractors/declared.py", *(f"extractors/records/{name}.py" for name in ("__init__", "answer", "pages", "parse")))
SUFFIXES = {".py", ".sql", ".yml", ".csv", ".md"}
# made by dbt, data rather than code, or said of the folder; what dbt writes into the comments of columns lies in other .md files
LEFT_OUT = {"target", "logs", "bundled", "__pycache__", "README.md"}


@cache
def code_fingerprint() -> str:
    """12 hexadecimal digits over everything that a gate's verdict or a publication depends on."""
    return _fingerprint(ROOT, CODE)


@cache
def core_fingerprint() -> str:
    """12 hexadecimal digits over the code and seeds of staging and core."""
    return _fingerprint(ROOT, CORE)


@cache
def parser_fingerprint(source: str) -> str:
    """12 hexadecimal digits over the code that reads the bytes of a source, declarations of flat records among it."""
    folder = ROOT / "extractors" / source
    own = [str(file.relative_to(ROOT)) for file in sorted(folder.glob("*.py")) if file.name != "client.py"]
    if not (records := declared_records(source, ROOT)):
        return _fingerprint(ROOT, [*own, *READING])
    declared = json.dumps({name: said for name, (_, said) in records.items()}, sort_keys=True, ensure_ascii=False)
    read_by = _fingerprint(ROOT, [*own, *READING, *RECORDS])
    return hashlib.sha256(f"{read_by}\n{declared}".encode()).hexdigest()[:12]


@cache
def verdict_fingerprint(source: str) -> str:
    """12 hexadecimal digits over the code that gate 1 judges the releases of a source by."""
    judging = ("check.py", "data_context.py", "gate1.py", "places.py", "validation.py", "suites")
    gate = (*(f"expectations/{name}" for name in judging), "extractors/source.py")
    typed = ("dbt/dbt_project.yml", "dbt/macros", "dbt/seeds", f"dbt/models/staging/{source}")
    return _fingerprint(ROOT, [*gate, *typed, f"extractors/{source}/source.yml"])


def core_schema() -> str:
    """The schema that this code's seeds, staging views and core facts live in."""
    return f"core_{core_fingerprint()}"


def _fingerprint(root: Path, parts: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        path = root / part
        files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.suffix in SUFFIXES)
        for file in files:
            name = file.relative_to(root)
            if LEFT_OUT.isdisjoint(name.parts):
                digest.update(f"{name}\n".encode() + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:12]
