"""The end of a run: what happened, how long it took, where to look."""

from __future__ import annotations

from typing import Any

from psycopg import sql
from rich.console import Console
from rich.markup import escape

from expectations.intake import Intake
from reporting.run_log import RunLog
from warehouse import steps
from warehouse.candidate import current_publication
from warehouse.connection import connect
from warehouse.keys import hex_key
from warehouse.profile import Profile

QUERY = (
    "select year, arrivals_persons, departures_persons, balance_persons, round(balance_per_10000, 1) as per_10000 "
    "from bi.migration_balance where year >= 2020 order by year"
)
SHOWN = 8
OUTCOMES = {
    "published": "Published: readers now see publication {number}.",
    "nothing new": "Nothing new: readers go on seeing publication {number}; nothing was rebuilt or republished.",
    "pinned": "Pinned: a person points readers at publication {number}; nothing was built. `make unpin` lets runs publish again.",
    "refused": "Refused: the candidate failed gate 2 and no release could be held for it; readers see what they saw before.",
    "empty": "Nothing publishable: no release has passed gate 1.",
}


def exit_code(log: RunLog) -> int:
    """0 published or nothing new, 2 nothing publishable."""
    return 2 if log.settled is None or log.settled.outcome in ("refused", "empty") else 0


def figures(profile: Profile, log: RunLog) -> dict[str, Any]:
    """The summary as data: releases by what became of them, rows by fact, gates, seconds by step."""
    landed = sum(delivery.landed for intake in log.intakes for delivery in intake.deliveries)
    settled = log.settled
    return {
        "releases": {
            "landed": landed,
            "accepted": sum(len(intake.accepted) for intake in log.intakes),
            "rejected": sum(len(intake.rejected) for intake in log.intakes),
            "held": len(settled.held) if settled else 0,
            "confirmed": sum(delivery.confirmed for intake in log.intakes for delivery in intake.deliveries),
            "skipped deliveries": sum(delivery.known for intake in log.intakes for delivery in intake.deliveries),
            "unchanged slices": sum(delivery.unchanged for intake in log.intakes for delivery in intake.deliveries),
        },
        "facts": _facts(profile),
        "outcome": settled.outcome if settled else "broken",
        "seconds": {name: round(value, 2) for name, value in steps.seconds().items()},
    }


def _facts(profile: Profile) -> dict[str, dict[str, int]]:
    """Rows by fact in the current publication: of the current releases, and of all."""
    with connect(profile) as connection:
        current = current_publication(connection)
        if not current:
            return {}
        schema = f"pub_{hex_key(current[0])}"
        names = connection.execute(
            r"select viewname from pg_views where schemaname = %s and viewname like 'fct\_%%' order by 1", [schema]
        ).fetchall()
        counts: dict[str, dict[str, int]] = {}
        for (name,) in names:
            row = connection.execute(sql.SQL("select count(*) from {}").format(sql.Identifier(schema, name))).fetchone()
            fact = name.removesuffix("_vintage")
            counts.setdefault(fact, {})["all vintages" if name.endswith("_vintage") else "current"] = int(row[0]) if row else 0
        return counts


def show(console: Console, profile: Profile, log: RunLog, data: dict[str, Any]) -> None:
    """Prints the summary."""
    for intake in log.intakes:
        console.print(f"[bold]{intake.dataset}[/]  {_told(intake)}", highlight=False, soft_wrap=True)
        for line in _trouble(intake):
            console.print(f"  {line}", highlight=False, soft_wrap=True)
    counts = data["facts"].items()
    facts = "; ".join(f"{name} {count.get('current', 0):,} ({count.get('all vintages', 0):,} with vintages)" for name, count in counts)
    console.print(f"[bold]rows by fact[/]  {facts or 'none published yet'}", highlight=False, soft_wrap=True)
    if settled := log.settled:
        checked = f"{settled.checks} checks" if settled.checks else "no need"
        line = f"{checked}, {len(settled.held)} releases held, {len(settled.warnings)} warnings"
        console.print(f"[bold]gate 2[/]  {line}", highlight=False, soft_wrap=True)
        for line in settled.reasons + [f"warning: {warning}" for warning in settled.warnings]:
            console.print(f"  {line}", highlight=False, soft_wrap=True)
    seconds = data["seconds"]
    outer = [name for name in seconds if "." not in name or name.split(".")[0] not in seconds]
    console.print("[bold]seconds[/]  " + ", ".join(f"{name} {seconds[name]:.1f}" for name in outer), highlight=False, soft_wrap=True)
    if settled := log.settled:
        console.print(f"[bold green]{OUTCOMES[settled.outcome].format(number=settled.number)}[/]", highlight=False, soft_wrap=True)


def _told(intake: Intake) -> str:
    """One line: what became of the deliveries of a dataset."""
    deliveries = intake.deliveries
    known = sum(delivery.known for delivery in deliveries)
    parts = [f"{sum(d.landed for d in deliveries)} releases landed ({sum(d.rows for d in deliveries):,} rows)"]
    parts += [f"{len(intake.accepted)} accepted", f"{len(intake.rejected)} rejected"]
    parts += [f"{count} {word}" for word, count in (
        ("rows quarantined", sum(len(verdict.quarantined) for verdict in intake.accepted)),
        ("slices unchanged", sum(delivery.unchanged for delivery in deliveries)),
        ("slices confirmed", sum(delivery.confirmed for delivery in deliveries)),
    ) if count]  # fmt: skip
    if known == len(deliveries) and deliveries and not intake.verdicts:
        return f"skipped: {known} deliveries known"
    return ", ".join(parts) + (f", {known} deliveries known" if known else "")


def _trouble(intake: Intake) -> list[str]:
    """What was rejected or quarantined, by name; the ledger has the rest of a long list."""
    lines = []
    for verdict in intake.rejected:
        name = f"{intake.dataset}, slice {verdict.slice}, edition {verdict.edition}, release {hex_key(verdict.release_key)}"
        lines.append(f"[red]rejected[/] {name}: {escape(' | '.join(verdict.reasons))}")
    for verdict in intake.accepted:
        place = f"{intake.dataset}, slice {verdict.slice}, edition {verdict.edition}, release {hex_key(verdict.release_key)}"
        lines += [f"[yellow]quarantined[/] {place}, at {p['source_row']}: {p['rule']}: {escape(p['detail'])}" for p in verdict.quarantined]
    more = [f"… and {len(lines) - SHOWN} more: meta.release and quality.quarantine name them"] if len(lines) > SHOWN else []
    return lines[:SHOWN] + more


def where_to_look(console: Console, profile: Profile) -> None:
    """The last lines: one query that works when pasted, and what kind of answers these are."""
    live = "" if not profile.is_live else "LIVE=1 "
    console.print("\nAsk it:", highlight=False)
    console.print(f'  make {live}psql SQL="{QUERY}"', highlight=False, soft_wrap=True)
    console.print(f'  or any client:  psql "$(make -s {live}url)"', highlight=False, soft_wrap=True)
    if not profile.is_live:
        console.print(
            "These answers are reconstructed from figures at hand in the agencies' own shapes; `make run LIVE=1` asks the agencies.",
            highlight=False,
            soft_wrap=True,
        )
