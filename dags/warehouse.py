"""Builds and publishes: whenever any source has accepted something new, after a replay, and on a timer.

It reads the ledger and never the event. The timer is for what no agency starts: new code, a lost database, a decision of a person.
"""

from __future__ import annotations

import functools
import operator

import pendulum
from airflow.sdk import Asset, AssetOrTimeSchedule, CronTriggerTimetable, dag, task
from airflow.sdk.exceptions import AirflowSkipException

from extractors.source import load_source, source_codes
from reporting.airflow_home import REPLAYED, TASKS

ANYTHING = functools.reduce(operator.or_, (Asset(name) for name in (*(load_source(code).asset for code in source_codes()), REPLAYED)))
# A run that finds nothing new takes seconds. The first comes as soon as the DAG is known, and after a stop as soon as a time was missed.
TIMER = CronTriggerTimetable("*/15 * * * *", timezone="Asia/Almaty")


@task
def catch_up() -> int:
    """Applies what a killed run wrote into the journal and could not commit."""
    from reporting import run_log

    with run_log.task("catch_up"):
        from extractors.replay import catch_up as apply
        from warehouse import profile

        return apply(profile.load()).entries


@task
def read_anew() -> int:
    """Reads and judges by new code what was delivered before; asks no agency."""
    from reporting import run_log

    with run_log.task("read_anew"):
        from expectations.read_anew import read_anew as read
        from warehouse import profile

        return len(read(profile.load()))


@task(trigger_rule="all_done")
def settle() -> int:
    """Builds the candidate, judges it, holds what is at fault, publishes; nothing to publish is a skip."""
    from reporting import run_log

    with run_log.task("settle"):
        from expectations.settle import settle as settle_candidate
        from warehouse import profile

        settled = settle_candidate(profile.load())
        run_log.settled(settled)
    if settled.outcome != "published":
        raise AirflowSkipException(f"{settled.outcome}: {' | '.join(settled.reasons) or 'readers see what they saw'}")
    return settled.number or 0


@task
def report() -> str:
    """Writes the reports of what was just published."""
    from reporting import run_log

    with run_log.task("report"):
        from reporting import site
        from warehouse import profile

        return str(site.build(profile.load()))


@dag(
    dag_id="warehouse",
    schedule=AssetOrTimeSchedule(timetable=TIMER, assets=ANYTHING),
    start_date=pendulum.datetime(2026, 1, 1, tz="Asia/Almaty"),
    catchup=False,
    max_active_runs=1,
    default_args=TASKS,
    tags=["warehouse"],
    doc_md=__doc__,
)
def warehouse() -> None:
    """From accepted releases to a publication."""
    catch_up() >> read_anew() >> settle() >> report()


warehouse()
