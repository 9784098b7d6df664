"""What readers have stays: no relation or column of `bi` goes, or changes its type, unannounced (docs/relations.csv, CHANGELOG.md)."""

from __future__ import annotations

import csv
import re
from collections.abc import Collection

import pytest

from tests.golden.conftest import Reader
from warehouse.profile import ROOT

LIST = ROOT / "docs" / "relations.csv"
Columns = set[tuple[str, str, str]]
RULE = "keep the old name as a view for one release (dbt: `deprecation_date`), name it under Deprecated, and a release later under Removed"


def unannounced(gone: Collection[str], changelog: str) -> list[str]:
    """The names (`relation` or `relation.column`) that the changelog does not call removed after it called them deprecated."""
    versions = re.split(r"(?m)^## ", changelog)[1:]  # the newest first

    def named(part: str, version: str) -> set[str]:
        sections = re.split(r"(?m)^### ", version)[1:]
        return {name for section in sections if section.startswith(part) for name in re.findall(r"`bi\.([\w.]+)`", section)}

    said = [name for name in gone if not any(
        name in named("Removed", version) and any(name in named("Deprecated", earlier) for earlier in versions[at + 1 :])
        for at, version in enumerate(versions)
    )]  # fmt: skip
    return sorted(said)


def _listed() -> Columns:
    with LIST.open(encoding="utf-8", newline="") as file:
        return {(row["relation"], row["column"], row["type"]) for row in csv.DictReader(file)}


def test_no_relation_or_column_of_readers_goes_unannounced(published: Reader) -> None:
    rows = published.execute(
        "select c.relname, a.attname, format_type(a.atttypid, a.atttypmod) from pg_class as c"
        " join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped"
        " where c.relnamespace = 'bi'::regnamespace and c.relkind in ('r', 'v') order by 1, a.attnum"
    ).fetchall()
    found, listed = {(str(name), str(column), str(kind)) for name, column, kind in rows}, _listed()
    relations = {name for name, _, _ in found}
    gone = {f"{name}.{column}" if name in relations else name for name, column, _ in listed - found}
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert unannounced(gone, changelog) == [], RULE
    text = "relation,column,type\n" + "".join(f"{name},{column},{kind if ',' not in str(kind) else chr(34) + str(kind) + chr(34)}\n"
                                              for name, column, kind in rows)  # fmt: skip
    assert LIST.read_text(encoding="utf-8") == text, f"{LIST} does not list what readers see: write what is new there"


CHANGES = (
    "# Changelog\n\n## Unreleased\n\n### Removed\n\n- `bi.old`, `bi.mart.label`\n\n## 1.0\n\n### Deprecated\n\n- `bi.old`: read `bi.new`\n"
)


@pytest.mark.parametrize(
    ("gone", "left"), [(["old"], []), (["mart.label"], ["mart.label"]), (["other"], ["other"]), (["old", "new"], ["new"])]
)
def test_what_goes_was_deprecated_a_release_before(gone: list[str], left: list[str]) -> None:
    assert unannounced(gone, CHANGES) == left


def test_every_table_of_readers_has_a_key_that_clients_see(published: Reader) -> None:
    rows = published.execute(
        "select c.relname, count(i.indexrelid) from pg_class as c left join pg_index as i on i.indrelid = c.oid and i.indisprimary"
        " where c.relnamespace = 'bi'::regnamespace and c.relkind = 'r' group by 1 order by 1"
    ).fetchall()
    assert len(rows) > 30
    assert [name for name, keys in rows if keys != 1] == []
