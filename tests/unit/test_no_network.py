"""The tests themselves: nothing that they start reaches beyond loopback."""

from __future__ import annotations

import subprocess
import sys

ASK = "import socket; socket.create_connection(('192.0.2.1', 80), timeout=5)"


def test_a_python_process_that_a_test_starts_is_kept_on_loopback() -> None:
    done = subprocess.run([sys.executable, "-c", ASK], capture_output=True, text=True, check=False)
    assert "a test allows loopback only, not 192.0.2.1" in done.stderr
