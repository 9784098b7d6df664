"""What became of each declared dataset is said, with what to do: in the summary, in the ledger, by `status` and on the page."""

from __future__ import annotations

import io
import re
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from rich.console import Console

from expectations import intake as intake_module
from expectations.intake import take_in
from expectations.settle import Settled
from extractors.archive import Archive
from extractors.polite import FetchError
from extractors.source import load_source, source_codes
from reporting import datasets, run_log, site, summary
from reporting.datasets import Line
from tests import small
from tests.agency import Agency, Reply
from tests.contract.test_live import play
from tests.state import read
from warehouse import publication, runs
from warehouse.connection import connect
from warehouse.keys import hex_key
from warehouse.profile import ROOT, Profile
from warehouse.relation import PublicationError

PAGE = b"<!DOCTYPE html><title>Just a moment</title>"
DECLARED = [f"{code}.{name}" for code in source_codes() for name in load_source(code).datasets]
# what each dataset's agency answers, whatever it is asked
ANSWERS = {
    "undesa.stock_by_destination": Reply(403, b"access denied"),
    "uis.outbound_totals": Reply(404, b"<html>no such page</html>"),
    "bns.external_departures": Reply(429, b"slow down", {"Retry-After": "4000"}),
    "iom.missing_migrants": Reply(500, b"oops"),
    "bns.internal_by_region": Reply(503, b"maintenance"),
    "bns.natural_increase": Reply(200, PAGE, {"Content-Type": "text/html"}),
}


def printed(found: list[Line]) -> str:
    console = Console(file=io.StringIO(), width=80)
    datasets.show(console, found)
    return str(console.file.getvalue())  # type: ignore[attr-defined]


def block(text: str, name: str) -> str:
    """What the summary says of one dataset: its line and those below it."""
    found = re.search(rf"^{re.escape(name)}  .*(?:\n  .*)*", text, re.MULTILINE)
    assert found, text
    return found.group()


def line_of(profile: Profile, name: str, since: datetime | None = None) -> Line:
    return next(line for line in datasets.lines(profile, since) if line.name == name)


def test_the_summary_alone_tells_what_to_do_about_each_answer(live: Profile, agency: Agency) -> None:
    """A server that answers 200, 403, 404, 429, 500, 503 and HTML for different datasets."""
    _, begun = runs.begin(live)
    play(agency, "bns", "external_arrivals")
    take_in(live, "bns", "external_arrivals")
    for name, reply in ANSWERS.items():
        source, _, dataset = name.partition(".")
        agency.script[:] = [reply] * 3
        if reply.status == 200:
            take_in(live, source, dataset)
            continue
        with pytest.raises(FetchError) as caught:  # what a task of Airflow sees: it fails
            take_in(live, source, dataset)
        assert (caught.value.source, caught.value.dataset, caught.value.status) == (source, dataset, reply.status)
    agency.script.clear()
    asked = len(agency.seen)
    take_in(live, "bns", "internal_matrix")  # its gate looks at bns.internal_by_region
    assert len(agency.seen) == asked

    found = datasets.lines(live, begun)
    assert [line.name for line in found] == sorted(DECLARED)
    text = printed(found)
    for name, status, todo in (
        ("undesa.stock_by_destination", 403, "KOSHI_DROPIN_UNDESA"),
        ("uis.outbound_totals", 404, "compare base_urls and request in extractors/uis/source.yml"),
        ("bns.external_departures", 429, "Run again after that time"),
        ("iom.missing_migrants", 500, "Run again later; if it stays so, the question is one that the agency does not understand"),
        ("bns.internal_by_region", 503, "Run again later"),
    ):
        told = block(text, name)
        assert told.startswith(f"{name}  failed  status {status}, expected 200; the answer begins"), told
        assert f"asked: {agency.url}" in told
        assert f", status {status}" in told
        assert todo in told.partition("what to do:")[2], told
    assert block(text, "bns.external_arrivals") == "bns.external_arrivals  taken  1 release landed (35 rows), 1 accepted"
    page = block(text, "bns.natural_increase")
    assert page.startswith("bns.natural_increase  rejected  1 release landed (0 rows), 1 rejected, 1 answer unreadable: ")
    assert "HTML" in page
    assert f"asked: {agency.url}" in page
    assert "run again later" in page.partition("what to do:")[2]
    waiting = block(text, "bns.internal_matrix")
    assert waiting.startswith("bns.internal_matrix  waiting for  bns.internal_by_region, which failed\n  what to do: Nothing")
    assert block(text, "bns.population").startswith("bns.population  waiting for  its turn: it was not tried in this run")

    # the ledger says the same of a failed one, column by column
    [(outcome, happened, url, code, advice)] = read(
        live, "select outcome, happened, url, status, advice from meta.attempt where dataset = 'stock_by_destination'"
    )
    assert (outcome, code) == ("failed", 403)
    assert "access denied" in str(happened)
    assert str(url).startswith(agency.url)
    assert "KOSHI_CONTACT" in str(advice)
    # and so does the page, before there is any publication
    html = site.build(live).read_text(encoding="utf-8")
    for line in found:
        assert f"<code>{line.name}</code>" in html
    assert "access denied" in html
    assert "KOSHI_DROPIN_UNDESA" in html

    # asked again, the same page is known; it stands rejected all the same
    agency.plays(ANSWERS["bns.natural_increase"])
    again = take_in(live, "bns", "natural_increase")
    assert [landed.known for landed in again.deliveries] == [True]
    line = line_of(live, "bns.natural_increase")
    assert (line.word, line.status) == ("rejected", 200)
    assert line.happened.startswith("1 delivery known: ")
    # the sibling came: nothing is waited for any more, and what failed first is forgotten
    play(agency, "bns", "internal_by_region")
    take_in(live, "bns", "internal_by_region")
    assert line_of(live, "bns.internal_by_region").word != "failed"
    agency.plays(ANSWERS["bns.natural_increase"])
    assert take_in(live, "bns", "internal_matrix").became == "rejected"
    # a run that publishes nothing writes the first page anew
    html = site.refresh(live).read_text(encoding="utf-8")
    assert "access denied" in html
    assert "maintenance" not in html


def test_a_rejected_release_is_said_to_stand_until_a_better_one_comes(settled: Profile) -> None:
    small.put(settled, "external_arrivals", small.tree(small.arrivals() | {2021: -5}), "2026-03-01")
    assert take_in(settled, "bns", "external_arrivals").became == "rejected"
    assert take_in(settled, "bns", "external_arrivals").became == "skipped"  # every delivery is known
    line = line_of(settled, "bns.external_arrivals")
    assert (line.word, line.happened) == ("rejected", "2 deliveries known; 1 release stands rejected")
    [(key,)] = read(settled, "select release_key from meta.release where state = 'rejected'")
    [detail] = line.details
    assert f"release {hex_key(int(str(key)))}: no value below 0" in detail
    assert ".000000" not in detail
    assert "decide accept RELEASE" in line.advice
    small.put(settled, "external_arrivals", small.tree(small.arrivals() | {2021: 1031}), "2026-04-01")
    assert take_in(settled, "bns", "external_arrivals").became == "taken"
    better = line_of(settled, "bns.external_arrivals")
    assert (better.word, better.details) == ("taken", ())


def test_a_dataset_whose_sibling_never_came_waits_and_is_no_fault(profile: Profile) -> None:
    small.put(profile, "external_arrivals", small.tree(small.arrivals()), "2026-02-01")
    take_in(profile, "bns", "external_arrivals")
    with connect(profile) as connection:
        reason = "waiting for bns.external_departures (both flows hold the same years: year 2018: arrivals 1000.000000, departures missing)"
        connection.execute("update meta.release set state = 'held', held_in_candidate = 1, reason = %s", [reason])
    line = line_of(profile, "bns.external_arrivals")
    assert line.word == "waiting for"
    assert line.happened == "bns.external_departures; held until then (1 release landed (4 rows), 1 accepted)"
    assert "departures missing" in line.details[0] and "1000," in line.details[0]
    with connect(profile) as connection:
        connection.execute("update meta.release set reason = 'no value is odd: 7'")
    assert line_of(profile, "bns.external_arrivals").word == "held", "another reason is a fault"


def test_a_fault_of_the_code_is_a_failure_that_is_told(profile: Profile, monkeypatch: pytest.MonkeyPatch) -> None:
    small.fill(profile)

    def broken(*_: object) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(intake_module, "deliver", broken)
    with pytest.raises(ZeroDivisionError):
        take_in(profile, "bns", "population")
    line = line_of(profile, "bns.population")
    assert (line.word, line.happened) == ("failed", "ZeroDivisionError: division by zero")
    assert "traceback" in line.advice


def test_where_the_ledger_cannot_be_told_the_first_error_is_raised(profile: Profile) -> None:
    with connect(profile) as connection:
        connection.execute("alter table meta.attempt rename to attempt_elsewhere")
    # the archive is empty
    with pytest.raises(Exception, match="holds no delivery") as caught:
        take_in(profile, "bns", "population")
    assert any("meta.attempt" in note for note in caught.value.__notes__)


def test_a_task_that_fails_before_its_attempt_is_told_from_the_run(profile: Profile) -> None:
    run, _ = runs.begin(profile)
    with pytest.raises(ImportError), run_log.task(profile, run, "extract_bns", "bns.population"):
        raise ImportError("no module of that name")
    failed = run_log.load(profile, run).failed
    line = next(line for line in datasets.lines(profile, datetime.now(UTC), failed) if line.name == "bns.population")
    assert (line.word, line.happened) == ("failed", "ImportError: no module of that name")
    # what comes before all datasets is no fault of theirs
    waiting = datasets.lines(profile, datetime.now(UTC), {"catch_up": "JournalError"})
    assert {(line.word, line.happened) for line in waiting} == {("waiting for", "catch_up, which failed")}


def test_a_pinned_run_names_the_publication_that_readers_see(settled: Profile) -> None:
    [(key,)] = read(settled, "select publication_key from meta.publication where is_current")
    publication.roll_back(settled, int(str(key)), "a person", "a reason")
    _, end = small.run(settled)
    assert end.outcome == "pinned"
    assert summary.publication(settled) == 1


def test_no_release_is_named_by_a_signed_number(profile: Profile, live: Profile, agency: Agency) -> None:
    agency.plays(Reply(body=PAGE))
    take_in(live, "bns", "external_arrivals")
    [(subject, key)] = read(live, "select subject, release_key from quality.validation_result where gate = 'gate 1'")
    assert subject == f"release {hex_key(int(str(key)))}"
    with pytest.raises(PublicationError, match="no release 00000000000000ff in meta"):
        publication.decide(live, "withdraw", "a person", "a reason", 255)


def test_nothing_of_great_expectations_is_printed_on_the_way(settled: Profile, capfd: pytest.CaptureFixture[str]) -> None:
    """Its remark on each query that looks at several relations flooded the log, with our own warnings in it."""
    small.put(settled, "external_arrivals", small.tree(small.arrivals() | {2021: 1031}), "2026-03-01")
    _, end = small.run(settled)
    assert end.checks > 5
    out, err = capfd.readouterr()
    assert "{batch}" not in out + err


def test_status_has_a_line_for_each_declared_dataset(settled: Profile) -> None:
    console = Console(file=io.StringIO(), width=80)
    datasets.show(console, datasets.lines(settled), with_releases=True)
    text = str(console.file.getvalue())  # type: ignore[attr-defined]
    assert [line.split("  ")[0] for line in text.splitlines() if not line.startswith("  ")] == sorted(DECLARED)
    population = block(text, "bns.population")
    assert re.match(r"bns\.population  taken  \d+ releases landed \(\d+ rows\), \d+ accepted; releases: \d+ published; tried 2", population)


def test_the_summary_counts_in_words(settled: Profile) -> None:
    console = Console(file=io.StringIO(), width=80)
    log = run_log.RunLog(settled=Settled("published", number=1, held=[1], checks=1, warnings=["found 3.000000"]))
    summary.show(console, log, {"facts": {}, "seconds": {}, "files nothing asks for": ["drop/in.csv"]}, [])
    text = str(console.file.getvalue())  # type: ignore[attr-defined]
    assert "gate 2  1 check, 1 release held, 1 warning\n  warning: found 3\n" in text
    assert "nothing asks for  drop/in.csv: " in text


def test_no_print_wraps_or_eats_brackets() -> None:
    """There is one way to print a line (warehouse/wording.py)."""
    for file in [ROOT / "pipeline.py", *Path(ROOT / "reporting").glob("*.py")]:
        assert "console.print(" not in file.read_text("utf-8"), file


def test_known_bytes_of_an_earlier_good_answer_are_no_rejection(live: Profile, agency: Agency) -> None:
    play(agency, "bns", "external_arrivals")
    take_in(live, "bns", "external_arrivals")
    agency.plays(Reply(body=PAGE))
    assert take_in(live, "bns", "external_arrivals").became == "rejected"
    take_in(live, "bns", "external_arrivals")  # the agency has mended itself
    assert len(Archive(live.archive).deliveries("bns", "external_arrivals")) == 3
    assert line_of(live, "bns.external_arrivals").word == "unchanged"


def test_attempts_are_told_by_the_servers_clock(profile: Profile) -> None:
    small.fill(profile)
    _, begun = runs.begin(profile)
    take_in(profile, "bns", "population")
    [(started, finished)] = read(profile, "select started_at, finished_at from meta.attempt")
    assert isinstance(started, datetime) and isinstance(finished, datetime)
    assert begun <= started < finished
    with connect(profile, "koshi_loader") as connection, pytest.raises(psycopg.errors.CheckViolation):
        connection.execute("update meta.attempt set outcome = 'fine'")
