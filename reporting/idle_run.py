"""A run to which nothing has come: the functions that the tasks call say so, and neither Airflow nor dbt nor a gate is started for it."""

from __future__ import annotations

from uuid import UUID

from expectations.intake import take_in, untouched
from expectations.settle import is_settled, settle
from extractors.replay import is_behind
from extractors.source import load_source, source_codes
from reporting import run_log, site
from warehouse.connection import shared_sessions
from warehouse.profile import Profile


@shared_sessions()
def told(profile: Profile, run: UUID) -> bool:
    """Whether the archive alone is asked and readers see all that it holds; then the run is told so, a part for each task.

    False where there is work, or something to complain of.
    """
    datasets = [(code, name) for code in source_codes() for name in load_source(code).datasets]
    try:
        if (
            profile.is_live
            or is_behind(profile)
            or not is_settled(profile)
            or not all(untouched(profile, *dataset) for dataset in datasets)
        ):
            return False
    except (RuntimeError, ValueError, OSError):  # the task of that dataset meets it again and says so; the others go on
        return False
    for code, name in datasets:
        with run_log.task(profile, run, f"extract_{code}", f"{code}.{name}") as part:
            part.intake(take_in(profile, code, name))
    with run_log.task(profile, run, "warehouse", "settle") as part:
        part.settled = settle(profile)
    if part.settled.outcome == "published":  # somebody has decided just now
        site.build(profile)
    return True
