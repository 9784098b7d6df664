"""Random histories end lawfully: nothing is shown that has not passed, and no slice is lost that has a good release."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import new_profile
from tests.histories import LedgerHistory, WholeHistory
from warehouse import candidate, server
from warehouse.profile import Profile

HISTORIES, PARTS = 200, 4


@pytest.fixture(autouse=True)
def _code_is_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(vars(candidate), "code_fingerprint", vars(candidate)["code_fingerprint"])


@pytest.fixture
def _server_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """A history asks hundreds of times: that the server is ours is asked once."""
    mine = server.start()
    monkeypatch.setattr(server, "start", lambda: mine)


@pytest.mark.slow
@pytest.mark.usefixtures("_server_is_known")
@pytest.mark.parametrize("part", range(PARTS))
def test_histories_of_ledger_candidate_blame_and_views(migrated: str, tmp_path: Path, part: int) -> None:
    for seed in range(part, HISTORIES, PARTS):
        profile = new_profile(tmp_path / str(seed), "koshi_history", like=migrated)
        LedgerHistory(profile, seed).play(10)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_whole_histories(settled: Profile, seed: int) -> None:
    WholeHistory(settled, seed).play(3)
