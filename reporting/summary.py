"""The end of a run: what happened, how long it took, where to look."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from extractors.delivery import unasked_files
from extractors.source import load_source, source_codes
from reporting import datasets, published
from reporting.datasets import Line
from reporting.run_log import SHOWN, RunLog, Taken
from warehouse import steps
from warehouse.candidate import current_publication
from warehouse.connection import connect
from warehouse.profile import Profile
from warehouse.wording import counted, say, trimmed

QUERY = (
    "select year, arrivals_persons, departures_persons, balance_persons, round(balance_per_10000, 1) as per_10000 "
    "from bi.migration_balance where year >= 2020 order by year"
)

# What may become of a release, and of what was not one
RELEASES = ("landed", "accepted", "rejected", "undecided", "held", "confirmed", "skipped deliveries", "unchanged slices")


def figures(profile: Profile, log: RunLog) -> dict[str, Any]:
    """The summary as data: releases by what became of them, rows by fact, gates, seconds by step."""
    settled = log.settled
    came = [name for name in RELEASES if name != "held"]
    releases = {name: sum(taken.releases[name] for taken in log.taken) for name in came} | {"held": len(settled.held) if settled else 0}
    return {
        "releases": {name: releases[name] for name in RELEASES},
        "waiting for a decision": settled.waiting if settled else [],
        "files nothing asks for": [file for code in source_codes() for file in unasked_files(load_source(code))] if profile.is_live else [],
        "facts": _facts(profile),
        "outcome": settled.outcome if settled else "broken",
        "seconds": {name: round(value, 2) for name, value in log.seconds.items()},
    }


def publication(profile: Profile) -> int | None:
    """The number of what readers see, or None before the first publication."""
    with connect(profile) as connection:
        current = current_publication(connection)
    return current[1] if current else None


def _facts(profile: Profile) -> dict[str, dict[str, int]]:
    """Rows by fact as readers see them: of the current releases, and of all."""
    with connect(profile) as connection:
        return {fact["name"]: {"current": fact["current"], "all vintages": fact["vintages"]} for fact in published.facts(connection)}


def show(console: Console, log: RunLog, data: dict[str, Any], lines: list[Line]) -> None:
    """Prints the summary: every declared dataset, what was quarantined, rows by fact, gate 2, seconds."""
    datasets.show(console, lines)
    for sentence in dict.fromkeys([*log.notes, *steps.notes()]):
        say(console, ("mended", "yellow"), f"  {sentence}")
    for line in _quarantined(log.taken):
        say(console, ("quarantined", "yellow"), f"  {line}")
    for file in data["files nothing asks for"]:
        say(console, ("nothing asks for", "yellow"), f"  {file}: if it is an answer, `python pipeline.py record` takes it in by hand")
    counts = data["facts"].items()
    facts = "; ".join(f"{name} {count.get('current', 0):,} ({count.get('all vintages', 0):,} with vintages)" for name, count in counts)
    say(console, ("rows by fact", "bold"), f"  {facts or 'none published yet'}")
    if settled := log.settled:
        checked = counted(settled.checks, "check") if settled.checks else "no need"
        held, warnings = counted(len(settled.held), "release"), counted(len(settled.warnings), "warning")
        say(console, ("gate 2", "bold"), f"  {checked}, {held} held, {warnings}")
        for line in settled.reasons + [f"warning: {warning}" for warning in settled.warnings]:
            say(console, f"  {trimmed(line)}")
        for line in settled.waiting:
            say(console, ("waiting for a decision", "yellow"), f"  {trimmed(line)}")
    seconds = data["seconds"]
    outer = [name for name in seconds if "." not in name or name.split(".")[0] not in seconds]
    say(console, ("seconds", "bold"), "  " + ", ".join(f"{name} {seconds[name]:.1f}" for name in outer))


def _quarantined(found: list[Taken]) -> list[str]:
    """What was quarantined in this run, by name; the ledger has the rest of a long list."""
    lines = [line for taken in found for line in taken.quarantined]
    left_off = len(lines[SHOWN:]) + sum(taken.more_quarantined for taken in found)
    more = [f"… and {left_off:,} more: quality.quarantine names them"] if left_off else []
    return lines[:SHOWN] + more


def where_to_look(console: Console, profile: Profile) -> None:
    """One query that works when pasted, and what kind of answers these are."""
    live = "" if not profile.is_live else "LIVE=1 "
    say(console)
    say(console, "Ask it:")
    say(console, f'  make {live}psql SQL="{QUERY}"')
    say(console, f"  or any client, with the address that this prints:  make -s {live}url")
    if not profile.is_live:
        say(
            console,
            "These answers are reconstructed from figures at hand in the agencies' own shapes; `make run LIVE=1` asks the agencies.",
        )
