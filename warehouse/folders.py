"""Folders that are made anew as a whole, while others read the old one."""

from __future__ import annotations

import shutil
from pathlib import Path


def replace(target: Path, scratch: Path) -> None:
    """Puts the folder `scratch` in the place of `target`.

    A folder cannot be renamed over another: the old one steps aside for a moment. A kill in that moment leaves none.
    """
    old = scratch.with_suffix(".old")
    if target.exists():
        target.rename(old)
    scratch.rename(target)
    shutil.rmtree(old, ignore_errors=True)
