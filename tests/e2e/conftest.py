"""A browser of the system, and the publication of the whole bundled archive that a browser is shown."""

from __future__ import annotations

import shutil

import pytest

from tests.golden.conftest import bundled

__all__ = ["browser", "bundled"]


@pytest.fixture(scope="session")
def browser() -> str:
    """The program; of the session, so that without it nothing else is made ready first."""
    found = shutil.which("chromium") or shutil.which("google-chrome")
    if not found:
        pytest.skip("NOT TRIED IN A BROWSER: no chromium on PATH (the system package `chromium`)")
    return found
