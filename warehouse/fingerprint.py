"""Fingerprints of the code that makes numbers: changed code makes new facts beside the old ones, never over them.

A fact whose own code is the same is the same fact (decision 29).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

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
# What dbt's configuration of a node says of where it stands and how it is shown, and not of its rows
NOT_OF_ROWS = {"schema", "docs", "meta", "tags", "group", "access", "persist_docs"}


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


def fact_fingerprints(manifest: Any, said: Mapping[str, Any]) -> dict[str, str]:
    """By relation of core 12 hexadecimal digits over what makes its rows: its own code and contract, and those of all that is before it.

    That is staging, seeds, and the macros that these name; `said` are the variables of the command line. What dbt calls by itself counts
    for all of them. A column's description is none of it: dbt writes it anew wherever the relation came from.
    """
    macros = {macro.name: macro.macro_sql for macro in manifest.macros.values() if macro.package_name == "koshi"}
    codes = {name: _code_of(node) for name, node in manifest.nodes.items() if node.resource_type in ("model", "seed")}
    called = _called([*codes.values(), *macros.values()], macros)
    by_dbt = {name for name in macros if name not in called and not name.startswith("test_")}
    given = (ROOT / "dbt" / "vars.yml").read_text("utf-8") + json.dumps(said, sort_keys=True)
    found = {}
    for name, node in manifest.nodes.items():
        if name in codes and node.fqn[1] == "core":
            texts = [f"{one}\n{codes.get(one, '')}" for one in sorted(_before(manifest, name))]
            used = _called([*texts, *(macros[one] for one in by_dbt)], macros) | by_dbt
            texts += [f"{one}\n{macros[one]}" for one in sorted(used)]
            texts += [given] if any(re.search(r"\bvar\(", text) for text in texts) else []
            found[str(node.alias)] = hashlib.sha256("\n".join(texts).encode()).hexdigest()[:12]
    return found


def _code_of(node: Any) -> str:
    """All that the rows of a model or seed depend on, its parents and macros left out."""
    config = {key: value for key, value in node.config.to_dict().items() if key not in NOT_OF_ROWS}
    columns = [[column.name, column.data_type, [c.to_dict() for c in column.constraints]] for column in node.columns.values()]
    constraints = [constraint.to_dict() for constraint in getattr(node, "constraints", ())]
    said = json.dumps([config, columns, constraints], sort_keys=True, default=str, ensure_ascii=False)
    if node.resource_type == "seed":
        return hashlib.sha256((ROOT / "dbt" / node.original_file_path).read_bytes()).hexdigest() + said
    return f"{node.raw_code}{said}"


def _before(manifest: Any, name: str) -> set[str]:
    """The node and all that it is made from, tables of raw and meta among it."""
    waiting, seen = [name], set[str]()
    while waiting:
        if (one := waiting.pop()) not in seen:
            seen.add(one)
            waiting += getattr(manifest.nodes[one].depends_on, "nodes", []) if one in manifest.nodes else []
    return seen


def _called(texts: Iterable[str], macros: Mapping[str, str]) -> set[str]:
    """The macros that texts call, and those that these call, under whatever condition: dbt knows only of what it came by when it parsed."""
    waiting, seen = list(texts), set[str]()
    while waiting:
        text = re.sub(r"\bmacro\s+\w+", "", waiting.pop())  # where it is defined it is not called
        new = (set(re.findall(r"\b(\w+)\s*\(", text)) & macros.keys()) - seen
        seen |= new
        waiting += [macros[name] for name in sorted(new)]
    return seen


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
