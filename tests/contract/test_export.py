"""An export of one publication has the same bytes each time, and `latest` leads to a whole one at every moment."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from extractors.source import load_source
from reporting.export import meaning, papers
from reporting.export.errors import ExportError
from reporting.export.make import export, folder
from reporting.export.papers import SUMS
from warehouse.connection import connect
from warehouse.profile import ROOT, Profile

CHANGED = "update bi.dim_area set area_name_en = area_name_en || '!'"


def _bytes(root: Path) -> dict[str, bytes]:
    """The files by name; DuckDB's have equal rows, not equal bytes."""
    files = [file for file in root.rglob("*") if file.is_file() and file.suffix != ".duckdb" and file.name != SUMS]
    return {file.relative_to(root).as_posix(): file.read_bytes() for file in files}


def test_latest_is_whole_when_an_export_is_killed_and_the_next_has_the_same_bytes(settled: Profile) -> None:
    root, latest = export(settled), folder(settled) / "latest"
    first = _bytes(root)
    with connect(settled) as connection:
        connection.execute(CHANGED)
    command = (
        "from pathlib import Path; from reporting.export.make import export; from warehouse.profile import Profile; import sys; "
        "export(Profile('sample', sys.argv[1], sys.argv[2], Path(sys.argv[3]), sys.argv[4]))"
    )
    place = [settled.archive, settled.journal, str(settled.state), settled.database]
    killed = subprocess.run(
        [sys.executable, "-c", command, *place], env=os.environ | {"KOSHI_KILL_AT": "export.latest"}, cwd=ROOT, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    between = _bytes(latest)
    assert between != first
    assert papers.sums(latest) == (latest / SUMS).read_text(encoding="utf-8")
    assert export(settled) == root == latest.resolve()
    assert _bytes(root) == between
    assert papers.sums(root) == (root / SUMS).read_text(encoding="utf-8")
    assert sorted(path.name for path in folder(settled).iterdir()) == sorted([root.name, "latest"])


RELEASES = """
create table bi.dim_release (release_key bigint, source_code text, dataset text, licence text, attribution text);
create table bi.bridge_release_origin (release_key bigint, licence text, attribution text);
insert into bi.dim_release values (1, 'uis', 'outbound_totals', 'CC BY-SA', 'The institute'), (2, 'gone', 'figures', 'free', 'Somebody');
insert into bi.bridge_release_origin values (1, 'CC0', 'Another')
"""
SAID = """
create table bi.columns (relation text, "column" text, unit text, label_kk text, label_ru text, label_en text);
create table bi.citation (dataset text, citation_kk text, citation_ru text, citation_en text);
insert into bi.columns values ('mart', 'persons', 'persons', 'адам', 'человек', 'Persons'), ('mart', 'code', null, 'код', 'код', 'Code');
insert into bi.citation values ('uis.outbound_totals', 'Институт (2025). Жиынтық.', 'Институт (2025). Итоги.', 'Institute (2025). Totals.')
"""


def test_what_bi_says_of_columns_and_datasets_goes_before_what_sources_declare(bare: Profile) -> None:
    with connect(bare) as connection:
        connection.execute(RELEASES)
        assert meaning.of_columns(connection) == {}
        found = meaning.citations(connection)
        assert (found["uis.outbound_totals"].citation, found["uis.outbound_totals"].licence) == ("The institute; Another", "CC BY-SA; CC0")
        assert (found["gone.figures"].title, found["gone.figures"].terms_url) == ("gone.figures", "")  # declared no more
        assert found["iom.missing_migrants"].citation == load_source("iom").attribution  # declared, and nothing of it is published
        connection.execute(SAID)
        assert meaning.of_columns(connection) == {
            ("mart", "persons"): ("persons", ("адам", "человек", "Persons")),
            ("mart", "code"): ("", ("код", "код", "Code")),
        }
        found = meaning.citations(connection)
        assert found["uis.outbound_totals"].citation == "Institute (2025). Totals."
        assert found["uis.outbound_totals"].citations["ru"] == "Институт (2025). Итоги."
        assert found["uis.outbound_totals"].titles["kk"] == load_source("uis").datasets["outbound_totals"].title.kk


def test_before_the_first_publication_it_says_what_to_do(bare: Profile) -> None:
    with pytest.raises(ExportError, match="nothing is published yet: `make run`"):
        export(bare)
    assert not list(folder(bare).glob("[!.]*"))
