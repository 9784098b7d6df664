"""One delivery → releases in raw: counted, reconciled, and recorded in one transaction."""

from __future__ import annotations

import importlib
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from extractors import clock, digest
from extractors.archive import Archive, Snapshot
from extractors.raw import copy, delete
from extractors.recorded import refuse_edited
from extractors.rows import UNREADABLE, Answered, ContractError, Parsed, parsing
from extractors.source import Dataset, Source
from warehouse import ledger
from warehouse.connection import Connection
from warehouse.fingerprint import code_fingerprint, parser_fingerprint
from warehouse.journal import Journal
from warehouse.keys import content_key
from warehouse.steps import reached, step

# What a dataset that is declared no more is read with, beside what its deliveries keep; no row depends on it
UNDECLARED = {"title": {"kk": "", "ru": "", "en": ""}, "slices": "", "redistribution": "unknown"}


@dataclass
class Landed:
    """What one delivery came to, by number of slices; `reparsed` where other code read old bytes anew.

    `not_yet` are slices without a row of which there never was a release, `vanished` releases whose slice new code does not find, `lacks`
    slices that readers have and that the answer to the same question has no more.
    """

    landed: int = 0
    rows: int = 0
    parsed: int = 0
    unchanged: int = 0
    confirmed: int = 0
    known: bool = False
    reparsed: bool = False
    unreadable: str = ""
    slices: list[str] = field(default_factory=list)
    releases: list[int] = field(default_factory=list)
    not_yet: list[str] = field(default_factory=list)
    vanished: list[int] = field(default_factory=list)
    lacks: list[str] = field(default_factory=list)


class Standing(NamedTuple):
    """What the ledger knows of a release that a slice is compared with."""

    release_key: int
    digest: str
    edition: str
    parse_number: int


def land(
    connection: Connection, journal: Journal, archive: Archive, source: Source, dataset_name: str, snapshots: Sequence[Snapshot]
) -> Landed:
    """Lands one delivery of a dataset; the connection acts as the loader and is committed.

    A delivery that this database has landed, or whose bytes are those of the delivery before it, is known: no work.
    A slice whose rows are those of the release ranked directly below is unchanged (under a new edition label: confirmed).
    A slice that cannot be read becomes a release without rows, which gate 1 rejects by name; the other slices land.
    A slice without rows of which there never was a release is not there yet: it makes none.
    Raises `ArchiveError` for a manifest that says something else than when it was landed.
    """
    refuse_edited(connection, snapshots)
    if clock.redate(connection, journal, source.code, dataset_name, clock.present(snapshots)):
        connection.commit()
    if is_known(connection, source.code, dataset_name, snapshots):
        return Landed(known=True)
    dataset = source.dataset(dataset_name)
    with step("land"):
        body, result = stage(connection, archive, source.code, dataset_name, dataset, snapshots)
        result.lacks = _lacking(connection, source.code, dataset_name, snapshots, result)
        body |= {"declaration": declaration_of(dataset), "parser_fingerprint": parser_fingerprint(source.code), "lacks": result.lacks}
        with step("land.journal"):
            ledger.record(connection, journal, "landed", body)
        reached("land.commit")
        connection.commit()
    return result


def declaration_of(dataset: Dataset) -> dict[str, Any]:
    """What of a dataset's declaration its rows depend on: it is kept with each delivery.

    `records` is parsing code: what reads old answers anew reads them by today's, and a replay by those of the entry.
    """
    found = dataset.model_dump(mode="json", include={"shape", "request"})
    return found | ({"records": dataset.records.recorded} if dataset.records else {})


def as_declared(source: Source, dataset_name: str, declaration: dict[str, Any] | None) -> Dataset:
    """The dataset as it was declared when a delivery came; as it is declared today for deliveries that kept no declaration.

    Raises `SourceError` if there is neither.
    """
    if declaration is None:
        return source.dataset(dataset_name)
    known = source.datasets.get(dataset_name)
    more = known.model_dump(exclude={"shape", "request"}) if known else UNDECLARED
    return Dataset.model_validate(more | declaration)


def parse(source: str, dataset: Dataset, archive: Archive, snapshots: Sequence[Snapshot]) -> Parsed:
    """The rows of a delivery, by the source's own parser. Raises `ContractError`, also for whatever else the parser raises."""
    parser = importlib.import_module(f"extractors.{package_of(source, dataset)}.parse")
    answers = [Answered(s.request.url, s.request.params, s.request.form, archive.body(s)) for s in snapshots]
    with parsing():
        parsed: Parsed = parser.parse(dataset, answers)
    return parsed


def package_of(source: str, dataset: Dataset) -> str:
    """The package below `extractors` that knows the dataset's questions (`client`) and answers (`parse`): its source's, or `records`."""
    return "records" if dataset.records else source


def slice_snapshots(snapshots: Sequence[Snapshot], parsed: Parsed, name: str) -> list[Snapshot]:
    """The snapshots that a slice rests on."""
    return [snapshots[number] for number in parsed.answers.get(name, range(len(snapshots)))]


def stage(
    connection: Connection, archive: Archive, source: str, dataset_name: str, dataset: Dataset, snapshots: Sequence[Snapshot]
) -> tuple[dict[str, Any], Landed]:
    """Copies the new slices of a delivery into raw; returns the journal's entry for them, and what they came to."""
    about, result = _Delivery.of(connection, source, dataset_name, dataset, snapshots), Landed()
    try:
        with connection.transaction():
            parsed = parse(source, dataset, archive, snapshots)
            said = [_Slice(connection, about, parsed, name).said(result) for name in [*parsed.slices, *parsed.unreadable]]
            _reconcile(parsed, result)
    except ContractError as error:
        result = Landed()
        said = [_Slice(connection, about, Parsed((), unreadable={UNREADABLE: error}), UNREADABLE).said(result)]
    body = {
        "source": source,
        "dataset": dataset_name,
        "delivery": about.name,
        "snapshots": [snapshot.recorded for snapshot in snapshots],
        "releases": [words for kind, words in said if kind == "release"],
        "confirmations": [words for kind, words in said if kind == "confirmation"],
    }
    return body, result


@dataclass(frozen=True)
class _Delivery:
    source: str
    dataset_name: str
    dataset: Dataset
    snapshots: Sequence[Snapshot]
    # what dates the delivery in place of the clock by which it was retrieved, if that is known to have been wrong
    came_after: str | None

    @classmethod
    def of(cls, connection: Connection, source: str, dataset_name: str, dataset: Dataset, snapshots: Sequence[Snapshot]) -> _Delivery:
        row = connection.execute(
            "select came_after from meta.delivery where (source, dataset, delivery) = (%s, %s, %s)",
            [source, dataset_name, delivery_of(snapshots)],
        ).fetchone()
        return cls(source, dataset_name, dataset, snapshots, row[0] if row else None)

    @property
    def name(self) -> str:
        return delivery_of(self.snapshots)


def delivery_of(snapshots: Sequence[Snapshot]) -> str:
    """The name of the delivery that snapshots lie in."""
    return snapshots[0].manifest.split("/")[3]


class _Slice:
    """One slice of one delivery: what its rows come to beside what the ledger knows."""

    def __init__(self, connection: Connection, about: _Delivery, parsed: Parsed, name: str) -> None:
        self.connection, self.about, self.parsed, self.name = connection, about, parsed, name
        self.snapshots = slice_snapshots(about.snapshots, parsed, name)
        first = self.snapshots[0]
        edition = parsed.editions.get(name) or parsed.edition or first.edition
        came_after = about.came_after
        came = f"{came_after}/{first.retrieved_at}" if came_after else first.retrieved_at
        # of two deliveries under one label the later retrieved ranks higher
        self.rank, self.basis = (f"{edition}/{came}", "agency") if edition else (came, "retrieved")
        self.label = edition or f"retrieved {first.retrieved_at}"

    def said(self, result: Landed) -> tuple[Literal["release", "confirmation", "nothing"], dict[str, Any]]:
        """What the slice says that is new, in the journal's words; `result` counts it."""
        mine = self._earlier_parse()
        other = mine if mine and mine.digest else self._below()
        number = mine.parse_number + 1 if mine else 1
        key = self._key(number)
        count, digests, issue = self._copied(key, {digest.CURRENT, *([digest.version_of(other.digest)] if other else [])})
        result.parsed += count
        result.slices.append(self.name)
        if issue and mine and not mine.digest:
            result.unchanged += 1  # it could not be read before, either
            return "nothing", {}
        if not count and not issue and not other:
            # asked before there is anything: no figure is no release, and no zero
            result.not_yet.append(self.name)
            return "nothing", {}
        if other and digests[digest.version_of(other.digest)] == other.digest:
            delete(self.connection, self.about.dataset, key)
            if other is mine or self.basis != "agency" or other.edition == self.label:
                result.unchanged += 1
                return "nothing", {}
            result.confirmed += 1
            first = self.snapshots[0]
            return "confirmation", {
                "release_key": other.release_key,
                "edition": self.label,
                "rank": self.rank,
                "snapshot_key": first.key,
            }
        result.unreadable = issue or result.unreadable
        result.landed, result.rows = result.landed + 1, result.rows + count
        result.releases.append(key)
        return "release", self._row(key, number, count, digests[digest.CURRENT], issue)

    def _copied(self, key: int, versions: Collection[int]) -> tuple[int, dict[int, str], str]:
        """Rows, digests, and why the slice cannot be read: then it has neither, and nothing of it stays in raw."""
        if not (error := self.parsed.unreadable.get(self.name)):
            try:
                with self.connection.transaction():
                    return *copy(self.connection, self.about.dataset, key, self.snapshots, self.parsed, self.name, versions), ""
            except ContractError as found:
                error = found
        return 0, dict.fromkeys(versions, ""), str(error)

    def _earlier_parse(self) -> Standing | None:
        """What this very delivery said of the slice when it was read before."""
        row = self.connection.execute(
            "select release_key, row_digest, edition, parse_number from meta.release where source = %s and dataset = %s and delivery = %s"
            " and slice in (%s, %s) order by slice = %s desc, parse_number desc limit 1",
            [self.about.source, self.about.dataset_name, self.about.name, self.name, UNREADABLE, self.name],
        ).fetchone()
        return Standing(*row) if row else None

    def _below(self) -> Standing | None:
        """The release of the slice ranked directly below, accepted or waiting for a person's decision: said again it is nothing new.

        An edition does not confirm a retrieval of unknown edition: that stays below every edition, and would take this one with it.
        """
        row = self.connection.execute(
            "select release_key, row_digest, edition, parse_number from meta.release where source = %s and dataset = %s and slice = %s"
            " and rank <= %s and rank_basis = any(%s) and state = any(%s) and row_digest <> ''"
            " order by rank_basis = 'agency' desc, rank desc, parse_number desc, release_key desc limit 1",
            [
                self.about.source,
                self.about.dataset_name,
                self.name,
                self.rank,
                ["agency"] if self.basis == "agency" else ["agency", "retrieved"],
                [*ledger.ACCEPTED_STATES, ledger.UNDECIDED],
            ],
        ).fetchone()
        return Standing(*row) if row else None

    def _key(self, parse_number: int) -> int:
        """The key of the slice, label and bytes.

        Where those do not tell releases apart the delivery does: for bytes that come back under their label, and for a further parse of
        them.
        """
        parts = ["release", self.about.source, self.about.dataset_name, self.name, self.label]
        parts += [snapshot.sha256 for snapshot in self.snapshots]
        parts += [f"parse {parse_number}", self.about.name] if parse_number > 1 else []
        key = content_key(*parts)
        taken = self.connection.execute("select 1 from meta.release where release_key = %s", [key]).fetchone()
        return content_key(*parts, self.about.name) if taken else key

    def _row(self, key: int, parse_number: int, count: int, row_digest: str, issue: str) -> dict[str, Any]:
        first = self.snapshots[0]
        return {
            "release_key": key,
            "source": self.about.source,
            "dataset": self.about.dataset_name,
            "slice": self.name,
            "edition": self.label,
            "rank": self.rank,
            "rank_basis": self.basis,
            "state": "landed",
            "reason": issue or None,
            "capture": first.capture,
            "licence": first.licence,
            "attribution": first.attribution,
            "rows_landed": count,
            "rows_out_of_scope": self.parsed.out_of_scope,
            "row_digest": row_digest,
            "code_fingerprint": code_fingerprint(),
            "delivery": self.about.name,
            "parse_number": parse_number,
            "parser_fingerprint": parser_fingerprint(self.about.source),
            "snapshot_keys": [snapshot.key for snapshot in self.snapshots],
        }


def _reconcile(parsed: Parsed, result: Landed) -> None:
    taken = result.parsed + parsed.out_of_scope
    if parsed.reported is not None and parsed.reported != taken:
        raise ContractError("the whole answer", f"the {parsed.reported} rows that the source reports", f"{taken}")


def _lacking(connection: Connection, source: str, dataset: str, snapshots: Sequence[Snapshot], result: Landed) -> list[str]:
    """The slices that readers can see from questions which are all asked again, and of which the answer says nothing.

    Nothing is known of an answer that cannot be read, nor of what is not asked any more.
    """
    if result.slices == [UNREADABLE]:
        return []
    rows = connection.execute(
        "select r.slice, array_agg(array[s.method, s.url, s.request::text]) from meta.release as r"
        " inner join meta.release_snapshot as rs using (release_key) inner join meta.snapshot as s using (snapshot_key)"
        " where r.source = %s and r.dataset = %s and r.state in ('accepted', 'published', 'superseded') and not r.slice = any(%s)"
        " group by r.release_key, r.slice",
        [source, dataset, result.slices],
    ).fetchall()
    recorded = [snapshot.recorded for snapshot in snapshots]
    asked = [_question(row["method"], row["url"], json.dumps(row["request"])) for row in recorded]
    return sorted({name for name, questions in rows if all(_question(*question) in asked for question in questions)})


def _question(method: str, url: str, request: str) -> tuple[str, str, Any]:
    """A question in the form in which it is the same from an archive and from the ledger."""
    return method, url, json.loads(request)


def is_known(connection: Connection, source: str, dataset: str, snapshots: Sequence[Snapshot]) -> bool:
    """Whether this very delivery was landed, or the one retrieved before it has the same bytes."""
    manifests, shas = [snapshot.manifest for snapshot in snapshots], [snapshot.sha256 for snapshot in snapshots]
    found = connection.execute(
        "(select manifests = %(manifests)s from meta.delivery where (source, dataset, delivery) = (%(source)s, %(dataset)s, %(delivery)s))"
        " union all (select shas = %(shas)s from meta.delivery where (source, dataset) = (%(source)s, %(dataset)s)"
        "  and delivery <> %(delivery)s and coalesce(came_after::timestamptz, retrieved_at) <= %(at)s"
        "  order by coalesce(came_after::timestamptz, retrieved_at) desc, delivery desc limit 1)",
        {
            "source": source,
            "dataset": dataset,
            "delivery": delivery_of(snapshots),
            "manifests": manifests,
            "shas": shas,
            "at": snapshots[0].retrieved_at,
        },
    ).fetchall()
    return any(known for (known,) in found)
