"""The end of a run: what happened, how long it took, where to look."""

from __future__ import annotations

from typing import Any

from psycopg import sql
from rich.console import Console
from rich.table import Table

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
    table = Table(title="Datasets", title_justify="left", box=None, pad_edge=False)
    for heading in ("dataset", "landed", "accepted", "rejected", "quarantined rows", "unchanged", "known"):
        table.add_column(heading, justify="left" if heading == "dataset" else "right")
    for intake in log.intakes:
        deliveries = intake.deliveries
        table.add_row(
            intake.dataset,
            f"{sum(d.landed for d in deliveries)} ({sum(d.rows for d in deliveries):,} rows)",
            str(len(intake.accepted)),
            str(len(intake.rejected)),
            str(sum(len(verdict.quarantined) for verdict in intake.accepted)),
            str(sum(d.unchanged + d.confirmed for d in deliveries)),
            f"{sum(d.known for d in deliveries)} of {len(deliveries)} skipped",
        )
    console.print(table)
    _rejections(console, log)
    facts = "; ".join(f"{name} {count.get('current', 0):,} ({count.get('all vintages', 0):,} with vintages)" for name, count in data["facts"].items())
    console.print(f"[bold]Rows by fact[/]  {facts or 'none published yet'}")
    if settled := log.settled:
        checked = f"{settled.checks} checks" if settled.checks else "not needed"
        console.print(f"[bold]Gate 2[/]        {checked}; held {len(settled.held)}; warnings {len(settled.warnings)}")
        for line in settled.reasons + [f"warning: {warning}" for warning in settled.warnings]:
            console.print(f"  · {line}", highlight=False)
    seconds = data["seconds"]
    outer = [name for name in seconds if "." not in name or name.split(".")[0] not in seconds]
    console.print("[bold]Seconds[/]       " + ", ".join(f"{name} {seconds[name]:.1f}" for name in outer), highlight=False)
    if settled := log.settled:
        console.print(f"[bold green]{OUTCOMES[settled.outcome].format(number=settled.number)}[/]")


def _rejections(console: Console, log: RunLog) -> None:
    for intake in log.intakes:
        for verdict in intake.rejected:
            name = f"{intake.dataset}, slice {verdict.slice}, edition {verdict.edition}, release {hex_key(verdict.release_key)}"
            console.print(f"[red]rejected[/] {name}: {' | '.join(verdict.reasons)}", highlight=False, soft_wrap=True)
        for verdict in intake.accepted:
            for pointer in verdict.quarantined:
                place = f"{intake.dataset}, slice {verdict.slice}, edition {verdict.edition}, {pointer['source_row']}"
                console.print(f"[yellow]quarantined[/] {place}: {pointer['rule']}: {pointer['detail']}", highlight=False, soft_wrap=True)


def where_to_look(console: Console, profile: Profile) -> None:
    """The last lines: one query that works when pasted, and what kind of answers these are."""
    live = "" if not profile.is_live else "LIVE=1 "
    console.print("\nAsk it:", highlight=False)
    console.print(f'  make {live}psql SQL="{QUERY}"', highlight=False, soft_wrap=True)
    console.print(f'  or any client:  psql "$(make -s {live}url)"', highlight=False, soft_wrap=True)
    if not profile.is_live:
        console.print(
            "These answers are reconstructed from figures at hand, in the agencies' own shapes; `make run LIVE=1` asks the agencies themselves.",
            highlight=False,
            soft_wrap=True,
        )
