"""The end of a run, by `make run` or by a scheduler's DAG: the same figures, kept in `meta.run`, printed, and shown on the first page."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from rich.console import Console

from reporting import datasets, outcome, run_log, site, summary
from reporting.outcome import Outcome
from warehouse import runs
from warehouse.profile import Profile
from warehouse.steps import step

WIDTH = 160


def to_stdout() -> Console:
    """A console for the log of a task, which has lines and no width."""
    return Console(file=sys.stdout, width=WIDTH, no_color=True)


def end(
    profile: Profile, console: Console, run: UUID, states: Mapping[str, str], source: str | None = None, otherwise: str = ""
) -> tuple[Outcome, dict[str, Any]]:
    """Gathers what the tasks of the run told, records how the run ended, prints the summary; returns the outcome and the summary as data.

    `states` are those of its tasks. A run of `make run` (no `source`) counts the attempts since it began; a DAG that takes in the datasets
    of one `source` counts those of this source alone, and another DAG ("") says how each dataset stands. `otherwise` is the outcome of
    a run that settles nothing.
    """
    with step("report"):
        log, begun = run_log.load(profile, run), runs.started(profile, run)
        data = summary.figures(profile, log)
        since = None if source == "" else begun
        lines = [line for line in datasets.lines(profile, since, log.failed) if not source or line.name.startswith(f"{source}.")]
        if source is None or site.exists(profile):  # a DAG leaves the first site to the task that builds it
            site.refresh(profile)
    ended = outcome.of(log, lines, states, summary.publication(profile), otherwise)
    data |= {"outcome": ended.word, "settled": ended.settled, "datasets": {line.name: line.data() for line in lines}}
    runs.end(profile, run, ended.word, data)
    summary.show(console, log, data, lines)
    return ended, data | {"run": str(run), "started_at": begun.isoformat() if begun else None}
