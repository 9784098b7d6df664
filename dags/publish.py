"""Builds and publishes: whenever any source has accepted something new, after a replay, and on a timer.

It reads the ledger and never the event. The timer is for what no agency starts: new code, a lost database, a decision of a person.
"""

from __future__ import annotations

import functools
import operator

from airflow.sdk import Asset, AssetOrTimeSchedule, CronTriggerTimetable, TaskGroup, task
from airflow.sdk.exceptions import AirflowSkipException

from extractors.source import load_source, source_codes
from reporting.dag_defaults import REPLAYED, TIME_ZONE, catch_up, koshi_dag, summary, told
from warehouse.profile import load

ANYTHING = functools.reduce(operator.or_, (Asset(name) for name in (*(load_source(code).asset for code in source_codes()), REPLAYED)))
# A run that finds nothing new takes seconds. The first comes as soon as the DAG is known, and after a stop as soon as a time was missed.
TIMER = CronTriggerTimetable("*/15 * * * *", timezone=TIME_ZONE)


@task
def read_anew() -> int:
    """Reads and judges by new code what was delivered before; asks no agency."""
    profile = load()
    with told(profile, "read_anew"):
        from expectations.read_anew import read_anew as read

        return len(read(profile))


@task(trigger_rule="all_done")
def settle() -> int:
    """Builds the candidate, judges it, holds what is at fault, publishes: one lock and one loop. Nothing to publish is a skip."""
    profile = load()
    with told(profile, "settle") as part:
        from expectations.settle import settle as settle_candidate

        part.settled = settled = settle_candidate(profile)
    if settled.outcome != "published":
        raise AirflowSkipException(f"{settled.outcome}: {' | '.join(settled.reasons) or 'readers see what they saw'}")
    return settled.number or 0


# after the files, which its pages link, whatever became of them; and only where something was published
@task(trigger_rule="all_done_min_one_success")
def report() -> str:
    """Writes the reports of what was just published."""
    profile = load()
    with told(profile, "report"):
        from reporting import site

        return str(site.build(profile))


@task
def export() -> str:
    """Writes what was just published as files. Readers see it already, whatever becomes of this; returns where they lie, or why none do.

    No skip where none are wanted: `report` comes after this, and a skip would be handed on.
    """
    from reporting.export import unwanted

    if why := unwanted():
        return why
    profile = load()
    with told(profile, "export"):
        from reporting.export.make import export as write

        return str(write(profile))


@koshi_dag(
    "warehouse",
    __doc__,
    ("Airflow", "Every day", "Decisions", "Lost or damaged"),
    schedule=AssetOrTimeSchedule(timetable=TIMER, assets=ANYTHING),
    tags=["warehouse"],
)
def warehouse() -> None:
    """From accepted releases to a publication."""
    begun, ended = catch_up(), summary("")
    with TaskGroup("publish", tooltip="From accepted releases to what readers see"):
        first, settled, shown, taken_away = read_anew(), settle(), report(), export()
        first >> settled >> taken_away >> shown
        settled >> shown
    begun >> first
    [first, shown, taken_away] >> ended


warehouse()
