"""What a staging view is made from, where a source is regular: the block `staging` of a dataset in `source.yml`.

`make contracts` writes the view of it (warehouse/contracts.py); columns are those of the raw table.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Any, Literal

from pydantic import Field, model_validator

from extractors.declared import Declared, Labels

# Why a figure is not there, and the status that says so
Missing = Literal["not_available", "suppressed", "not_applicable", "included_elsewhere", "not_collected"]
# Statuses of figures that are there (seed obs_status)
Status = Literal["A", "B", "D", "E", "F", "G", "I", "J", "N", "P", "S", "U", "V", "W"]
Break = Literal["census", "territory", "definition"]


class Area(Declared):
    """Which area a row is about: what a column says in a system of codes, or one area in every row."""

    column: str = ""
    codes: str = Field(
        default="code",
        pattern=r"^[a-z0-9_]+$",
        description="code, iso2, iso3 or m49 of seed area; region, kato or ref_area of seed region; else a scheme of seed area_alias",
    )
    also: dict[str, str] = Field(default={}, description="the agency's own codes, and the areas that they stand for")
    always: str = Field(default="", description="the area of every row, where no column says it")

    @model_validator(mode="after")
    def _is_one_of_them(self) -> Area:
        if bool(self.column) == bool(self.always):
            raise ValueError("column or always: where the area stands, or which it always is")
        return self


class Period(Declared):
    """When a figure is of."""

    column: str
    form: Literal["year", "month", "day"] = Field(default="year", description="spelled YYYY, YYYY-MM or YYYY-MM-DD")
    at: str = Field(default="", pattern=r"^(\d\d-\d\d)?$", description="the day of the year (MM-DD) of which a stock is; only for years")

    @model_validator(mode="after")
    def _is_a_day_of_a_year(self) -> Period:
        try:
            is_one = not self.at or (self.form == "year" and bool(date.fromisoformat(f"2001-{self.at}")))
        except ValueError:
            is_one = False
        if not is_one:
            raise ValueError("at: a day that every year has, MM-DD, for a period of form year")
        return self


class Indicator(Declared):
    """One thing that is counted or measured."""

    title: Labels
    unit: str = Field(min_length=1, description="persons are whole and not negative, unless `signed`")
    text: str = Field(default="", description="how the agency writes it in the column `indicator`; its name if not given")
    signed: bool = Field(default=False, description="whether it may be negative, as a balance is")
    three_decimals: bool = Field(
        default=False, description="whether the agency prints three decimals; else a mark before three digits could be one of thousands"
    )


class Coded(Declared):
    """A column whose texts stand for codes."""

    column: str
    codes: dict[str, str] = Field(min_length=1, description="the agency's texts, and our codes; empty text is one, too")


class StatusMarks(Declared):
    """A column that marks figures; where it is empty a figure is normal (A)."""

    column: str
    codes: dict[str, Status] = Field(min_length=1)


class Unit(Declared):
    """A column that says the unit, which is always this one."""

    column: str
    text: str


class Dropped(Declared):
    """Rows that no fact takes, by what a column says."""

    column: str
    texts: tuple[str, ...] = Field(min_length=1)
    because: str = Field(min_length=1, description="the reason that readers of the ledger find")


class Staging(Declared):
    """The contract of a regular dataset: one row of the raw table is one figure of an area (and a counterpart), an indicator and a period.

    Its rows are facts of `fct_area_indicator`.
    """

    counted: str = Field(min_length=1, description="who or what is counted, in words")
    area: Area
    counterpart: Area | None = Field(default=None, description="the other end, where the figures are of two areas")
    period: Period
    indicator: str = Field(default="", description="the column that names the indicator; without it there is one")
    indicators: dict[str, Indicator] = Field(min_length=1)
    value: str
    gaps: dict[str, Missing] = Field(default={}, description="marks in place of a figure; nothing is always not_available")
    status: StatusMarks | None = None
    sex: Coded | None = Field(default=None, description="without it figures are of both sexes")
    unit: Unit | None = None
    estimate_kind: Literal["observed", "estimated", "derived"]
    breaks: dict[str, Break] = Field(default={}, description="years from which figures are not as before, and why")
    dropped: tuple[Dropped, ...] = ()

    @model_validator(mode="after")
    def _holds_together(self) -> Staging:
        if not self.indicator and len(self.indicators) > 1:
            raise ValueError("indicator: the column that tells the indicators apart")
        for name in self.indicators:
            if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
                raise ValueError(f"indicators: {name!r} is no name of small letters, digits and _")
        texts = [indicator.text or name for name, indicator in self.indicators.items()]
        if len(set(texts)) < len(texts):
            raise ValueError("indicators: each text once")
        if wrong := next((year for year in self.breaks if not re.fullmatch(r"(19|20)\d\d", year)), None):
            raise ValueError(f"breaks: {wrong!r} is no year")
        if wrong := next((text for text in _texts(self.model_dump(exclude={"indicators"})) if re.search(r"[{}\n\\]", text)), None):
            raise ValueError(f"{wrong!r}: no braces, backslashes or line breaks")
        return self

    @property
    def columns(self) -> set[str]:
        """The columns of the raw table that it reads."""
        ends = [end.column for end in (self.area, self.counterpart) if end]
        marks = [each.column for each in (self.status, self.sex, self.unit, *self.dropped) if each]
        return {*ends, *marks, self.period.column, self.indicator, self.value} - {""}

    @property
    def key(self) -> tuple[str, ...]:
        """The columns of the staging view that say what a row is about."""
        period = "year" if self.period.form == "year" else "period_start_date"
        return ("area_code", *(["counterpart_area_code"] if self.counterpart else []), "indicator_code", "sex_code", period)


def _texts(value: Any) -> list[str]:
    """Every text of a declaration, keys among them."""
    if isinstance(value, dict):
        return [text for key, each in value.items() for text in [str(key), *_texts(each)]]
    if isinstance(value, (list, tuple)):
        return [text for each in value for text in _texts(each)]
    return [value] if isinstance(value, str) else []
