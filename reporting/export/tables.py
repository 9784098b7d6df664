"""The rows of a relation in the formats that keep types: Parquet, a workbook, a table of the DuckDB file.

All are made from the CSV file that PostgreSQL wrote, so that they can differ from it in type alone. Bytes depend on the rows and on the
versions of the libraries, never on when or where they are written.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from pyarrow import csv, parquet

from reporting.export.errors import ExportError
from reporting.export.read import Column, Table

TYPES = {
    "smallint": pa.int16(),
    "integer": pa.int32(),
    "bigint": pa.int64(),
    "double precision": pa.float64(),
    "real": pa.float32(),
    "text": pa.string(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "timestamp with time zone": pa.timestamp("us", tz="UTC"),
}
NUMERIC = re.compile(r"numeric\((\d+),(\d+)\)")
# What a sheet of a workbook, and one of its cells, can hold
SHEET_ROWS, CELL_CHARACTERS = 1_048_576, 32_767
# Text that openpyxl would take for a formula or an error
TAKEN_FOR_MORE = ("=", "#")
# Numbers of more digits are rounded by whoever opens a workbook
EXACT_DIGITS = 15
EPOCH = (1980, 1, 1, 0, 0, 0)  # the first moment that a zip can tell
# The oldest layout of DuckDB's files that this version writes: older programs open it as well
STORAGE = "v1.0.0"


def type_of(relation: str, column: Column) -> pa.DataType:
    """The column's type in Parquet. Raises `ExportError` for a type that files have no form for."""
    if found := NUMERIC.fullmatch(column.written):
        return pa.decimal128(int(found[1]), int(found[2]))
    if column.written not in TYPES:
        raise ExportError(
            f"{relation}.{column.name} is of type {column.written}, which has no form in files: expected one of"
            f" {', '.join(TYPES)} or numeric(p,s); give the model's column such a type, or add one to reporting/export/tables.py"
        )
    return TYPES[column.written]


def load(table: Table) -> pa.Table:
    """The rows of a CSV file with the types of their columns."""
    columns = table.relation.columns
    types = {column.name: type_of(table.relation.name, column) for column in columns}
    read = csv.read_csv(
        table.file,
        read_options=csv.ReadOptions(use_threads=False, block_size=1 << 26),
        parse_options=csv.ParseOptions(newlines_in_values=True),
        convert_options=csv.ConvertOptions(
            column_types=types, null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=False,
            true_values=["true"], false_values=["false"],
        ),
    )  # fmt: skip
    fields = [pa.field(column.name, types[column.name], metadata=_said(column)) for column in columns]
    return read.cast(pa.schema(fields, metadata={"description": table.relation.remark}))


def _said(column: Column) -> dict[str, str]:
    said = {"description": column.description, "unit": column.unit}
    said |= {f"label_{language}": label for language, label in zip(("kk", "ru", "en"), column.labels, strict=True)}
    return {name: text for name, text in said.items() if text}


def to_parquet(rows: pa.Table, file: Path) -> None:
    """Writes the rows as Parquet; descriptions, units and labels are metadata of the columns."""
    parquet.write_table(rows, file, compression="zstd")


def to_duckdb(tables: Iterable[tuple[str, str, pa.Table]], file: Path) -> None:
    """Writes one DuckDB file with a table of each (name, remark, rows)."""
    with duckdb.connect() as connection:
        connection.execute(f"attach '{str(file).replace(chr(39), chr(39) * 2)}' as made (storage_version '{STORAGE}')")
        connection.execute("begin")
        for name, remark, rows in tables:  # in one transaction: each would wait for the disk
            connection.register("came", rows)
            connection.execute(f"create table made.{_quoted(name)} as select * from came")
            connection.unregister("came")
            statements = [("table", f"made.{_quoted(name)}", remark)]
            statements += [
                ("column", f"made.{_quoted(name)}.{_quoted(field.name)}", (field.metadata or {}).get(b"description", b"").decode())
                for field in rows.schema
            ]
            for kind, target, text in statements:
                connection.execute(f"comment on {kind} {target} is '{text.replace(chr(39), chr(39) * 2)}'")
        connection.execute("commit")
        connection.execute("detach made")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def to_workbook(sheets: Sequence[tuple[str, Sequence[str], Iterable[Sequence[Any]]]], made_at: datetime, file: Path) -> None:
    """Writes a workbook of sheets (name, headings, rows).

    Text is typed as text, so that no label becomes a formula, and numbers as numbers; one that is longer than a workbook keeps is text.
    Raises `ExportError` for what no sheet can hold.
    """
    book = Workbook(write_only=True)
    for name, headings, rows in sheets:
        sheet = book.create_sheet(name)
        sheet.freeze_panes = "A2"
        sheet.append(list(headings))
        for number, row in enumerate(rows, start=2):
            if number > SHEET_ROWS:
                raise ExportError(f"{file.name}, sheet {name}: more rows than a sheet holds ({SHEET_ROWS:,})")
            try:
                cells = [_cell(sheet, value) for value in row]
            except ValueError as error:
                sheet.close()
                holds = f"a cell holds at most {CELL_CHARACTERS:,} characters and none that controls"
                raise ExportError(f"{file.name}, sheet {name}, row {number}: {holds}: {error}") from None
            sheet.append(cells)
    raw = io.BytesIO()
    book.save(raw)
    _write_anew(raw, made_at, file)


def _cell(sheet: Any, value: Any) -> Any:
    if isinstance(value, int | Decimal) and not isinstance(value, bool) and len(Decimal(value).as_tuple().digits) > EXACT_DIGITS:
        value = str(value)
    if not isinstance(value, str):
        return value.replace(tzinfo=None) if isinstance(value, datetime) else value
    if len(value) > CELL_CHARACTERS or ILLEGAL_CHARACTERS_RE.search(value):
        raise ValueError(repr(value[:80]))
    if not value.startswith(TAKEN_FOR_MORE):
        return value
    cell = WriteOnlyCell(sheet, value)
    cell.data_type = "s"
    return cell


def _write_anew(raw: io.BytesIO, made_at: datetime, file: Path) -> None:
    """Writes the workbook with times of its own: openpyxl puts in when it was saved."""
    stamp = f"{made_at:%Y-%m-%dT%H:%M:%SZ}"
    with zipfile.ZipFile(raw) as old, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "docProps/core.xml":
                content = re.sub(rb">[^<>]*(</dcterms:(?:created|modified)>)", b">" + stamp.encode() + rb"\1", content)
            info = zipfile.ZipInfo(name, EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            new.writestr(info, content)
