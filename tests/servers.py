"""Where the servers of tests have their data, and what is left of one when a test or a benchmark ends."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

MEMORY = Path("/dev/shm")  # noqa: S108 - folders in it are made by mkdtemp
ROOM = 6 * 2**30  # three workers and what their tests start, of less than a gigabyte each


def roomy_folder() -> str | None:
    """The machine's memory as a folder, where there is room in it; None stands for the usual place of temporary files.

    Each test has a database of its own, which is a thousand files made and removed: on a disk that is a third of what short tests take.
    """
    return str(MEMORY) if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM else None


def remove_server(state: Path) -> None:
    """Removes the data of a stopped server: as root they lie outside the state folder, where nobody would clear them away."""
    file = state / "server" / "server.json"
    if file.exists():
        shutil.rmtree(Path(json.loads(file.read_text())["data"]).parent, ignore_errors=True)
