"""Archive and journal of any landed version of the code can be taken up by the current code (tests/journals/README.md)."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from psycopg import sql

from expectations.intake import take_in
from expectations.settle import settle
from extractors.archive import archive_of
from extractors.replay import catch_up
from extractors.source import load_source, source_codes
from extractors.verify import check
from tests.conftest import new_profile
from tests.state import read
from warehouse.connection import connect
from warehouse.journal import Journal
from warehouse.profile import BUNDLED_ARCHIVE, Profile

JOURNALS = Path(__file__).parents[1] / "journals"
# the tests of one journal share its replay, so they stay with one worker
FOLDERS = [
    pytest.param(file.parent, id=file.parent.name, marks=pytest.mark.xdist_group(f"journal of {file.parent.name}"))
    for file in sorted(JOURNALS.glob("*/state.json"))
]
Rows = list[list[Any]]
LEDGER = {
    "releases": "select release_key, source, dataset, slice, edition, state, rows_landed, row_digest from meta.release",
    "publications": "select number, publication_key, is_current from meta.publication",
    "confirmations": "select release_key, edition, rank, snapshot_key from meta.confirmation",
}


@dataclass(frozen=True)
class TakenUp:
    """A journal replayed on an empty database: what its version said of it, and what the database says after the replay alone."""

    profile: Profile
    expected: dict[str, Any]
    entries: int
    ledger: dict[str, Rows]
    raw: dict[str, dict[str, Any]]
    shown: dict[str, Any]


@pytest.fixture(scope="module", params=FOLDERS)
def taken_up(request: pytest.FixtureRequest, template: str, tmp_path_factory: pytest.TempPathFactory) -> TakenUp:
    """Archive and journal copied, and replayed by the current code."""
    folder, copy = Path(request.param), tmp_path_factory.mktemp("earlier")
    for file in folder.glob("*.tar.gz"):
        with tarfile.open(file) as packed:
            packed.extractall(copy, filter="data")
    if not (copy / "archive").exists():
        _copy_of_bundled(copy)
    profile = new_profile(copy)
    expected = json.loads((folder / "state.json").read_text("utf-8"))
    entries = catch_up(profile).entries
    return TakenUp(profile, expected, entries, _ledger(profile), _raw(profile, expected), _readers(profile, expected))


@pytest.fixture(scope="module")
def run_once(taken_up: TakenUp) -> TakenUp:
    """The same after a run: every dataset that the archive has is taken in, and what may be published is."""
    profile = taken_up.profile
    catch_up(profile)
    for code in source_codes():
        for dataset in load_source(code).datasets:
            if archive_of(profile).deliveries(code, dataset):
                take_in(profile, code, dataset)
    settle(profile)
    return dataclasses.replace(taken_up, ledger=_ledger(profile), shown=_readers(profile, taken_up.expected))


def test_every_entry_is_applied_and_the_ledger_is_equal(taken_up: TakenUp) -> None:
    assert taken_up.entries == len(list(Path(taken_up.profile.journal).glob("*.json")))
    accepted = {key for (key,) in read(taken_up.profile, "select release_key from meta.decision where kind = 'accept'")}
    for name, rows in taken_up.ledger.items():
        assert rows == [_as_mended(row, accepted) if name == "releases" else row for row in taken_up.expected[name]], name


def _as_mended(row: list[Any], accepted: set[object]) -> list[Any]:
    """What a person accepts while readers see it stays published; earlier versions called it accepted."""
    key, *about, state, rows, digest = row
    return [key, *about, "published" if state == "accepted" and key in accepted else state, rows, digest]


def test_raw_holds_the_rows_that_were_landed(taken_up: TakenUp) -> None:
    for table, found in taken_up.raw.items():
        assert found == taken_up.expected["raw"][table], table


def test_the_replay_alone_shows_readers_the_current_publication(taken_up: TakenUp) -> None:
    assert taken_up.shown == taken_up.expected["readers"]


def test_after_a_run_readers_see_the_figures_of_the_current_publication(run_once: TakenUp) -> None:
    assert run_once.shown == run_once.expected["readers"]


def test_a_run_takes_no_row_from_a_release(run_once: TakenUp) -> None:
    names = sorted({load_source(source).dataset(dataset).shape for _, source, dataset, *_ in run_once.expected["releases"]})
    union = " union all ".join(f"select _release_key from raw.{name}" for name in names)
    lost = read(
        run_once.profile,
        "select source, dataset, slice, edition, state, rows_landed, count(_release_key) as rows_at_hand"
        f" from meta.release left join ({union}) as found on _release_key = release_key"
        " group by release_key having count(_release_key) <> rows_landed order by 1, 2, 3, 4",
    )
    assert lost == []


def test_a_run_changes_no_key_label_or_digest_of_what_was_landed(run_once: TakenUp) -> None:
    # states may follow the new publication; what was landed stays what it was
    after = {row[0]: (row[1:5], row[6:]) for row in run_once.ledger["releases"]}
    for row in run_once.expected["releases"]:
        assert after[row[0]] == (row[1:5], row[6:])


def test_check_finds_nothing_and_a_run_seals_the_journal(run_once: TakenUp) -> None:
    assert check(run_once.profile) == []
    entries = Journal(run_once.profile.journal).entries(after=run_once.entries)
    assert [entry.kind for entry in entries[:1]] == ["sealed"]
    assert Journal(run_once.profile.journal).head_record() == entries[-1].head


def _copy_of_bundled(folder: Path) -> None:
    """What the journal names of the bundled archive: deliveries that were bundled later are not part of that history."""
    for entry in Journal(str(folder / "journal")).entries():
        for snapshot in entry.body.get("snapshots", []):
            for part in (snapshot["manifest"], f"snapshots/{snapshot['sha256'][:2]}/{snapshot['sha256']}"):
                (folder / "archive" / part).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(BUNDLED_ARCHIVE / part, folder / "archive" / part)


def _ledger(profile: Profile) -> dict[str, Rows]:
    return {name: sorted(list(row) for row in read(profile, query)) for name, query in LEDGER.items()}


def _raw(profile: Profile, expected: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Of each raw table of that version its number of rows, and the md5 of their values in the columns of that version."""
    found = {}
    for table, known in expected["raw"].items():
        rows = _texts(profile, "raw", table, known["columns"])
        if table == "uis_observation":
            rows = _addressed_as_then(profile, known["columns"], rows)
        found[table] = {"columns": known["columns"], "rows": len(rows), "md5": _digest(rows)}
    return found


def _addressed_as_then(profile: Profile, columns: list[str], rows: Rows) -> Rows:
    """Rows of several answers were all addressed in the first of them, with the position of the answer before the pointer."""
    listed = "select release_key::text, snapshot_key::text, position, first_value(snapshot_key::text) over w, count(*) over w"
    places = read(
        profile,
        f"{listed} from meta.release_snapshot window w as (partition by release_key order by position"
        " rows between unbounded preceding and unbounded following)",
    )
    known = {(release, snapshot): (position, first, count) for release, snapshot, position, first, count in places}
    key, answer, address = (columns.index(name) for name in ("_release_key", "_snapshot_key", "_row"))
    found = []
    for row in rows:
        position, first, count = known[row[key], row[answer]]
        is_one_of_several = int(str(count)) > 2  # the last answer is the version
        row[answer], row[address] = first, f"{position}{row[address]}" if is_one_of_several else row[address]
        found.append(row)
    return found


def _readers(profile: Profile, expected: dict[str, Any]) -> dict[str, Any]:
    """The balance of migration row by row, and the number of rows of each fact; nothing where readers have no views."""
    views = {name for (name,) in read(profile, "select table_name from information_schema.tables where table_schema = 'bi'")}
    known = expected["readers"]
    columns = known["migration_balance"]["columns"]
    rows = _texts(profile, "bi", "migration_balance", columns) if "migration_balance" in views else []
    counts = {name: read(profile, f"select count(*) from bi.{name}")[0][0] for name in known["counts"] if name in views}
    return {"migration_balance": {"columns": columns, "rows": sorted(rows, key=json.dumps)}, "counts": counts}


def _texts(profile: Profile, schema: str, table: str, columns: Iterable[str]) -> Rows:
    listed = sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(column)) for column in columns)
    with connect(profile) as connection:
        rows = connection.execute(sql.SQL("select {} from {}").format(listed, sql.Identifier(schema, table))).fetchall()
    return [list(row) for row in rows]


def _digest(rows: Rows) -> str:
    """The md5 of the rows as lines of JSON, sorted by code point: no collation has a say in it."""
    lines = sorted(json.dumps(row, ensure_ascii=False) for row in rows)
    return hashlib.md5("".join(f"{line}\n" for line in lines).encode(), usedforsecurity=False).hexdigest()
