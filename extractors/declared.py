"""Flat records as `source.yml` declares them: what is asked (`request`), and how the answers are read (`records`).

What was asked is kept with each delivery, for what an answer is about is said by its question. How it is read is parsing code: a change
of it reads old answers anew (docs/decisions/0023).
"""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from warehouse.records import columns_of

# a page rule that ends nowhere ends here
MOST_PAGES = 1_000
_POINTER = r"^(/([^~/]|~[01])*)*$"
_COLUMN = re.compile(r"[a-z][a-z0-9_]{0,58}")


class Declared(BaseModel):
    """Base of everything read from `source.yml`: an unknown field is an error, nothing changes after reading."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Labels(Declared):
    """A name in the three languages of the warehouse."""

    kk: str
    ru: str
    en: str


class Paging(Declared):
    """How an answer of several pages is asked for.

    The last page is known by the number of pages or the count of records that the answer states, by the want of a link, else by being
    empty: a page with fewer records than were asked for need not be the last.
    """

    by: Literal["page", "offset", "link"]
    param: str = Field(default="", description="the parameter that names the page, the offset, or (link) takes the cursor of the next page")
    first: int = Field(default=1, ge=0, description="the number of the first page; an offset begins at 0")
    size: str = Field(default="", description="the parameter that says how many records a page has at most")
    pages: str = Field(default="", pattern=_POINTER, description="where the answer says how many pages there are")
    next: str = Field(
        default="", pattern=_POINTER, description="where the answer names the next page by address or cursor; nothing: the last"
    )
    most: int = Field(default=MOST_PAGES, ge=1, description="pages beyond which the answer is refused")

    @model_validator(mode="after")
    def _holds_together(self) -> Paging:
        if (self.by == "link") != bool(self.next):
            raise ValueError("next: where the next page is named, for `by: link` and for nothing else")
        if self.by != "link" and not self.param:
            raise ValueError("param: the parameter that says which page is asked for")
        if self.by == "offset" and not self.size:
            raise ValueError("size: an offset is counted in records, by the parameter that says how many a page has")
        return self


class Asked(Declared):
    """The questions of a dataset of flat records: `request` in `source.yml`. Values are text, as they stand in an address."""

    base: str = Field(description="a name of base_urls")
    path: str = Field(pattern=r"^/", description="the address below the base; {name} stands for a value of `each`")
    params: dict[str, str | list[str]] = {}
    each: dict[str, list[str]] = Field(default={}, max_length=1, description="one question, and one slice, for each value of this name")
    paging: Paging | None = None

    @model_validator(mode="after")
    def _holds_together(self) -> Asked:
        named = set(re.findall(r"\{(\w*)\}", self.path))
        if named - self.each.keys():
            raise ValueError(f"path: {{{min(named - self.each.keys())}}} is no name of `each`")
        if doubled := self.each.keys() & self.params.keys():
            raise ValueError(f"each: {min(doubled)} is a parameter already")
        for name, values in self.each.items():
            if not values or len(set(values)) < len(values):
                raise ValueError(f"each.{name}: at least one value, and each once")
        if self.paging and self.paging.size and not isinstance(self.params.get(self.paging.size), str):
            raise ValueError(f"paging.size: {self.paging.size} is none of params")
        if self.paging and self.paging.param in {*self.params, *self.each} - {""}:
            raise ValueError(f"paging.param: {self.paging.param} is asked for by the page rule alone")
        return self

    @property
    def name(self) -> str:
        """The name of `each`; empty where there is one question."""
        return next(iter(self.each), "")


class Unpivot(Declared):
    """Fields of one record that are figures of several things: each makes a row of its own."""

    fields: tuple[str, ...] = Field(min_length=2, description="the agency's fields, which every record has")
    name: str = Field(description="the column that takes the name of the field")
    value: str = Field(description="the column that takes what stands in it")


class Records(Declared):
    """How the answers of a dataset are read: `records` in `source.yml`. A place is a JSON pointer into the answer."""

    form: Literal["json", "table", "csv"] = Field(
        description="json: a list of objects; table: a list of lists, the first of which is the header; csv: the same as text"
    )
    at: str = Field(default="", pattern=_POINTER, description="where the list lies; empty: it is the answer")
    fields: dict[str, str] = Field(min_length=1, description="the agency's fields, which every record has, and their columns")
    optional: dict[str, str] = Field(default={}, description="fields that may be absent, and their columns")
    unpivot: Unpivot | None = Field(default=None, description="fields that make a row each, in place of one row a record")
    ignored: tuple[str, ...] = Field(default=(), description="fields that may be there and are not taken")
    of_answer: dict[str, str] = Field(default={}, description="places beside the list, and the columns that repeat what stands there")
    of_question: dict[str, str] = Field(default={}, description="parameters of the question, and the columns that repeat them")
    beside: tuple[str, ...] = Field(default=(), description="places beside the list that may be there and are not taken")
    figures: tuple[str, ...] = Field(default=(), description="the columns that hold figures")
    decimal_marks: str = Field(default=".", pattern=r"^[.,]{1,2}$")
    edition: str = Field(default="", description="what the edition is: a place beside the list, or a field with one value in all records")
    count: str = Field(default="", pattern=_POINTER, description="where the answer says how many records there are, on all its pages")
    delimiter: str = Field(default=",", min_length=1, max_length=1)
    member: str = Field(default="", description="the file in the ZIP that the answer is")

    @model_validator(mode="after")
    def _holds_together(self) -> Records:
        unpivoted = self.unpivot.fields if self.unpivot else ()
        columns = [*self.fields.values(), *self.optional.values(), *self.of_answer.values(), *self.of_question.values()]
        columns += [self.unpivot.name, self.unpivot.value] if self.unpivot else []
        for column in columns:
            if not _COLUMN.fullmatch(column):
                raise ValueError(f"{column!r} is no column: small letters, digits and _, a letter first, at most 59")
        if len(set(columns)) < len(columns):
            raise ValueError(f"each column once, found {', '.join(sorted(columns))}")
        names = [*self.fields, *self.optional, *unpivoted, *self.ignored]
        if len(set(names)) < len(names):
            raise ValueError(f"each field once in fields, optional, unpivot and ignored, found {', '.join(sorted(names))}")
        if strange := set(self.figures) - set(columns):
            raise ValueError(f"figures: {min(strange)} is no column of fields")
        places = [*self.of_answer, *self.beside]
        if wrong := next((place for place in places if not (place.startswith("/") and re.match(_POINTER, place))), None):
            raise ValueError(f"{wrong!r} is no place: a JSON pointer such as /total")
        if self.edition and not self.edition.startswith("/") and self.edition not in self.fields:
            raise ValueError(f"edition: {self.edition} is neither a place such as /updated nor one of fields")
        if self.form == "csv" and (self.at or self.count or places or self.edition.startswith("/")):
            raise ValueError("at, count, of_answer, beside and a place as edition: there is nothing beside the lines of a csv")
        if self.form != "csv" and (self.member or self.delimiter != ","):
            raise ValueError("member and delimiter are of a csv")
        return self

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the raw table, in an order that does not depend on the order of the declaration."""
        return columns_of(self.model_dump())

    @property
    def required(self) -> tuple[str, ...]:
        """The fields that every record has."""
        return (*self.fields, *(self.unpivot.fields if self.unpivot else ()))

    @property
    def taken(self) -> dict[str, str]:
        """The fields that are read, and their columns; `=` and its name for one that is unpivoted."""
        return {**self.fields, **self.optional, **({field: f"={field}" for field in self.unpivot.fields} if self.unpivot else {})}

    @property
    def read(self) -> tuple[str, ...]:
        """What is read of a record, in order: the columns of the raw table, but for those that unpivoted fields make."""
        unpivot = self.unpivot
        if unpivot is None:
            return self.columns
        kept = (column for column in self.columns if column not in (unpivot.name, unpivot.value))
        return (*kept, *(f"={field}" for field in unpivot.fields))

    @property
    def recorded(self) -> dict[str, Any]:
        """What is kept of it with a delivery."""
        return self.model_dump(mode="json")
