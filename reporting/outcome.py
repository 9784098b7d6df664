"""How a run ended: one true sentence, the exit code, and run.json for whoever reads neither."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from reporting.datasets import Line
from reporting.run_log import RunLog
from warehouse.profile import Profile
from warehouse.wording import counted, one_line, say

PUBLISHED, BROKEN, NOTHING_PUBLISHABLE = 0, 1, 2
UNPIN = "`python pipeline.py unpin --person … --reason …`"
SENTENCES = {
    "published": "readers now see publication {number}",
    "nothing new": "readers go on seeing publication {number}; nothing was rebuilt or republished",
    "nothing else": "readers go on seeing publication {number}; what came was built, and what is new of it is held",
    "pinned": f"a person points readers at publication {{number}}; nothing was built; {UNPIN} lets runs publish again",
    "refused": "the candidate failed gate 2; readers see what they saw before",
    "empty": "no release has passed gate 1",
    "taken in": "what was accepted waits for the DAG `warehouse`, which builds and publishes it",
    "replayed": "the database has what the journal says; the DAG `warehouse` follows",
}
CODES = {"refused": NOTHING_PUBLISHABLE, "empty": NOTHING_PUBLISHABLE, "broken": BROKEN}
STYLES = {PUBLISHED: "bold green", BROKEN: "bold red", NOTHING_PUBLISHABLE: "bold yellow"}


@dataclass(frozen=True)
class Outcome:
    """`word` is published, nothing new, pinned, refused, empty or broken, of a scheduler's DAG that settles nothing taken in or replayed.

    `settled` is what the warehouse came to in a broken run too.
    """

    word: str
    sentence: str
    settled: str = ""
    publication: int | None = None

    @property
    def exit_code(self) -> int:
        """0 published or nothing new, 1 broken, 2 nothing publishable."""
        return CODES.get(self.word, PUBLISHED)

    @property
    def last_line(self) -> str:
        """What a run says last."""
        return f"{self.word.capitalize()} (exit code {self.exit_code}): {self.sentence}."


def of(log: RunLog, lines: list[Line], states: Mapping[str, str], publication: int | None, otherwise: str = "") -> Outcome:
    """The outcome of a run that came to its end.

    `states` are those of its tasks, `publication` is the number of what readers see, and `otherwise` the word of a run that had nothing to
    settle.
    """
    settled = log.settled.outcome if log.settled else ""
    word = settled or otherwise
    sentence = "nothing else" if settled == "nothing new" and log.settled and log.settled.held else word
    told = SENTENCES[sentence].format(number=publication) if word else "nothing was published; readers see what they saw before"
    if undecided := sum(line.undecided for line in lines):
        told += f"; {counted(undecided, 'release')} {'waits' if undecided == 1 else 'wait'} for a person's decision"
    datasets = [line.name for line in lines if line.word == "failed"]
    tasks = [f"{name} failed: {reason}" for name, reason in log.failed.items() if name not in datasets]
    if not any(state == "failed" for state in states.values()) and not tasks:
        return Outcome(word, told, settled, publication)
    failed = [f"{counted(len(datasets), 'dataset')} failed: {', '.join(datasets)}"] if datasets else []
    unexplained = [name for name, state in states.items() if state == "failed"] if not (datasets or tasks) else []
    failed += [*tasks, *(f"task {name} failed and gave no reason" for name in unexplained)]
    return Outcome("broken", "; ".join([told, *failed]), settled, publication)


def file_of(profile: Profile) -> Path:
    """Where the last run of the profile says how it ended."""
    return profile.state / "run.json"


def write(profile: Profile, content: Mapping[str, Any]) -> None:
    """Writes run.json in one go: a reader finds the old one or the new one."""
    target = file_of(profile)
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = target.with_suffix(f".{os.getpid()}.new")
    scratch.write_text(json.dumps({"profile": profile.name, **content}, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    scratch.replace(target)


def begin(profile: Profile) -> None:
    """Says that a run is under way: whoever finds that after its end knows that it was killed."""
    write(profile, {"outcome": "running", "process": os.getpid()})


def end(profile: Profile, console: Console, outcome: Outcome, data: Mapping[str, Any]) -> None:
    """Writes run.json and prints the last line."""
    told = {"outcome": outcome.word, "exit_code": outcome.exit_code, "sentence": outcome.last_line, "publication": outcome.publication}
    write(profile, told | {key: value for key, value in data.items() if key != "outcome"})
    say_last(console, outcome)


def say_last(console: Console, outcome: Outcome) -> None:
    """Prints the last line."""
    say(console, (outcome.last_line, STYLES[outcome.exit_code]))


def broken(error: BaseException) -> Outcome:
    """The outcome of a run that an error ended."""
    return Outcome("broken", f"{one_line(str(error)) or type(error).__name__}".rstrip("."))
