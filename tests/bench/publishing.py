"""What each step of one further release costs, and what taking it back does: processor time of Koshi and of its server, and the wall.

The warehouse is that of the growth line, with 0.3 M raw rows; of several releases that come one after the other the median counts.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from expectations.intake import take_in
from expectations.settle import settle
from extractors.archive import Archive
from extractors.source import load_source
from tests.bench.growth import DATASET, FURTHER, cpu, deliver
from tests.small import land_all
from tests.state import read
from warehouse import migrate
from warehouse.connection import drop_database
from warehouse.profile import Profile
from warehouse.publication import roll_back, status
from warehouse.steps import listen

EDITIONS = 30
LINES = {"gate1": "gate 1", "gate2": "gate 2", "build.publication": "publication built", "publish": "publication shown"}


class Costs:
    """Seconds of processor and wall by step: a step lasts until the next one begins."""

    def __init__(self) -> None:
        self.spent: dict[str, list[tuple[float, float]]] = defaultdict(list)
        self._step, self._cpu, self._at = "", 0.0, 0.0

    def begin(self, step: str) -> None:
        """A step begins, or a part of one; any other message is none."""
        name = step if step.startswith("build.") or "." not in step else step.partition(".")[0]
        if name == self._step or not name.replace(".", "").isalnum():
            return
        now, at = cpu(), time.perf_counter()
        if self._step:
            self.spent[self._step].append((now - self._cpu, at - self._at))
        self._step, self._cpu, self._at = name, now, at

    def told(self, step: str) -> str:
        """The medians of a step, as a line says them."""
        seconds, walls = zip(*self.spent[step], strict=True)
        return f"{statistics.median(seconds):.2f} CPU-s, {statistics.median(walls):.2f} s"


def published() -> None:
    """Prints what gates, a publication and a rollback cost by themselves."""
    costs = Costs()
    listen(costs.begin)
    with tempfile.TemporaryDirectory() as name:
        profile = Profile("sample", f"{name}/archive", f"{name}/journal", Path(name) / "state", "koshi_bench")
        drop_database(profile)
        migrate.to_head(profile)
        for number in range(EDITIONS):
            deliver(Archive(profile.archive), number)
        land_all(profile, load_source("uis"), DATASET)
        settle(profile)
        costs.spent.clear()
        for number in range(EDITIONS, EDITIONS + FURTHER):
            deliver(Archive(profile.archive), number)
            take_in(profile, "uis", DATASET)
            settle(profile)
            costs.begin("rest")
        ((rows, changed),) = read(
            profile,
            "select (select count(*) from bi.fct_student_mobility_vintage), (select count(*) from meta.shown_row"
            " where change_number = (select max(change_number) from meta.shown))",
        )
        for _ in range(FURTHER):
            before, last = status(profile)["kept"][-2:]
            for publication in (before, last):
                costs.begin("rollback")
                roll_back(profile, publication[1], "a bench", "to and fro")
                costs.begin("rest")
        drop_database(profile)
    for step, line in LINES.items():
        print(f"{line:17} {costs.told(step)}: one further release of 9,765 rows, in a fact of {rows:,}; {changed:,} rows change")
    print(f"rollback          {costs.told('rollback')}: to the publication before, and back")


if __name__ == "__main__":
    published()
