"""Builds and publishes, whenever any source has accepted something new. It reads the ledger and never the event."""

from __future__ import annotations

import functools
import operator

import pendulum
from airflow.sdk import Asset, dag, task
from airflow.sdk.exceptions import AirflowSkipException

from extractors.source import load_source, source_codes

ANY_SOURCE = functools.reduce(operator.or_, (Asset(load_source(code).asset) for code in source_codes()))


@task
def catch_up() -> int:
    """Applies what a killed run wrote into the journal and could not commit."""
    from extractors.replay import catch_up as apply
    from warehouse import profile

    return apply(profile.load()).entries


@task
def settle() -> int:
    """Builds the candidate, judges it, holds what is at fault, publishes; nothing to publish is a skip."""
    from expectations.settle import settle as settle_candidate
    from reporting import run_log
    from warehouse import profile

    settled = settle_candidate(profile.load())
    run_log.settled(settled)
    if settled.outcome != "published":
        raise AirflowSkipException(f"{settled.outcome}: {' | '.join(settled.reasons) or 'readers see what they saw'}")
    return settled.number or 0


@task
def report() -> str:
    """Writes the reports of what was just published."""
    from reporting import site
    from warehouse import profile

    return str(site.build(profile.load()))


@dag(
    dag_id="warehouse",
    schedule=ANY_SOURCE,
    start_date=pendulum.datetime(2026, 1, 1, tz="Asia/Almaty"),
    catchup=False,
    max_active_runs=1,
    tags=["warehouse"],
    doc_md=__doc__,
)
def warehouse() -> None:
    """From accepted releases to a publication."""
    catch_up() >> settle() >> report()


warehouse()
