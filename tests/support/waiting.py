"""Processes that tests start, and waiting for what they do."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from contextlib import suppress


def wait_until(condition: Callable[[], bool], process: subprocess.Popen, limit_s: float = 60.0) -> None:
    """Wait until a process has brought about a condition.

    Raises:
        AssertionError: if it ends without that, or the time is up.
    """
    deadline_s = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline_s, f"nothing after {limit_s:g} s"
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.01)
            assert condition(), f"the process has ended before, with {process.returncode}"
