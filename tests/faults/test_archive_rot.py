"""An archive that was changed behind our back: a run, a replay and `check` name what was changed, and what to do."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, LiteralString

import pytest

from extractors.archive import ArchiveError
from extractors.delivery import deliver
from extractors.heal import land_again
from extractors.replay import catch_up
from extractors.verify import check
from tests.conftest import new_profile
from tests.small import arrivals, put, tree
from tests.state import read, state
from warehouse import ledger
from warehouse.connection import connect
from warehouse.journal import Journal
from warehouse.profile import Profile


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, migrated: str) -> Profile:
    """Two deliveries of one dataset are landed."""
    profile = new_profile(tmp_path_factory.mktemp("made"), "koshi_rot", like=migrated)
    put(profile, "external_arrivals", tree(arrivals()), "2026-02-01")
    put(profile, "external_arrivals", tree(arrivals() | {2020: 1021}), "2026-03-01")
    list(deliver(profile, "bns", "external_arrivals"))
    return profile


@pytest.fixture
def landed(made: Profile, tmp_path: Path) -> Profile:
    """The same, with an archive and a journal of its own to be changed, and a database that was made of them."""
    empty(made)
    catch_up(made)
    copy = shutil.copytree(Path(made.archive).parent, tmp_path / "copy")
    return dataclasses.replace(made, archive=str(copy / "archive"), journal=str(copy / "journal"))


def empty(profile: Profile) -> None:
    """The database as it was before anything landed."""
    tables = "meta.journal_entry, meta.release, meta.snapshot, meta.delivery, meta.parser, meta.decision, raw.bns_taldau"
    with connect(profile) as connection:
        connection.execute(f"truncate {tables} cascade")


def _manifest(profile: Profile) -> Path:
    return next(Path(profile.archive).glob("manifests/bns/external_arrivals/20260201*/*.json"))


def _body(profile: Profile) -> Path:
    sha256 = json.loads(_manifest(profile).read_text("utf-8"))["sha256"]
    return Path(profile.archive, "snapshots", sha256[:2], sha256)


def _edit(profile: Profile, **changes: Any) -> None:
    content = json.loads(_manifest(profile).read_text("utf-8"))
    _manifest(profile).write_text(json.dumps(content | changes), "utf-8")


def _another_request(profile: Profile) -> None:
    content = json.loads(_manifest(profile).read_text("utf-8"))
    _edit(profile, request=content["request"] | {"form": [["p_index_id", "1"]]})


def _point_elsewhere(profile: Profile) -> None:
    other = next(Path(profile.archive).glob("manifests/bns/external_arrivals/20260301*/*.json"))
    _edit(profile, sha256=json.loads(other.read_text("utf-8"))["sha256"])


def _remove(profile: Profile) -> None:
    _manifest(profile).unlink()


def _remove_delivery(profile: Profile) -> None:
    shutil.rmtree(_manifest(profile).parent)


def _cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])


MANIFESTS: dict[str, tuple[Callable[[Profile], object], str]] = {
    "licence": (lambda profile: _edit(profile, licence="CC0"), "was edited: licence is 'CC0', recorded was"),
    "capture": (lambda profile: _edit(profile, capture="live"), "was edited: capture is 'live', recorded was 'reconstructed'"),
    "edition": (lambda profile: _edit(profile, edition="2027"), "was edited: edition is '2027', recorded was ''"),
    "request": (_another_request, "was edited: request is"),
    "other bytes": (_point_elsewhere, "was edited: sha256 is"),
    "damaged": (lambda profile: _manifest(profile).write_text("{"), r"\.json is damaged"),
    "removed": (_remove, r"\.json is missing"),
    "the whole delivery": (_remove_delivery, r"\.json is missing"),
}


@pytest.mark.parametrize("rot", MANIFESTS)
def test_a_run_a_replay_and_a_mending_name_a_manifest_that_was_changed(landed: Profile, rot: str) -> None:
    damage, message = MANIFESTS[rot]
    damage(landed)
    (finding,) = check(landed)
    assert re.search(message, finding)
    assert "restore the archive" in finding
    with pytest.raises(ArchiveError, match=message) as raised:
        list(deliver(landed, "bns", "external_arrivals"))
    assert "restore the archive" in str(raised.value)

    keys = [int(str(key)) for (key,) in read(landed, "select release_key from meta.release where delivery like '20260201%'")]
    assert message.partition(" ")[0].strip("\\") in " ".join(land_again(landed, keys).values())

    empty(landed)
    with pytest.raises(ArchiveError, match=message):
        catch_up(landed)
    with connect(landed) as connection:
        assert ledger.last_applied(connection) == 0


def _flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def _sql(statement: LiteralString) -> Callable[[Profile], None]:
    def damage(profile: Profile) -> None:
        with connect(profile) as connection:
            connection.execute(statement)

    return damage


def _entry(number: int, text: str) -> Callable[[Profile], object]:
    return lambda profile: Path(Journal(profile.journal).path(number)).write_text(text, "utf-8")


FIRST = "(select release_key from meta.release order by rank limit 1)"
RELEASE = r"bns\.external_arrivals, slice whole, edition retrieved 2026-02-01T00:00:00\+00:00, release [0-9a-f]{16}"
OTHERS: dict[str, tuple[Callable[[Profile], object], tuple[str, ...]]] = {
    "a body flipped": (lambda profile: _flip(_body(profile)), (r"the bytes of manifests/bns/external_arrivals/20260201.* are damaged",)),
    "a body cut": (lambda profile: _cut(_body(profile)), (r"the bytes of manifests/bns/external_arrivals/20260201.* are damaged",)),
    "a body removed": (lambda profile: _body(profile).unlink(), (r"the bytes of manifests/bns/external_arrivals/20260201.* are missing",)),
    "a state": (
        _sql(f"update meta.release set state = 'published' where release_key = {FIRST}"),
        (rf"meta\.release {RELEASE}: state is 'published', expected 'landed', as the journal says",),
    ),
    "a licence": (_sql("update meta.snapshot set licence = 'CC0' where manifest like '%20260201%'"), ("licence is 'CC0', expected",)),
    "a decision that nobody took": (
        _sql("insert into meta.decision (sequence, kind, person, reason) values (99, 'unpin', 'nobody', 'none')"),
        ("meta.decision 99 is in no entry of the journal",),
    ),
    "rows gone": (
        _sql(f"delete from raw.bns_taldau where _release_key = {FIRST}"),
        (rf"^{RELEASE}: raw holds 0 rows, expected 4, as landed",),
    ),
    "an entry edited": (
        lambda profile: Path(Journal(profile.journal).path(1)).write_text(
            Path(Journal(profile.journal).path(1)).read_text("utf-8").replace("reconstructed", "live"), "utf-8"
        ),
        (r"00000001\.json was edited",),
    ),
    "an entry lost": (lambda profile: Path(Journal(profile.journal).path(1)).unlink(), ("entries are missing, the first is 1",)),
    "the last entry lost": (lambda profile: Path(Journal(profile.journal).path(2)).unlink(), ("HEAD names entry 2",)),
    "the head lost": (lambda profile: Path(profile.journal, "HEAD").unlink(), ("HEAD does not name the last entry, 2",)),
    "a stray file": (lambda profile: Path(profile.journal, "notes.json").write_text(""), (r"notes\.json is no file of a journal",)),
    "an empty database": (
        empty,
        ("this database has applied 0: it is behind: the next run, or make replay",),
    ),
}  # fmt: skip


@pytest.mark.parametrize("rot", OTHERS)
def test_check_names_what_was_changed_and_changes_nothing(landed: Profile, rot: str) -> None:
    damage, messages = OTHERS[rot]
    damage(landed)
    before = state(landed)
    found = check(landed)
    assert len(found) == len(messages), found
    for finding, message in zip(found, messages, strict=True):
        assert re.search(message, finding), finding
        assert any(advice in finding for advice in ("restore the", "make replay", "make the database anew", "move it away"))
    assert state(landed) == before


def test_check_finds_nothing_where_nothing_was_changed(landed: Profile) -> None:
    put(landed, "external_departures", b"not landed yet", "2026-02-01")
    assert check(landed) == []


def test_check_looks_at_what_has_not_landed_as_well(landed: Profile) -> None:
    put(landed, "external_departures", b"not landed yet", "2026-02-01")
    sha = hashlib.sha256(b"not landed yet").hexdigest()
    _flip(Path(landed.archive, "snapshots", sha[:2], sha))
    (finding,) = check(landed)
    assert "the bytes of manifests/bns/external_departures/" in finding


def test_what_was_not_changed_is_taken(landed: Profile) -> None:
    assert [each.known for each in deliver(landed, "bns", "external_arrivals")] == [True, True]
