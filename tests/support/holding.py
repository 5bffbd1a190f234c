"""A task for worker processes that ends only if it is interrupted."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from pathlib import Path


def hold(path: str) -> None:
    """Keep a file, with the number of this process in it, until the task is interrupted."""
    try:
        Path(path).write_text(str(os.getpid()))
        while True:  # without a limit, the wait could not be interrupted on Windows
            threading.Event().wait(0.05)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(path)
