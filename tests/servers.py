"""What is left of a server when a test or a benchmark ends."""

from __future__ import annotations

import json
import shutil
from pathlib import Path


def remove_server(state: Path) -> None:
    """Removes the data of a stopped server: as root they lie outside the state folder, where nobody would clear them away."""
    file = state / "server" / "server.json"
    if file.exists():
        shutil.rmtree(Path(json.loads(file.read_text())["data"]).parent, ignore_errors=True)
