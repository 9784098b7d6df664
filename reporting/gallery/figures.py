"""The figures of a chart, as readers of `bi` are answered, and how they stand in a page or a file."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import psycopg
from babel.numbers import format_decimal

from reporting.gallery.declared import LANGUAGES, Chart, Column, GalleryError, Language
from warehouse.connection import connect
from warehouse.profile import Profile

# how a language writes figures, for the library that draws; Babel writes those of the tables alike
NUMBERS: dict[str, dict[str, Any]] = {
    "en": {"decimal": ".", "thousands": ",", "grouping": [3], "currency": ["", ""], "minus": "−"},
    "ru": {"decimal": ",", "thousands": "\u00a0", "grouping": [3], "currency": ["", ""], "minus": "−"},
    "kk": {"decimal": ",", "thousands": "\u00a0", "grouping": [3], "currency": ["", ""], "minus": "−"},
}


@dataclass(frozen=True)
class Figures:
    """The answer to a chart's query; `problem` says why there is none."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    problem: str = ""

    def of(self, column: str) -> list[Any]:
        """The values of a column. Raises `ValueError` for one that the query does not give."""
        at = self.columns.index(column)
        return [row[at] for row in self.rows]

    @property
    def year(self) -> int | None:
        """The year that all figures are of; None where they are of several, or of none."""
        years = {value for value in self.of("year") if value is not None} if "year" in self.columns else set[int]()
        return int(years.pop()) if len(years) == 1 else None

    def records(self) -> list[dict[str, Any]]:
        """The rows as the library that draws takes them: a number as float or int, a date as text, nothing as null."""
        return [{name: _plain(value) for name, value in zip(self.columns, row, strict=True)} for row in self.rows]

    def csv(self) -> str:
        """All columns and rows as CSV: a figure as the database has it, nothing as an empty field."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\r\n")
        writer.writerow(self.columns)
        writer.writerows([["" if value is None else value for value in row] for row in self.rows])
        return text.getvalue()


def figures(profile: Profile, chart: Chart) -> Figures:
    """What readers are answered now. Raises `GalleryError` where the query does not give the columns that the chart declares."""
    with connect(profile, "koshi_transformer") as connection:
        connection.execute("set transaction read only")
        try:
            cursor = connection.execute(chart.query.encode())
        except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn) as error:
            return Figures((), (), str(error.diag.message_primary))
        names = tuple(column.name for column in cursor.description or ())
        rows = tuple(cursor.fetchall())
    for name, column in chart.columns.items():
        needed = [f"{name}_{language}" for language in LANGUAGES] if column.kind == "name" else [name]
        if lacking := [each for each in needed if each not in names]:
            raise GalleryError(f"reporting/gallery/charts: the query of {chart.id} gives no {lacking[0]!r}; it gives {', '.join(names)}")
    return Figures(names, rows)


def shown(value: Any, column: Column, language: Language) -> str:
    """A value of a table as the language writes it; nothing for none."""
    if value is None:
        return ""
    if column.kind == "number" and isinstance(value, int | float | Decimal):
        exact = format_decimal(round(Decimal(value), column.decimals), f"#,##0.{'0' * column.decimals}", locale=language)
        return exact.replace("-", "−").replace("\u202f", "\u00a0")
    return str(value)


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value.isoformat() if isinstance(value, date) else value
