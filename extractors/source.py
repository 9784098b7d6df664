"""Sources and datasets as their `source.yml` declares them, typed."""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

import yaml
from pydantic import Field, ValidationError, model_validator

from extractors.contract import Staging
from extractors.declared import Asked, Declared, Labels, Records
from warehouse.profile import ROOT

Capture = Literal["live", "recorded", "reconstructed", "transcribed"]
ByHand = Literal["recorded", "reconstructed", "transcribed"]  # what a person may say of a file
# How far the figures of a dataset may be handed on. Of several answers under several terms the narrowest counts.
Redistribution = Literal["open", "share-alike", "quote-only", "unknown"]
# from the widest to the narrowest
CLASSES: tuple[Redistribution, ...] = get_args(Redistribution)
LOOPBACK = ("127.0.0.1", "::1", "localhost")


def strictest(classes: Iterable[Redistribution]) -> Redistribution:
    """The narrowest of these; of none the widest."""
    return max(classes, key=CLASSES.index, default=CLASSES[0])


class SourceError(RuntimeError):
    """A `source.yml` that cannot be used; the message names file and field."""


class HttpPolicy(Declared):
    """How politely and how patiently an agency is asked."""

    min_interval_seconds: float = Field(default=2.0, ge=0)
    connect_timeout_seconds: float = Field(default=10, gt=0)
    read_timeout_seconds: float = Field(default=60, gt=0)
    deadline_seconds: float = Field(
        default=600, gt=0, description="for a question in all its tries, from asking to the last byte; waits and turns are not counted"
    )
    tries: int = Field(default=3, ge=1)
    max_bytes: int = Field(default=50_000_000, gt=0)
    backoff_seconds: float = Field(default=1.0, ge=0, description="before the second try; doubled before each further one")
    max_wait_seconds: float = Field(default=300, ge=0, description="the longest Retry-After that is honoured; a longer one is a failure")
    headers: dict[str, str] = Field(default={}, description="sent with every question; {agent} is what we call ourselves; no secrets")
    redirect_hosts: tuple[str, ...] = Field(default=(), description="where an answer may lie besides the hosts of base_urls, over HTTPS")


class Continuity(Declared):
    """How far a release may differ from the one ranked below before a person decides; wider bounds state their reason beside them.

    Compared are figures that both releases can have: what is new, such as another year, never counts.
    """

    lost: float = Field(default=0.5, ge=0, le=1, description="share of the figures of which less may be gone")
    changed: float = Field(default=0.25, ge=0, le=1, description="share of the figures that may be changed by more than the factor")
    factor: float = Field(default=2.0, gt=1, description="what a changed figure is changed by, up or down")


class Judged(Declared):
    """What gate 1 asks of a dataset that has no suite of its own in `expectations/suites`."""

    key: tuple[str, ...] = Field(min_length=1, description="columns of the staging view that say what a row is about, with its period")
    unit: Literal["persons", "other"] = Field(description="persons are whole")
    view: str = Field(default="", pattern=r"^(stg_[a-z0-9_]+)?$", description="the staging view; stg_<source>__<dataset> if not given")


class Dataset(Declared):
    """One thing a source publishes. `request` holds the agency's own parameters, read by the source's client and parser.

    With `records` it needs neither: the answers are flat records, and `request` is as `Asked` says.
    """

    title: Labels
    shape: str = Field(pattern=r"^[a-z_]+$", description="the raw table")
    slices: str = Field(description="what one slice is, in words")
    redistribution: Redistribution = Field(
        description="open with the attribution, share-alike under the same licence, quote-only single figures, unknown if nobody says"
    )
    redistribution_of_editions: dict[str, Redistribution] = Field(default={}, description="the same of editions with terms of their own")
    redistribution_of_others: Redistribution | None = Field(
        default=None, description="the same of figures in its answers that another agency made (seed series_origin); else unknown"
    )
    request: dict[str, Any]
    records: Records | None = None
    staging: Staging | None = Field(default=None, description="the contract that the staging view is written from, where rows are regular")
    quarantine_max_share: float = Field(default=0.0, ge=0, le=1, description="share of rows above which gate 1 rejects the release")
    continuity: Continuity = Continuity()
    suite: Judged | None = Field(default=None, description="the default checks, for a dataset without checks of its own")
    after: str = Field(default="", description="the dataset of the same source that gate 1 compares it with, and that is taken in first")
    out_of_scope: str = Field(default="", description="what the agency delivers and we do not take: counted, not absorbed")
    next_release: date | None = Field(default=None, description="the day on which the agency says that it publishes again, if it says so")
    only_transcribed: bool = Field(default=False, description="published in print only; the live profile uses the bundled transcription")

    def may(self, edition: str) -> Redistribution:
        """How far the delivering agency's own figures of an edition may be handed on."""
        return self.redistribution_of_editions.get(edition, self.redistribution)

    @property
    def narrowest(self) -> Redistribution:
        """How far everything may be handed on that the dataset can hold."""
        others = [self.redistribution_of_others] if self.redistribution_of_others else []
        return strictest([self.redistribution, *self.redistribution_of_editions.values(), *others])

    @property
    def asked(self) -> Asked:
        """The questions of a dataset of flat records. Raises `ValidationError` for a request that is of another kind."""
        return Asked.model_validate(self.request)

    @property
    def judged(self) -> Judged | None:
        """What the default checks ask; of a contract that declares no `suite` what it says of itself. None if there is neither."""
        # what persons are whole is told figure by figure by the view that a contract makes
        return self.suite or (Judged(key=self.staging.key, unit="other") if self.staging else None)

    @property
    def declared_records(self) -> Records:
        """How the answers are read. Raises `ValueError` for a dataset that is not of flat records."""
        if self.records is None:
            raise ValueError("the dataset declares no records")
        return self.records

    @model_validator(mode="after")
    def _names_a_raw_table(self) -> Dataset:
        if self.records and len(self.shape) > 50:
            raise ValueError(f"shape: at most 50 characters, found {len(self.shape)}")
        return self

    @model_validator(mode="after")
    def _staging_reads_what_is_there(self) -> Dataset:
        if self.staging and self.records is None:
            raise ValueError("staging: a contract is for flat records (`records`); else the view is written by hand")
        if self.staging and self.records and (strange := self.staging.columns - {*self.records.columns}):
            raise ValueError(f"staging: {min(strange)!r} is no column of records; there are {', '.join(self.records.columns)}")
        return self


class Source(Declared):
    """An agency's interface."""

    code: str
    name: Labels
    base_urls: dict[str, str]
    licence: str
    terms_url: str
    attribution: str
    http: HttpPolicy = HttpPolicy()
    schedule: str = Field(default="0 7 * * *", description="when to ask, as cron in Almaty's time")
    datasets: dict[str, Dataset]

    @model_validator(mode="after")
    def _after_names_a_dataset(self) -> Source:
        for name, dataset in self.datasets.items():
            if dataset.after and (dataset.after not in self.datasets or self.datasets[dataset.after].after):
                raise ValueError(f"datasets.{name}.after: {dataset.after!r} is no dataset of this source, or waits for another itself")
        return self

    @model_validator(mode="after")
    def _records_are_asked_for(self) -> Source:
        for name, dataset in self.datasets.items():
            if dataset.records and (base := dataset.asked.base) not in self.base_urls:
                raise ValueError(f"datasets.{name}.request.base: {base!r} is none of base_urls")
            if dataset.records and (strange := set(dataset.records.of_question) - {*dataset.asked.params, *dataset.asked.each}):
                raise ValueError(f"datasets.{name}.records.of_question: {min(strange)!r} is no parameter of the request")
        return self

    @property
    def asset(self) -> str:
        """The name of the Airflow asset that changes when a release of this source was accepted."""
        return f"koshi_{self.code}"

    def dataset(self, name: str) -> Dataset:
        """The dataset called `name`. Raises `SourceError` naming those there are."""
        if name not in self.datasets:
            raise SourceError(f"source {self.code} has no dataset {name!r}; declared are: {', '.join(sorted(self.datasets))}")
        return self.datasets[name]


@cache
def load_source(code: str, folder: Path | None = None) -> Source:
    """The source declared in `extractors/<code>/source.yml`, read once a process. Raises `SourceError` with file and field."""
    file = (folder or ROOT / "extractors") / code / "source.yml"
    try:
        return Source.model_validate({"code": code, **yaml.safe_load(file.read_text("utf-8"))})
    except FileNotFoundError:
        raise SourceError(f"no source {code!r}: {file} does not exist") from None
    except (ValidationError, yaml.YAMLError) as error:
        raise SourceError(f"{file}: {error}") from error


def at_configured_addresses(source: Source) -> Source:
    """The source at the base addresses that `KOSHI_BASE_URL_<SOURCE>_<NAME>` give: a mirror, or a server that plays the agency.

    Raises `SourceError` for a name that the source does not have, and for an address that is not HTTPS (on loopback HTTP will do)
    or carries credentials, which would end up in the archive.
    """
    prefix = f"KOSHI_BASE_URL_{source.code.upper()}_"
    given = {name: value.rstrip("/") for name, value in os.environ.items() if name.startswith(prefix) and value}
    for name, value in given.items():
        if name.removeprefix(prefix).lower() not in source.base_urls:
            known = ", ".join(prefix + key.upper() for key in source.base_urls)
            raise SourceError(f"{name} names no base address of source {source.code}; known are {known}")
        if not _is_safe(value):
            raise SourceError(f"{name}: expected https://host[:port][/path] without user and query, or http:// on loopback")
    return source.model_copy(
        update={"base_urls": source.base_urls | {name.removeprefix(prefix).lower(): value for name, value in given.items()}}
    )


def _is_safe(address: str) -> bool:
    parts = urlsplit(address)
    is_private = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)
    return is_private and bool(parts.hostname) and not ("@" in parts.netloc or parts.query or parts.fragment)


def source_codes(folder: Path | None = None) -> list[str]:
    """The codes of all declared sources, sorted."""
    return sorted(file.parent.name for file in (folder or ROOT / "extractors").glob("*/source.yml"))
