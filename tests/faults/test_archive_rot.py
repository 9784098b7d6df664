"""An archive that was changed behind our back: a run, a replay and `check` name what was changed, and what to do."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from extractors.archive import ArchiveError
from extractors.delivery import deliver
from extractors.heal import land_again
from extractors.replay import catch_up
from tests.small import arrivals, put, tree
from tests.state import read
from warehouse import ledger
from warehouse.connection import connect
from warehouse.profile import Profile


@pytest.fixture
def landed(bare: Profile) -> Profile:
    """Two deliveries of one dataset are landed."""
    put(bare, "external_arrivals", tree(arrivals()), "2026-02-01")
    put(bare, "external_arrivals", tree(arrivals() | {2020: 1021}), "2026-03-01")
    list(deliver(bare, "bns", "external_arrivals"))
    return bare


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
    with pytest.raises(ArchiveError, match=message) as raised:
        list(deliver(landed, "bns", "external_arrivals"))
    assert "restore the archive" in str(raised.value)

    keys = [int(str(key)) for (key,) in read(landed, "select release_key from meta.release where delivery like '20260201%'")]
    assert message.partition(" ")[0].strip("\\") in " ".join(land_again(landed, keys).values())

    with connect(landed) as connection:
        connection.execute("truncate meta.journal_entry, meta.release, meta.snapshot, meta.delivery, meta.parser cascade")
    with pytest.raises(ArchiveError, match=message):
        catch_up(landed)
    with connect(landed) as connection:
        assert ledger.last_applied(connection) == 0


def test_what_was_not_changed_is_taken(landed: Profile) -> None:
    assert [each.known for each in deliver(landed, "bns", "external_arrivals")] == [True, True]
