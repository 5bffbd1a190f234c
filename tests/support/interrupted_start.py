"""A module that is interrupted while a worker process loads it, as by Ctrl-C at that moment."""

from __future__ import annotations

import signal
import sys

if "--multiprocessing-fork" in sys.orig_argv and sys.platform != "win32":  # where signals cannot be held
    signal.raise_signal(signal.SIGINT)


def start() -> None:
    """Nothing."""
