"""The two profiles: `sample` (the bundled archive) and `live` (the agencies)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

ROOT = Path(__file__).resolve().parent.parent
BUNDLED_ARCHIVE = ROOT / "extractors" / "bundled" / "archive"

ProfileName = Literal["sample", "live"]


def state_root() -> Path:
    """The ignored folder for everything that can be made again: the embedded server and the profiles' state."""
    return Path(os.environ.get("KOSHI_STATE") or ROOT / ".koshi").resolve()


@dataclass(frozen=True)
class Profile:
    """Where one profile keeps its archive, journal, state and database."""

    name: ProfileName
    archive: str
    journal: str
    state: Path
    database: str
    overlay: str = ""  # where a sample keeps what a person records; without one it is written into the archive

    @property
    def is_live(self) -> bool:
        """Whether the agencies are asked; a live warehouse refuses reconstructed and transcribed snapshots."""
        return self.name == "live"


def load(name: str | None = None) -> Profile:
    """The profile called `name`, else `KOSHI_PROFILE`, else `sample`.

    `KOSHI_ARCHIVE` and `KOSHI_JOURNAL` (a folder or any fsspec URL) move a profile's archive and journal,
    `KOSHI_DATABASE` names its database on the embedded server.
    Raises `ValueError` for an unknown name.
    """
    chosen = name or os.environ.get("KOSHI_PROFILE") or "sample"
    if chosen not in ("sample", "live"):
        raise ValueError(f"unknown profile {chosen!r}: expected 'sample' or 'live' (KOSHI_PROFILE)")
    state = state_root() / chosen
    bundled = str(BUNDLED_ARCHIVE) if chosen == "sample" else str(state / "archive")
    return Profile(
        name="live" if chosen == "live" else "sample",
        archive=os.environ.get("KOSHI_ARCHIVE") or bundled,
        journal=os.environ.get("KOSHI_JOURNAL") or str(state / "journal"),
        state=state,
        database=os.environ.get("KOSHI_DATABASE") or f"koshi_{chosen}",
        overlay=str(state / "overlay") if chosen == "sample" else "",
    )
