"""One line for each declared dataset: what became of it when it was last tried, how it stands now, and what to do."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from psycopg.rows import dict_row
from rich.console import Console

from extractors.rows import UNREADABLE
from extractors.source import load_source, source_codes
from warehouse import attempts
from warehouse.attempts import DECIDE, WAITS, Attempt, to_decide
from warehouse.connection import Connection, connect
from warehouse.journal import now
from warehouse.keys import hex_key
from warehouse.ledger import UNDECIDED
from warehouse.profile import Profile
from warehouse.wording import counted, one_line, say, some, trimmed

# What readers would see of each slice, were it not rejected or held. That an answer could not be read is said by its attempt.
STANDING = """
select * from (
    select distinct on (source, dataset, slice) source || '.' || dataset as name, slice, edition, release_key, state,
        coalesce(reason, '') as reason
    from meta.release where slice <> %s
    order by source, dataset, slice, rank_basis = 'agency' desc, rank desc, parse_number desc, release_key desc
) as top where state in ('rejected', 'undecided', 'held') order by name, state desc, slice
"""
# Of the last delivery of each dataset what readers have and it lacks; and each delivery that came, it says, at a time yet to come
DELIVERED = """
select source || '.' || dataset as name, delivery, lacks, came_after, retrieved_at
from (
    select *, row_number() over (
        partition by source, dataset order by coalesce(came_after::timestamptz, retrieved_at) desc, delivery desc
    ) as place
    from meta.delivery
) as delivery
where (place = 1 and lacks <> '{}') or came_after is not null or retrieved_at > %s
order by name, delivery
"""
WAITING = re.compile(r"waiting for (\w+\.\w+)")
STATES = "select source || '.' || dataset, state, count(*) from meta.release group by 1, 2 order by 1, 2"
HELD = "It is tried again as soon as another release comes; `python pipeline.py decide withdraw RELEASE --person … --reason …` ends that"
STYLES = {"taken": "green", "rejected": "red", "failed": "bold red", "held": "yellow", "undecided": "yellow", "waiting for": "yellow"}
SHOWN = 8
Row = dict[str, Any]


@dataclass(frozen=True)
class Line:
    """How one dataset stands. `word` is taken, unchanged, skipped, rejected, undecided, held, waiting for or failed."""

    name: str
    title: str
    word: str
    happened: str
    advice: str = ""
    url: str = ""
    status: int | None = None
    at: datetime | None = None
    details: tuple[str, ...] = ()
    releases: str = ""
    undecided: int = 0
    redistribution: str = ""

    def data(self) -> dict[str, Any]:
        """For `meta.run` and run.json."""
        return {
            key: value
            for key, value in asdict(self).items()
            if key not in ("name", "title", "at", "redistribution") and value not in ("", None, (), 0)
        }


def lines(profile: Profile, since: datetime | None = None, broken: Mapping[str, str] | None = None) -> list[Line]:
    """A line for each declared dataset, and for each that has releases and is declared no more; in order of their names.

    With `since` only attempts that began then or later count, as of one run; `broken` says, by the name of a dataset or of another task,
    what failed in it beside the attempts.
    """
    declared = {f"{code}.{name}": dataset for code in source_codes() for name, dataset in load_source(code).datasets.items()}
    with connect(profile) as connection:
        tried = {name: attempt for name, attempt in attempts.last(connection).items() if not since or attempt.started_at >= since}
        standing, remarks = _standing(connection), _remarks(connection)
        states: dict[str, list[str]] = {}
        for name, state, count in connection.execute(STATES).fetchall():
            states.setdefault(name, []).append(f"{count:,} {state}")
    found = []
    for name in sorted(declared | states):
        attempt = tried.get(name) or _untried(name, broken or {}, is_declared=name in declared, is_run=since is not None)
        line = _line(profile, attempt, standing.get(name, []), remarks.get(name, []))
        releases = f"{', '.join(states[name])}" if name in states else "none"
        title, terms = (declared[name].title.en, declared[name].narrowest) if name in declared else (name, "")
        found.append(Line(**vars(line) | {"title": title, "redistribution": terms, "releases": releases}))
    return found


def _standing(connection: Connection) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in connection.cursor(row_factory=dict_row).execute(STANDING, [UNREADABLE]):
        found.setdefault(row["name"], []).append(row)
    return found


def _remarks(connection: Connection) -> dict[str, list[str]]:
    """What is to be said of deliveries: what they lack, and when they cannot have come."""
    found: dict[str, list[str]] = {}
    for name, delivery, lacks, came_after, retrieved_at in connection.execute(DELIVERED, [now()]).fetchall():
        said = found.setdefault(name, [])
        if lacks:
            said.append(f"delivery {delivery} lacks {some(lacks, 'slice')}, which readers keep; withdraw the releases of what is to go")
        if came_after or retrieved_at > datetime.now(UTC):
            ranked = f"it ranks after {came_after[:19]} UTC" if came_after else "the next delivery ranks above it"
            said.append(f"delivery {delivery} says that it came {retrieved_at:%Y-%m-%d %H:%M:%S} UTC: a clock was wrong; {ranked}")
    return found


def _untried(name: str, broken: Mapping[str, str], *, is_declared: bool, is_run: bool) -> Attempt:
    """In place of an attempt: the task failed before it, or something before the task did, or there was no reason to try."""
    source, _, dataset = name.partition(".")
    if name in broken:
        return Attempt(source, dataset, "failed", broken[name], "Its traceback stands in the log of the run; running again is safe")
    if not is_declared:
        return Attempt(source, dataset, "skipped", "declared no more")
    if "catch_up" in broken:
        return Attempt(source, dataset, "waiting for", "catch_up, which failed", "Nothing to do here: it is tried once that succeeds")
    return Attempt(source, dataset, "waiting for", "its turn: it was not tried" + (" in this run" if is_run else ""))


def _line(profile: Profile, attempt: Attempt, standing: list[Row], remarks: list[str]) -> Line:
    """The attempt's own word, unless the dataset stands worse than that."""
    word, happened, advice = str(attempt.outcome), attempt.happened, attempt.advice
    undecided = sum(row["state"] == UNDECIDED for row in standing)
    if word == UNDECIDED and not undecided:  # somebody has decided since
        word, advice = "taken", ""
    if standing and word in ("taken", "unchanged", "skipped", UNDECIDED):
        word = next(state for state in ("rejected", UNDECIDED, "held") if any(row["state"] == state for row in standing))
        advice = {"rejected": DECIDE, "held": HELD, UNDECIDED: WAITS}[word]
        if word == "held" and (siblings := _siblings(standing)):
            word, happened = "waiting for", f"{', '.join(siblings)}; held until then ({happened})"
            advice = "Nothing to do here: it is tried again once they come"
        elif word != attempt.outcome and "rejected" not in happened:
            happened += f"; {counted(len(standing), 'release')} {'stands' if len(standing) == 1 else 'stand'} {word}"
    at = attempt.finished_at if attempt.finished_at != attempts.NEVER else None
    details = (*(_detail(profile, row) for row in standing), *remarks)
    return Line(attempt.name, "", word, happened, advice, attempt.url, attempt.status, at, details, undecided=undecided)


def _siblings(standing: list[Row]) -> list[str]:
    """The datasets whose figures gate 2 waits for; none if a release is held for another reason, too."""
    waiting = [WAITING.findall(row["reason"]) for row in standing]
    return sorted({name for names in waiting for name in names}) if all(waiting) else []


def _detail(profile: Profile, row: Row) -> str:
    why = trimmed(one_line(row["reason"])) or "by decision of a person"
    if row["state"] == UNDECIDED:
        why += f"; {to_decide(profile, row['release_key'])}"
    return f"{row['state']} slice {row['slice']}, edition {row['edition']}, release {hex_key(row['release_key'])}: {why}"


def show(console: Console, found: list[Line], *, with_releases: bool = False) -> None:
    """Prints the lines: the dataset, the word, what happened; below it where it was asked, what stands rejected or held, what to do."""
    for line in found:
        more = [f"releases: {line.releases}", *([f"tried {line.at:%Y-%m-%d %H:%M:%S} UTC"] if line.at else [])] if with_releases else []
        more += [f"redistribution: {line.redistribution}"] if with_releases and line.redistribution else []
        happened = "; ".join([trimmed(line.happened), *more])
        say(console, (line.name, "bold"), "  ", (line.word, STYLES.get(line.word, "")), f"  {happened}")
        if line.url:
            say(console, f"  asked: {line.url}" + (f", status {line.status}" if line.status else ""))
        for detail in line.details[:SHOWN]:
            say(console, f"  {detail}")
        if len(line.details) > SHOWN:
            say(console, f"  … and {len(line.details) - SHOWN:,} more: meta.release names them")
        if line.advice:
            say(console, ("  what to do: ", "bold"), line.advice)
