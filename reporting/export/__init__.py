"""What a person takes away: the marts of one publication as files."""

from __future__ import annotations

import os
from importlib.util import find_spec

NEEDS = ("duckdb", "pyarrow", "pysdmx")


def unwanted() -> str:
    """Why a run makes no export: `KOSHI_EXPORT=0` says so, or the extra is not installed. Else ""."""
    return "KOSHI_EXPORT=0: no run makes an export" if os.environ.get("KOSHI_EXPORT") == "0" else missing()


def missing() -> str:
    """Why no export can be made here: the extra `export` is not installed. Else ""."""
    lacking = [name for name in NEEDS if find_spec(name) is None]
    return f"{', '.join(lacking)} not installed: `make export` installs the extra `export`, and a run does without it" if lacking else ""
