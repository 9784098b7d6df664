"""Datasets taken in at the same time, by threads and by processes: every one gets the verdict that it would get alone."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from psycopg import sql

from expectations import validation
from expectations.check import BATCH, none_of
from expectations.data_context import results_folder
from expectations.gate1 import Verdict
from expectations.intake import take_in
from expectations.suites import bns
from expectations.validation import GateError
from extractors.replay import catch_up
from tests.small import arrivals, departures, put, tree
from tests.state import read
from warehouse import build, steps
from warehouse.connection import connect
from warehouse.fingerprint import core_schema
from warehouse.profile import Profile

PAIR = ("external_arrivals", "external_departures")  # of one staging view
ENDED = "ended"
# who lays out first, and who has ended before the checks of the other look: nobody, or one of the two
ORDERS = list(product(PAIR, ("", *PAIR)))
JUDGED = (
    "select array_agg(distinct dataset) from quality.judged_bns__{0} union all"
    " select array_agg(distinct dataset) from quality.below_bns__{0}"
)
MISSING = "no observation of the release below is missing: at KAZ, 2021: the release below has 1030.000000, this one nothing"


class Signs:
    """What threads or processes tell each other: a sign is a file, and whoever waits for one looks until it is there.

    The last sign of each is that it ended: whoever waits for another of its signs then would wait for ever.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.folder = folder

    def give(self, who: str, sign: str) -> None:
        (self.folder / f"{who} {sign}").touch()

    def await_(self, who: str, sign: str) -> None:
        while not (self.folder / f"{who} {sign}").exists():
            if (self.folder / f"{who} {ENDED}").exists() and not (self.folder / f"{who} {sign}").exists():
                raise AssertionError(f"{who} ended and never {sign}")
            time.sleep(0.01)


def _deliver(profile: Profile, number: int) -> None:
    """Arrivals without their last year, and departures with a figure revised; other bytes for each number."""
    delivered = f"2026-03-{number + 1:02d}"
    put(profile, "external_arrivals", tree(arrivals(range(2018, 2021)) | {2019: 1010 + number}), delivered)
    put(profile, "external_departures", tree(departures() | {2019: 1481 + number}), delivered)


def _in_order(signs: Signs, first_to_lay_out: str, first_to_end: str, whoever: Callable[[], str]) -> Callable[..., Any]:
    """`lay_out` that waits for its turn: both datasets lay out, in the order asked for, before the checks of either look.

    `first_to_end` has its verdict before the checks of the other look; none if it is empty.
    """
    lay_out = validation.lay_out
    rounds: dict[str, int] = {}

    def in_turn(*args: Any, **kwargs: Any) -> Any:
        me = whoever()
        other = next(name for name in PAIR if name != me)
        rounds[me] = rounds.get(me, 0) + 1
        if me != first_to_lay_out:
            signs.await_(other, f"laid out {rounds[me]}")
        tables = lay_out(*args)
        signs.give(me, f"laid out {rounds[me]}")
        signs.await_(other, f"laid out {rounds[me]}")
        if first_to_end == other:
            signs.await_(other, ENDED)
        return tables

    return in_turn


def _by_threads(profile: Profile, signs: Signs, order: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> dict[str, list[list[str]]]:
    found: dict[str, Any] = {}

    def one(dataset: str) -> None:
        try:
            found[dataset] = _said(take_in(profile, "bns", dataset).verdicts)
        except Exception as error:
            found[dataset] = repr(error)
        signs.give(dataset, ENDED)

    with monkeypatch.context() as patch:
        patch.setattr(validation, "lay_out", _in_order(signs, *order, lambda: threading.current_thread().name))
        threads = [threading.Thread(target=one, args=(dataset,), name=dataset) for dataset in PAIR]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return found


def _by_processes(profile: Profile, signs: Signs, order: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> dict[str, list[list[str]]]:
    def one(dataset: str) -> None:
        validation.lay_out = _in_order(signs, *order, lambda: dataset)
        try:
            said: Any = _said(take_in(profile, "bns", dataset).verdicts)
        except Exception as error:
            said = repr(error)
        (signs.folder / f"{dataset}.json").write_text(json.dumps(said))
        signs.give(dataset, ENDED)

    for process in [_forked(one, dataset) for dataset in PAIR]:
        os.waitpid(process, 0)
    return {dataset: json.loads((signs.folder / f"{dataset}.json").read_text()) for dataset in PAIR}


def _forked(deed: Callable[[str], None], argument: str) -> int:
    """A process of its own; a fork spares it all imports."""
    child = os.fork()
    if child == 0:
        try:
            deed(argument)
        finally:
            os._exit(0)
    return child


def _said(verdicts: list[Verdict]) -> list[list[str]]:
    return [[verdict.state, *verdict.reasons] for verdict in verdicts]


def _results(profile: Profile, dataset: str) -> int:
    return len(list(results_folder(profile).glob(f"bns/{dataset}/gate/*/*.json")))


@pytest.mark.slow
@pytest.mark.parametrize("side_by_side", [_by_threads, _by_processes])
def test_a_withdrawn_observation_is_rejected_however_two_datasets_of_a_view_meet(
    settled: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, side_by_side: Callable[..., dict[str, list[list[str]]]]
) -> None:
    before = [_results(settled, dataset) for dataset in PAIR]
    for number, order in enumerate(ORDERS):
        _deliver(settled, number)
        found = side_by_side(settled, Signs(tmp_path / str(number)), order, monkeypatch)
        assert found == {"external_arrivals": [["rejected", MISSING]], "external_departures": [["accepted"]]}, order
        for dataset in PAIR:
            assert read(settled, JUDGED.format(dataset)) == [([dataset],), ([dataset],)], "each has its own rows, which stay"
    # every result of both is kept, in a file of its own
    assert [_results(settled, dataset) for dataset in PAIR] == [number + len(ORDERS) for number in before]
    # whatever ended side by side is in the journal once, and the database stands where the journal does
    assert catch_up(settled).entries == 0


def test_a_gate_that_cannot_speak_judges_again(settled: Profile, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(dataset: str, schema: str) -> Any:
        chosen = bns_gate1(dataset, schema)
        chosen.checks.append(none_of("a check that cannot be asked", "reject", "accuracy", f"select no_such_column from {BATCH}"))
        return chosen

    bns_gate1 = bns.gate1
    _deliver(settled, 0)
    with monkeypatch.context() as patch:
        patch.setattr(bns, "gate1", broken)
        with pytest.raises(GateError, match="a check that cannot be asked"):
            take_in(settled, "bns", "external_arrivals")
    assert _said(take_in(settled, "bns", "external_arrivals").verdicts) == [["rejected", MISSING]]


def test_what_a_kill_leaves_is_replaced_by_the_next_run(settled: Profile) -> None:
    def killed(dataset: str) -> None:
        lay_out = validation.lay_out

        def and_dies(*args: Any, **kwargs: Any) -> Any:
            lay_out(*args)
            os.kill(os.getpid(), signal.SIGKILL)

        validation.lay_out = and_dies
        take_in(settled, "bns", dataset)

    _deliver(settled, 0)
    _, status = os.waitpid(_forked(killed, "external_arrivals"), 0)
    assert os.WIFSIGNALED(status)
    _deliver(settled, 1)  # two releases are judged one after the other
    assert _said(take_in(settled, "bns", "external_arrivals").verdicts) == [["rejected", MISSING]] * 2
    last = "select release_key from meta.release where dataset = 'external_arrivals' order by rank desc limit 1"
    assert read(settled, "select distinct release_key from quality.judged_bns__external_arrivals") == read(settled, last)


@pytest.mark.slow
def test_seeds_and_staging_are_built_once_though_two_find_them_missing(settled: Profile, monkeypatch: pytest.MonkeyPatch) -> None:
    with connect(settled) as connection:
        connection.execute(sql.SQL("comment on schema {} is null").format(sql.Identifier(core_schema())))
    looked, mine, built = threading.Barrier(2), threading.local(), list[list[str]]()
    remark, dbt = build._comment, build._dbt

    def both_look_first(connection: Any, schema: str) -> str | None:
        found = remark(connection, schema)
        if not hasattr(mine, "looked"):
            mine.looked = True
            looked.wait()
        return found

    def counted(profile: Profile, select: list[str]) -> Any:
        built.append(select)
        return dbt(profile, select)

    with monkeypatch.context() as patch:
        patch.setattr(build, "_comment", both_look_first)
        patch.setattr(build, "_dbt", counted)
        threads = [threading.Thread(target=build.stage, args=(settled,)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(built) == 1
    assert build.stage(settled) == core_schema()


def test_an_entry_that_is_about_to_be_committed_is_not_applied_by_another(settled: Profile, monkeypatch: pytest.MonkeyPatch) -> None:
    """One process has written into the journal and not committed yet, while another looks for what the database lacks."""
    _deliver(settled, 0)
    written, commit, applied = threading.Event(), threading.Event(), []

    def pause(name: str) -> None:
        if name == "land.commit" and threading.current_thread().name == "lands":
            written.set()
            commit.wait()

    monkeypatch.setattr(steps, "_listeners", [pause])
    lands = threading.Thread(target=take_in, args=(settled, "bns", "external_arrivals"), name="lands")
    catches_up = threading.Thread(target=lambda: applied.append(catch_up(settled).entries))
    lands.start()
    written.wait()
    catches_up.start()
    while catches_up.is_alive() and not read(settled, "select 1 from pg_locks where not granted"):
        time.sleep(0.02)
    commit.set()
    lands.join()
    catches_up.join()
    assert applied == [0]
    assert read(settled, "select count(*) from meta.release where state = 'rejected'") == [(1,)]
