"""Code and declarations move under the warehouse, and what it holds goes on meaning what it meant."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import pytest

from expectations import gate1
from expectations.read_anew import read_anew
from expectations.settle import settle
from extractors import landing, reparse
from extractors.bns import parse as bns_parse
from extractors.replay import catch_up
from extractors.rows import Answered, Parsed
from extractors.source import Dataset
from tests.conftest import new_profile
from tests.small import REGIONS, population, put, run
from tests.state import read, state
from warehouse import publication
from warehouse.journal import Journal
from warehouse.profile import Profile
from warehouse.relation import PublicationError

LATER = "2026-03-01"


def _mended(parse: object) -> object:
    """A parser that reads 7 more arrivals in 2019 than the one before it."""

    def parse_tree(dataset: Dataset, answers: Sequence[Answered]) -> Parsed:
        parsed: Parsed = parse(dataset, answers)  # type: ignore[operator]
        at = 1 + parsed.columns.index("period")
        parsed.slices = {
            name: [(*row[:-1], str(int(str(row[-1])) + 7)) if row[at] == "122019" and row[1] == "2929752" else row for row in rows]
            for name, rows in parsed.slices.items()
        }
        return parsed

    return parse_tree


def _new_parser(monkeypatch: pytest.MonkeyPatch, fingerprint: str = "0123456789ab", *, reads_otherwise: bool = True) -> None:
    """The parsing code of the bureau changes, as it does when somebody mends it and commits."""
    for module in (landing, reparse):
        monkeypatch.setattr(module, "parser_fingerprint", lambda source: fingerprint)
    if reads_otherwise:
        monkeypatch.setitem(bns_parse.PARSERS, "taldau_tree", _mended(bns_parse.PARSERS["taldau_tree"]))


def test_new_parsing_code_reaches_old_bytes_and_says_that_the_change_is_ours(
    settled: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _new_parser(monkeypatch)
    intakes, end = run(settled)
    assert [landed.reparsed for landed in intakes["external_arrivals"].deliveries] == [True, False]
    assert end.outcome == "published"
    # 1,010 arrivals in 2019, and 7 that the new code finds
    assert read(settled, "select arrivals_persons from bi.migration_balance where year = 2019") == [(1017,)]
    releases = "select edition, parse_number, state from meta.release where dataset = 'external_arrivals' order by parse_number"
    first, second = read(settled, releases)
    assert first[0] == second[0], "the agency revised nothing: one label, two readings"
    assert (first[1], second[1], second[2]) == (1, 2, "published")
    entries = Journal(settled.journal).entries()
    anew = [entry.body for entry in entries if entry.kind == "reparsed"]
    assert {body["dataset"] for body in anew} == set(intakes)
    assert [len(body["releases"]) for body in sorted(anew, key=lambda body: str(body["dataset"]))] == [1, 0, 0]
    assert all(body["before"] != body["after"] == "0123456789ab" for body in anew)

    # once is enough
    _, again = run(settled)
    assert again.outcome == "nothing new"
    assert len(Journal(settled.journal).entries()) == len(entries)

    # under the new code the journal gives what readers see, and says what needs the old reading
    fresh = new_profile(tmp_path / "fresh", "koshi_replay")
    replayed = catch_up(dataclasses.replace(settled, database=fresh.database))
    seen, found = _seen(settled), _seen(dataclasses.replace(settled, database=fresh.database))
    assert found == seen
    assert len(replayed.not_at_hand) == 1
    assert len(replayed.not_rebuilt) == 1
    assert replayed.not_rebuilt[0].startswith("publication 1: this code reads bns.external_arrivals, slice whole")
    with pytest.raises(PublicationError, match="publication"):
        kept = publication.status(dataclasses.replace(settled, database=fresh.database))["kept"]
        publication.roll_back(dataclasses.replace(settled, database=fresh.database), kept[0][1], "a test", "back to the old reading")


def test_a_lost_database_under_new_parsing_code_is_read_anew_without_asking_an_agency(
    settled: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _new_parser(monkeypatch)
    lost = dataclasses.replace(settled, database=new_profile(tmp_path / "fresh", "koshi_replay").database)
    assert len(catch_up(lost).not_at_hand) == 1
    assert [verdict.state for verdict in read_anew(lost)] == ["accepted"]
    assert settle(lost).outcome == "published"
    assert read_anew(lost) == []
    assert read(lost, "select arrivals_persons from bi.migration_balance where year = 2019") == [(1017,)]


def _seen(profile: Profile) -> dict[str, list[tuple[object, ...]]]:
    """All that readers see, and the ledger but for what is at hand."""
    found = {name: rows for name, rows in state(profile).items() if name.startswith("bi.")}
    for table in ("meta.publication", "meta.confirmation", "meta.decision", "quality.quarantine"):
        found[table] = state(profile)[table]
    return found


def test_a_parser_that_reads_the_same_costs_an_entry_and_no_release(settled: Profile, monkeypatch: pytest.MonkeyPatch) -> None:
    before = state(settled)
    _new_parser(monkeypatch, reads_otherwise=False)
    _, end = run(settled)
    assert end.outcome == "nothing new"
    after = state(settled)
    assert {name for name in after if after[name] != before[name]} == {"meta.parser"}


def test_a_rejected_release_is_judged_again_as_it_stands_when_the_code_of_the_gate_changes(
    settled: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    # 1 of 18 rows cannot be read: the date of 2020 is rejected; its delivery revises 2021, and repeats the other dates
    put(settled, "population", population(replace={(REGIONS[0], 2020): "1 002 00O", **_revised(2021)}), LATER)
    intakes, end = run(settled)
    assert [verdict.state for verdict in intakes["population"].verdicts] == ["rejected", "accepted"]
    assert end.outcome == "published"
    before = state(settled)
    for module in (landing, gate1):
        monkeypatch.setattr(module, "code_fingerprint", lambda: "0123456789ab")
    monkeypatch.setattr(gate1, "verdict_fingerprint", lambda source: "0123456789ab")
    intakes, _ = run(settled)
    assert [verdict.slice for verdict in intakes["population"].rejected] == ["region/2020-01-01"]
    after = state(settled)
    for name in before:
        if name.startswith(("raw.", "core_", "bi.")):
            assert after[name] == before[name], name


def _revised(year: int) -> dict[tuple[str, int], object]:
    """One person more in one region of the year, and in the republic."""
    return {(REGIONS[1], year): 1_003_001, ("Республика Казахстан ", year): 17 * 1_003_000 + 1}
