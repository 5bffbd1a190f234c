"""What tests may use that not every system has."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

posix = pytest.mark.skipif(sys.platform == "win32", reason="needs signals, named pipes or devices of POSIX")
"""Marks a test that makes no sense on Windows."""


def _usual_signals() -> None:
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


AT_A_TERMINAL: Mapping[str, Any] = {} if sys.platform == "win32" else {"preexec_fn": _usual_signals}
"""For `Popen`: the background of a shell (nohup, `&`) ignores signals, and so would what it starts."""


def _small_files() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (300, 300))


SMALL_FILES: Mapping[str, Any] = {"preexec_fn": _small_files}
"""For `Popen`, on POSIX: files can have 300 bytes, as on a full disk."""


def named_pipe(path: Path) -> bool:
    """Make a named pipe in a folder; whether the system has such."""
    if sys.platform == "win32":
        return False
    os.mkfifo(path)
    return True
