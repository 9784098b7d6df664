"""An export from beginning to end, and the link `latest`, which turns in one move."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from extractors.source import Redistribution
from reporting.export import papers, sdmx, tables
from reporting.export.papers import CATALOGUE, PACKAGE, SUMS
from reporting.export.read import Read, Table, marts
from reporting.export.terms import HANDED_OUT
from warehouse import durable
from warehouse.locks import locked
from warehouse.profile import Profile
from warehouse.publication import KEEP
from warehouse.steps import reached, step

LATEST, UNFINISHED = "latest", ".part"
METADATA = ("relation", "column", "type", "unit", "label_kk", "label_ru", "label_en", "description")
CITED = ("dataset", "title", "citation", "licence", "terms")


def folder(profile: Profile) -> Path:
    """Where the exports of the profile lie: a folder a publication, and `latest`, which leads to one of them."""
    return profile.state / "export"


def export(profile: Profile) -> Path:
    """Writes what readers see as files and returns the folder, to which `latest` leads from now on.

    Whoever follows `latest` finds a whole export, whenever this is killed; running again is safe. One of the same publication that is there
    and has the same bytes stays. The last `KEEP` exports are kept. Raises `ExportError` where there is nothing to write, or no form for it.
    """
    with locked(profile, "export", wait=True), step("export"):
        here = folder(profile)
        here.mkdir(parents=True, exist_ok=True)
        _clear(here)
        scratch = Path(tempfile.mkdtemp(suffix=UNFINISHED, prefix=".", dir=here))
        scratch.chmod(0o755)  # it may be led to for a moment
        copied = scratch / "copied"
        copied.mkdir()
        read = marts(profile, copied)
        made = scratch / read.name
        write(read, made)
        shutil.rmtree(copied)
        _to_disk(made)
        _show(here, made)
        _clear(here)
        _forget(here)
        return here / read.name


def write(read: Read, root: Path) -> None:
    """Writes everything of one publication into a new folder."""
    root.mkdir()
    listed: dict[str, tuple[str, Sequence[str], Sequence[Path]]] = {}
    for may in HANDED_OUT:
        found = [table for table in read.tables if table.may == may]
        if found:
            _bundle(read, may, found, root / may, listed)
    for language, words in papers.LEFT_OUT.items():
        (root / words["file"]).write_text(papers.not_included(read, language), encoding="utf-8")
    papers.write_json(root / CATALOGUE, papers.catalogue(read, listed, root))
    (root / SUMS).write_text(papers.sums(root), encoding="utf-8")


def _bundle(
    read: Read, may: Redistribution, found: list[Table], target: Path, listed: dict[str, tuple[str, Sequence[str], Sequence[Path]]]
) -> None:
    """All that may be handed out in one class: a folder a mart, SDMX, one DuckDB file, a package."""
    rows: list[tuple[str, str, Any]] = []
    for mart in sorted({table.relation.mart for table in found}):
        of_mart = [table for table in found if table.relation.mart == mart]
        (target / mart).mkdir(parents=True)
        files: list[Path] = []
        for table in of_mart:
            name, loaded = table.relation.name, tables.load(table)
            csv, parquet = target / mart / f"{name}.csv", target / mart / f"{name}.parquet"
            table.file.rename(csv)
            tables.to_parquet(loaded, parquet)
            files += [csv, parquet]
            rows.append((name, table.relation.remark, loaded))
            if table is of_mart[0]:  # what the mart shows first: its other views are for those who know why they want them
                workbook = target / mart / f"{name}.xlsx"
                tables.to_workbook(_sheets(read, table, loaded), read.published_at, workbook)
                files.append(workbook)
        datasets = sorted({name for table in of_mart for name in table.datasets})
        listed[f"{may}/{mart}"] = (of_mart[0].relation.remark, datasets, files)
    if flows := sdmx.write(read, may, target / sdmx.FOLDER):
        datasets = sorted({name for flow, _, _ in flows for name in read.sdmx.datasets[flow.id, may]})
        files = [target / sdmx.FOLDER / sdmx.STRUCTURE, *(file for _, file, _ in flows)]
        listed[f"{may}/{sdmx.FOLDER}"] = ("; ".join(flow.name for flow, _, _ in flows) + " in SDMX.", datasets, files)
    database = target / ("koshi.duckdb" if may == HANDED_OUT[0] else f"koshi-{may}.duckdb")
    tables.to_duckdb(rows, database)
    listed[may] = ("All tables of this class in one file.", sorted({name for table in found for name in table.datasets}), [database])
    for language, words in papers.CITED.items():
        (target / words["file"]).write_text(papers.citation(read, may, _all_datasets(read, may, found), language), encoding="utf-8")
    papers.write_json(target / PACKAGE, papers.datapackage(read, may, found, target))


def _all_datasets(read: Read, may: Redistribution, found: list[Table]) -> list[str]:
    of_flows = [datasets for (_, each), datasets in read.sdmx.datasets.items() if each == may]
    return sorted({name for datasets in (*(table.datasets for table in found), *of_flows) for name in datasets})


def _sheets(read: Read, table: Table, loaded: Any) -> list[tuple[str, Sequence[str], Any]]:
    relation = table.relation
    said = [
        (relation.name, column.name, column.written, column.unit or None, *(label or None for label in column.labels), column.description)
        for column in relation.columns
    ]
    cited = [read.cited(name, table.may) for name in table.datasets]
    publication = f"publication {read.number} ({read.key}) of {read.published_at:%Y-%m-%d}"
    rows = (tuple(row.values()) for batch in loaded.to_batches(max_chunksize=5000) for row in batch.to_pylist())
    return [
        ("data", [column.name for column in relation.columns], rows),
        ("metadata", METADATA, [(relation.name, None, publication, *[None] * 4, relation.remark), *said]),
        ("citation", CITED, [(each.dataset, each.title, each.citation, each.licence, each.terms_url) for each in cited]),
    ]


def _show(here: Path, made: Path) -> None:
    """Puts a finished export in its place and turns `latest` to it: at every moment `latest` leads to a whole one."""
    target = here / made.name
    if target.exists() and not _is_same(target, made):
        # who follows `latest` meanwhile finds the new one where it was made
        _turn(here, made)
        _remove(target)
    if not target.exists():
        copy = made.with_name(f"{made.name}{UNFINISHED}")
        shutil.copytree(made, copy, copy_function=os.link)
        _to_disk(copy)
        copy.rename(target)
    reached("export.latest")
    _turn(here, target)


def _turn(here: Path, target: Path) -> None:
    link = here / f".{LATEST}.{os.getpid()}{UNFINISHED}"
    link.unlink(missing_ok=True)
    link.symlink_to(target.relative_to(here))
    link.rename(here / LATEST)
    durable.force(here)


def _is_same(old: Path, new: Path) -> bool:
    """Whether an export is whole and says what the new one says; DuckDB's files have equal rows, not equal bytes."""

    def named(root: Path) -> list[str]:
        return [line for line in (root / SUMS).read_text(encoding="utf-8").splitlines() if not line.endswith(".duckdb")]

    return (old / SUMS).exists() and named(old) == named(new) and papers.sums(old) == (old / SUMS).read_text(encoding="utf-8")


def _clear(here: Path) -> None:
    """Removes what is unfinished, of those that were killed as well, but for what `latest` leads to."""
    for left in here.glob(f"*{UNFINISHED}"):
        if left not in (here / LATEST).resolve().parents:
            _remove(left)


def _forget(here: Path) -> None:
    """Removes all but the newest exports, as publications are forgotten; that which `latest` leads to stays."""
    found = sorted((each for each in here.iterdir() if each.is_dir() and not each.is_symlink()), key=lambda each: each.stat().st_mtime)
    for old in found[:-KEEP]:
        if old != (here / LATEST).resolve():
            _remove(old)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _to_disk(root: Path) -> None:
    """Forces files and folders to disk, before anybody is led to them."""
    for path in [*root.rglob("*"), root]:
        durable.force(path)
