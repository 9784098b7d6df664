"""What a person takes away equals SQL, is valid for those who read it, and holds nothing that may not be handed on."""

from __future__ import annotations

import csv
import json
import re
import shutil
import zipfile
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from openpyxl import load_workbook
from psycopg import sql
from pysdmx.io import get_datasets, read_sdmx
from python_calamine import CalamineWorkbook

from reporting.export import papers
from reporting.export.make import export
from reporting.export.read import Relation, begin
from reporting.export.terms import HANDED_OUT, declared
from warehouse.connection import connect
from warehouse.profile import Profile

# A mart of our own beside the real ones: each class, a release that cannot be told, what a workbook would take for a formula, a quote,
# an empty text beside none, a key of 19 digits
PROBE = """
create table bi.probe (
    code text primary key, label text, persons bigint, share_pct numeric(12, 4), rate double precision, is_first boolean, as_of_date date,
    seen_at timestamptz, area_key bigint, sources text, release_key bigint
);
comment on table bi.probe is 'One row is one case.';
comment on column bi.probe.persons is 'Persons who''s there.';
insert into bi.probe
select c.code, c.label, c.persons, c.share, c.share / 3, c.code = 'a', date '2024-02-29', timestamptz '2024-02-29 10:11:12.5+05',
    8825921345982090380, case when c.code <> 'f' then r.source_code end, case when c.code not in ('e', 'f', 'g') then r.release_key end
from (values
    ('a', '=1+1', -6722, 12.3400, 'bns.population'), ('b', E'two\nlines, "quoted"', null, null, 'bns.population'),
    ('c', '', 1, 0.0001, 'uis.outbound_totals'), ('d', '@SUM(A1)', 999001, 1, 'mol.kandas'),
    ('e', 'Қ', 999002, 2, 'cisstat.external_flows'),
    ('f', 'whose?', 999003, 3, 'bns.population'), ('g', null, 4, 4, 'bns.population')
) as c (code, label, persons, share, dataset)
join lateral (
    select release_key, source_code from bi.dim_release where source_code || '.' || dataset = c.dataset order by is_current desc, 1 limit 1
) as r on true
"""


@pytest.fixture(scope="module")
def exported(bundled: tuple[Profile, object]) -> Iterator[tuple[Profile, Path]]:
    profile = bundled[0]
    with connect(profile) as connection:
        connection.execute(PROBE)
    try:
        yield profile, export(profile)
    finally:
        with connect(profile) as connection:
            connection.execute("drop table bi.probe")
        shutil.rmtree(profile.state / "export")  # the site of the same publication would link to it


def _relations(profile: Profile) -> list[Relation]:
    with connect(profile) as connection:
        return [relation for relation in begin(connection).relations.values() if relation.mart]


def _asked(profile: Profile, relation: Relation) -> list[tuple[Any, ...]]:
    """The rows as SQL has them; only keys are written otherwise."""
    columns = [column.value if column.is_key else sql.Identifier(column.name) for column in relation.columns]
    with connect(profile) as connection:
        query = sql.SQL("select {} from {}").format(sql.SQL(", ").join(columns), relation.table)
        return connection.execute(query).fetchall()


def _rows(query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect() as connection:
        return connection.execute(query).fetchall()


def _csv(file: Path) -> tuple[list[str], list[tuple[str, ...]]]:
    with file.open(encoding="utf-8", newline="") as lines:
        heading, *rows = csv.reader(lines)
    return heading, [tuple(row) for row in rows]


def _left_out(root: Path, name: str) -> int:
    lines = [line.split() for line in (root / "NOT_INCLUDED").read_text(encoding="utf-8").splitlines()]
    return sum(int(words[1].replace(",", "")) for words in lines if words[:1] == [f"{name}:"] and "row" in words[2])


def test_every_format_equals_sql_cell_by_cell(exported: tuple[Profile, Path]) -> None:
    profile, root = exported
    bundles = {may: duckdb.connect(str(next((root / may).glob("*.duckdb"))), read_only=True) for may in HANDED_OUT}
    seen = 0
    for relation in _relations(profile):
        rows = _asked(profile, relation)
        files = [root / may / relation.mart / f"{relation.name}.parquet" for may in HANDED_OUT]
        parquet = [row for file in files if file.exists() for row in _rows(f"select * from '{file}'")]
        assert len(parquet) + _left_out(root, relation.name) == len(rows), relation.name
        assert not Counter(parquet) - Counter(rows), relation.name
        for may, file in zip(HANDED_OUT, files, strict=True):
            if not file.exists():
                continue
            seen += 1
            here = _rows(f"select * from '{file}'")
            assert bundles[may].sql(f"select * from {relation.name}").fetchall() == here
            # Parquet is read from the CSV file: of the other views of a mart, that it equals SQL says enough
            if file.with_suffix(".xlsx").exists():
                _, plain = _csv(file.with_suffix(".csv"))
                for cells, values in zip(plain, here, strict=True):
                    assert [_as_number(*each) for each in zip(cells, values, strict=True)] == [_as_text(value) for value in values]
                _equals_workbook(file.with_suffix(".xlsx"), here)
    assert seen > 10
    for bundle in bundles.values():
        bundle.close()


def _as_text(value: Any) -> Any:
    """A value as CSV spells it; numbers are compared as numbers."""
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        return Decimal(str(value))
    if hasattr(value, "astimezone"):
        return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _as_number(cell: str, value: Any) -> Any:
    return Decimal(cell) if isinstance(value, int | float | Decimal) and not isinstance(value, bool) else cell


def _equals_workbook(file: Path, rows: list[tuple[Any, ...]]) -> None:
    book = CalamineWorkbook.from_path(file)
    assert book.sheet_names == ["data", "metadata", "citation"]
    _, *found = book.get_sheet_by_name("data").to_python()
    assert [[_as_sheet(value) for value in row] for row in rows] == [
        [Decimal(str(cell)) if isinstance(cell, int | float) and not isinstance(cell, bool) else cell for cell in row] for row in found
    ]


def _as_sheet(value: Any) -> Any:
    """A value as a sheet keeps it: nothing is an empty cell, and a double has 16 digits."""
    if value is None or isinstance(value, bool):
        return "" if value is None else value
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None)
    if isinstance(value, float):
        return Decimal(str(float(f"{value:.16g}")))
    return Decimal(value) if isinstance(value, int | Decimal) else value


def test_a_label_stays_text_and_a_number_a_number(exported: tuple[Profile, Path]) -> None:
    file = exported[1] / "open" / "probe" / "probe.xlsx"
    data = load_workbook(file)["data"]
    assert (data["B2"].value, data["B2"].data_type) == ("=1+1", "s")
    assert (data["C2"].value, data["C2"].data_type) == (-6722, "n")
    assert b"<f>" not in zipfile.ZipFile(file).read("xl/worksheets/sheet1.xml")
    heading, rows = _csv(file.with_suffix(".csv"))
    assert dict(zip(heading, rows[0], strict=True)) | {"release_key": ""} == {
        "code": "a", "label": "=1+1", "persons": "-6722", "share_pct": "12.3400", "rate": "4.113333333333333", "is_first": "true",
        "as_of_date": "2024-02-29", "seen_at": "2024-02-29T05:11:12.500000Z", "area_key": f"{8825921345982090380:016x}",
        "sources": "bns", "release_key": "",
    }  # fmt: skip


def test_nothing_that_may_not_be_handed_out_is_in_a_file(exported: tuple[Profile, Path]) -> None:
    profile, root = exported
    with connect(profile) as connection:
        read = begin(connection)
    may = {key: release.own.may for key, release in read.releases.items()}
    wide = {"open": {"open"}, "share-alike": {"open", "share-alike"}}
    made = [each for release in read.releases.values() for each in (release.own, *release.others.values())]
    handed = [each for each in made if each.may in HANDED_OUT]
    others = {each.attribution for each in made if each.may not in HANDED_OUT} - {each.attribution for each in handed}
    silent = {each.source for each in made} - {each.source for each in handed}
    assert {"quote-only", "unknown"} <= set(may.values())
    assert len(others) > 1
    assert "cisstat" in silent
    for bundle, allowed in wide.items():
        for file in (root / bundle).rglob("*.csv"):
            heading, rows = _csv(file)
            keys = [place for place, name in enumerate(heading) if name.lower().endswith(("release_key", "release"))]
            assert {may[row[place]] for row in rows for place in keys if row[place]} <= allowed, file
            makers = [place for place, name in enumerate(heading) if name == "sources"]
            assert not {each for row in rows for place in makers for each in row[place].split("; ")} & silent, file
            text = file.read_text(encoding="utf-8")
            assert not [other for other in others if other in text], file
    probes = {may: _csv(root / may / "probe" / "probe.csv")[1] for may in HANDED_OUT}
    assert {may: [row[0] for row in rows] for may, rows in probes.items()} == {"open": ["a", "b", "g"], "share-alike": ["c"]}
    said = (root / "NOT_INCLUDED").read_text(encoding="utf-8")
    assert "probe: 2 rows, quote-only; rest on" in said
    assert "probe: 1 row, unknown; rest on" in said
    for name, dataset in declared().items():
        assert (f"  {name}: " in said) is (dataset.narrowest not in HANDED_OUT), name
    assert "https://new.cisstat.org" in said


def test_the_headline_series_is_taken_away_but_for_what_is_the_committees(exported: tuple[Profile, Path]) -> None:
    """Rows are told apart, not marts: the bureau's years are a file, and those whose terms nobody knows are named with their years."""
    profile, root = exported
    heading, rows = _csv(root / "open" / "migration_balance" / "migration_balance.csv")
    found = [dict(zip(heading, row, strict=True)) for row in rows]
    assert {row["year"] for row in found if row["row_kind"] == "leaf"} == {str(year) for year in range(2000, 2026)}
    assert not [row for row in found if "cisstat" in row["flows_source_code"] or "cisstat" in row["sources"]]
    with connect(profile) as connection:
        asked = connection.execute(
            "select year::text, balance_persons::text from bi.migration_balance where year >= 2000 and row_kind = 'leaf'"
        )
        assert {(row["year"], row["balance_persons"] or None) for row in found if row["row_kind"] == "leaf"} == set(asked.fetchall())
    said = (root / "NOT_INCLUDED").read_text(encoding="utf-8")
    [line] = [line for line in said.splitlines() if line.startswith("  migration_balance: ")]
    assert line.startswith("  migration_balance: 9 rows of 1991–1999, unknown; rest on ")
    assert "  bns.external_arrivals: figures of 1991–1999, which another agency made" in said
    _, flows = _csv(root / "open" / "sdmx" / "migration_flows.csv")
    assert not [row for row in flows if any("CIS Stat" in cell for cell in row)]
    cited = (root / "open" / "CITATION").read_text(encoding="utf-8")
    assert "bns.external_arrivals: " in cited
    assert "CIS Stat" not in cited
    assert "undesa.stock_by_destination_and_origin: " in cited
    assert "as readers of the workbook quote it" not in cited


def test_the_packages_are_valid(exported: tuple[Profile, Path]) -> None:
    from frictionless import Package

    for may in HANDED_OUT:
        # of a large table some hundred rows: that each equals SQL is said above
        report = Package(str(exported[1] / may / "datapackage.json")).validate(limit_rows=300)
        assert report.valid, report.flatten(["message"])[:3]
        assert report.stats["tasks"]


def test_sdmx_reads_its_own_structure_and_says_what_sql_says(exported: tuple[Profile, Path]) -> None:
    profile, root = exported
    where = root / "open" / "sdmx"
    kinds = Counter(type(each).__name__ for each in read_sdmx(where / "structure.xml").structures or ())
    assert kinds["DataStructureDefinition"] == kinds["Dataflow"] == len(list(where.glob("*.csv")))
    with connect(profile) as connection:
        read = begin(connection)
        opened = {key for key, release in read.releases.items() if release.own.may == "open"}
        keys = [int.from_bytes(bytes.fromhex(key), "big", signed=True) for key in opened]
        for name, fact in (
            ("migration_flows", "fct_migration_flow"),
            ("population", "fct_population"),
            ("migrant_stocks", "fct_migrant_stock"),
        ):
            current = f"{fact}_all" if f"{fact}_all" in read.relations else fact
            if not (where / f"{name}.csv").exists():
                continue
            [data] = get_datasets(where / f"{name}.csv", where / "structure.xml")
            rows = connection.execute(
                sql.SQL("select count(*), sum(value), array_agg(distinct obs_status) filter (where value is null)"
                    " from {} where release_key = any(%s)"
                    " and (release_key, period_key) not in (select release_key, period_key from bi.bridge_release_origin)")
                .format(sql.Identifier("bi", current)), [keys],
            ).fetchone()  # fmt: skip
            assert rows is not None
            frame = data.data
            assert (len(frame), Decimal(str(frame["OBS_VALUE"].sum() or 0))) == (rows[0], rows[1] or 0)
            assert set(frame[frame["OBS_VALUE"].isna()]["OBS_STATUS"]) == set(rows[2] or ())
            structure: Any = data.structure
            codes = {
                component.id: {code.id for code in component.enumeration} for component in structure.components if component.enumeration
            }
            assert {"FREQ", "REF_AREA", "SEX", "OBS_STATUS"} <= codes.keys()
            for concept, known in codes.items():
                assert set(frame[concept]) <= known, concept


def test_digests_and_catalogue_name_every_file(exported: tuple[Profile, Path]) -> None:
    root = exported[1]
    files = {file.relative_to(root).as_posix() for file in root.rglob("*") if file.is_file()}
    sums = {line[66:]: line[:64] for line in (root / "SHA256SUMS").read_text(encoding="utf-8").splitlines()}
    assert sums.keys() == files - {"SHA256SUMS"}
    assert all(papers.digest(root / name).sha256 == said for name, said in sums.items())
    catalogue = json.loads((root / "catalog.jsonld").read_text(encoding="utf-8"))
    named = {each["dcat:downloadURL"]["@id"] for dataset in catalogue["dcat:dataset"] for each in dataset["dcat:distribution"]}
    assert named == {name for name in files if name.count("/") and not re.search("datapackage.json$|CITATION", name)}
    for may in HANDED_OUT:
        cited = {language: (root / may / words["file"]).read_text(encoding="utf-8") for language, words in papers.CITED.items()}
        assert cited.keys() == {"kk", "ru", "en"}
        assert all(words.keys() == papers.CITED["en"].keys() for words in papers.CITED.values())
        assert "Қазақстан" in cited["kk"]
        assert "Казахстана" in cited["ru"]
        assert len({text.count("\n") for text in cited.values()}) == 1, "a line that a language lacks"
        assert {words.keys() == papers.LEFT_OUT["en"].keys() for words in papers.LEFT_OUT.values()} == {True}
        left = {language: (root / words["file"]).read_text(encoding="utf-8") for language, words in papers.LEFT_OUT.items()}
        assert len({text.count("\n") for text in left.values()}) == 1, "a line that a language lacks"
        assert "Невошедшие строки" in left["ru"]
        assert "1991–1999 сандары" in left["kk"]
        said = (root / may / "CITATION").read_text(encoding="utf-8")
        assert {each["title"] for each in json.loads((root / may / "datapackage.json").read_text(encoding="utf-8"))["licenses"]} <= {
            line.removeprefix("  licence: ") for line in said.splitlines()
        }
