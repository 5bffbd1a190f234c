"""How far a run is: clips done, hours of audio a second, time left. A line that renews itself on a terminal, and
now and then a new line in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TextIO

from .worker import Tick

_TERMINAL_S, _LOG_S = 0.5, 60.0


class Progress:
    """Shows ticks.

    Args:
        total: clips of the data set.
        done: clips that an earlier run has done.
        stream: to write to; `None` shows nothing.
        clock: gives the time in seconds.
    """

    def __init__(
        self, total: int, done: int, stream: TextIO | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._total, self._before = total, done
        self._clips, self._seconds, self._broken = 0, 0.0, 0
        self._stream, self._clock = stream, clock
        self._start = self._shown = clock()
        self._terminal = stream is not None and stream.isatty()

    def add(self, tick: Tick) -> None:
        """Count, and show if it is time."""
        self._clips += tick.clips
        self._seconds += tick.seconds
        self._broken += tick.broken
        now = self._clock()
        if now - self._shown >= (_TERMINAL_S if self._terminal else _LOG_S):
            self._shown = now
            self._show("\r" if self._terminal else "", "" if self._terminal else "\n")

    def finish(self) -> None:
        """Show the last state."""
        self._show("\r" if self._terminal else "", "\n")

    @property
    def hours_per_second(self) -> float:
        """Hours of audio that were tokenized in each second of this run."""
        return self._seconds / 3600 / max(1e-9, self._clock() - self._start)

    def line(self) -> str:
        """What is shown."""
        done, passed = self._before + self._clips, self._clock() - self._start
        left = "?"
        if self._clips:
            left = duration(passed / self._clips * (self._total - done))
        speed = f"{self.hours_per_second:.4f} h of audio/s ({3600 * self.hours_per_second:.0f}x real time)"
        broken = f", {self._broken} broken" if self._broken else ""
        share = 100 * done / max(1, self._total)
        hours = f"{self._seconds / 3600:.2f} h of audio"
        return f"{share:3.0f}% {done}/{self._total} clips, {hours}, {speed}, {left} left{broken}"

    def _show(self, before: str, after: str) -> None:
        if self._stream is not None:
            print(before + self.line() + ("  " if before else ""), end=after, file=self._stream, flush=True)


def duration(seconds: float) -> str:
    """`1:02:03`."""
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def progress_stream(quiet: bool) -> TextIO | None:
    """Where progress is shown."""
    return None if quiet else sys.stderr
