"""One delivery → releases in raw: counted, reconciled, and recorded in one transaction."""

from __future__ import annotations

import importlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from extractors import clock, digest
from extractors.archive import Archive, Snapshot
from extractors.raw import Copied, Piece, copy, delete
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
            said = _said(connection, about, parsed, result)
            _reconcile(parsed, result)
    except ContractError as error:
        result = Landed()
        said = _said(connection, about, Parsed((), unreadable={UNREADABLE: error}), result)
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


Said = tuple[Literal["release", "confirmation", "nothing"], dict[str, Any]]


def _said(connection: Connection, about: _Delivery, parsed: Parsed, result: Landed) -> list[Said]:
    """What each slice says that is new, in the journal's words; `result` counts it.

    The ledger is asked once for all slices, and all go into raw at once: a delivery of many costs what its rows do.
    """
    slices = [_Slice(about, parsed, name) for name in [*parsed.slices, *parsed.unreadable]]
    _look_up(connection, about, slices)
    copied = copy(connection, about.dataset, parsed, [each.piece for each in slices])
    said = [each.said(copied[each.key], result) for each in slices]
    kept = set(result.releases)
    delete(connection, about.dataset, [key for key, found in copied.items() if found.rows and key not in kept])
    return said


def _look_up(connection: Connection, about: _Delivery, slices: Sequence[_Slice]) -> None:
    """Tells the slices what the ledger knows of them, and gives them the keys of their releases."""
    earlier, below = _earlier_parses(connection, about, slices), _below(connection, about, slices)
    for each in slices:
        each.mine, each.below = earlier.get(each.name) or earlier.get(UNREADABLE), below.get(each.name)
        each.key = content_key(*each.parts)
    keys = [each.key for each in slices]
    rows = connection.execute("select release_key from meta.release where release_key = any(%s)", [keys]).fetchall()
    taken = {key for (key,) in rows}
    for each in slices:
        if each.key in taken:
            each.key = content_key(*each.parts, about.name)


def _earlier_parses(connection: Connection, about: _Delivery, slices: Sequence[_Slice]) -> dict[str, Standing]:
    """What this very delivery said of the slices, and of the slice `unreadable`, when it was read before."""
    rows = connection.execute(
        "select distinct on (slice) slice, release_key, row_digest, edition, parse_number from meta.release"
        " where source = %s and dataset = %s and delivery = %s and slice = any(%s) order by slice, parse_number desc",
        [about.source, about.dataset_name, about.name, [UNREADABLE, *(each.name for each in slices)]],
    ).fetchall()
    return {name: Standing(*found) for name, *found in rows}


def _below(connection: Connection, about: _Delivery, slices: Sequence[_Slice]) -> dict[str, Standing]:
    """The releases ranked directly below, accepted or waiting for a person's decision: said again they are nothing new.

    An edition does not confirm a retrieval of unknown edition: that stays below every edition, and would take this one with it.
    """
    rows = connection.execute(
        "select mine.slice, b.* from unnest(%s::text[], %s::text[], %s::text[]) as mine (slice, rank, basis)"
        " cross join lateral (select release_key, row_digest, edition, parse_number from meta.release as r"
        "  where r.source = %s and r.dataset = %s and r.slice = mine.slice and r.rank <= mine.rank"
        "  and r.rank_basis in ('agency', mine.basis) and r.state = any(%s) and r.row_digest <> ''"
        "  order by r.rank_basis = 'agency' desc, r.rank desc, r.parse_number desc, r.release_key desc limit 1) as b",
        [
            [each.name for each in slices],
            [each.rank for each in slices],
            [each.basis for each in slices],
            about.source,
            about.dataset_name,
            [*ledger.ACCEPTED_STATES, ledger.UNDECIDED],
        ],
    ).fetchall()
    return {name: Standing(*found) for name, *found in rows}


class _Slice:
    """One slice of one delivery: what its rows come to beside what the ledger knows, which is looked up for all slices at once."""

    mine: Standing | None
    below: Standing | None
    key: int

    def __init__(self, about: _Delivery, parsed: Parsed, name: str) -> None:
        self.about, self.parsed, self.name = about, parsed, name
        self.snapshots = slice_snapshots(about.snapshots, parsed, name)
        first = self.snapshots[0]
        edition = parsed.editions.get(name) or parsed.edition or first.edition
        came_after = about.came_after
        came = f"{came_after}/{first.retrieved_at}" if came_after else first.retrieved_at
        # of two deliveries under one label the later retrieved ranks higher
        self.rank, self.basis = (f"{edition}/{came}", "agency") if edition else (came, "retrieved")
        self.label = edition or f"retrieved {first.retrieved_at}"

    @property
    def other(self) -> Standing | None:
        """The release that the slice is compared with: its own of an earlier parse, else the one below."""
        return self.mine if self.mine and self.mine.digest else self.below

    @property
    def number(self) -> int:
        """Which parse of its delivery this is."""
        return self.mine.parse_number + 1 if self.mine else 1

    @property
    def parts(self) -> list[str]:
        """What the key is made of: slice, label and bytes.

        Where those do not tell releases apart the delivery does: for bytes that come back under their label, and for a further parse of
        them.
        """
        parts = ["release", self.about.source, self.about.dataset_name, self.name, self.label]
        parts += [snapshot.sha256 for snapshot in self.snapshots]
        return parts + ([f"parse {self.number}", self.about.name] if self.number > 1 else [])

    @property
    def piece(self) -> Piece:
        """The slice as it goes into raw."""
        versions = {digest.CURRENT, *([digest.version_of(self.other.digest)] if self.other else [])}
        return Piece(self.key, self.name, self.snapshots, versions)

    def said(self, copied: Copied, result: Landed) -> Said:
        """What the slice says that is new, in the journal's words; `result` counts it."""
        mine, other, issue = self.mine, self.other, copied.issue
        result.parsed += copied.rows
        result.slices.append(self.name)
        if issue and mine and not mine.digest:
            result.unchanged += 1  # it could not be read before, either
            return "nothing", {}
        if not copied.rows and not issue and not other:
            # asked before there is anything: no figure is no release, and no zero
            result.not_yet.append(self.name)
            return "nothing", {}
        if other and copied.digests[digest.version_of(other.digest)] == other.digest:
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
        result.landed, result.rows = result.landed + 1, result.rows + copied.rows
        result.releases.append(self.key)
        return "release", self._row(copied)

    def _row(self, copied: Copied) -> dict[str, Any]:
        first = self.snapshots[0]
        return {
            "release_key": self.key,
            "source": self.about.source,
            "dataset": self.about.dataset_name,
            "slice": self.name,
            "edition": self.label,
            "rank": self.rank,
            "rank_basis": self.basis,
            "state": "landed",
            "reason": copied.issue or None,
            "capture": first.capture,
            "licence": first.licence,
            "attribution": first.attribution,
            "rows_landed": copied.rows,
            "rows_out_of_scope": self.parsed.out_of_scope,
            "row_digest": copied.digests[digest.CURRENT],
            "code_fingerprint": code_fingerprint(),
            "delivery": self.about.name,
            "parse_number": self.number,
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
