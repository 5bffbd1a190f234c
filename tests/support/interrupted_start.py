"""A module that is interrupted while a worker process loads it, as by Ctrl-C at that moment."""

from __future__ import annotations

import multiprocessing
import signal

if multiprocessing.parent_process() is not None:
    signal.raise_signal(signal.SIGINT)


def start() -> None:
    """Nothing."""
