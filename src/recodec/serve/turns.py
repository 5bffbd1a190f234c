"""Whose turn it is to be coded: some jobs at once, some more wait, and the rest is refused."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import anyio

from ..text import counted
from .answers import RequestError
from .limits import Limits


class Turns:
    """Lets some jobs work at once and some more wait; the rest is refused. All of them can be stopped."""

    def __init__(self, limits: Limits) -> None:
        self._jobs, self._waiting = limits.jobs, limits.waiting
        self._requests = limits.requests
        self._stops: set[Callable[[], None]] = set()
        self._limiter: anyio.CapacityLimiter | None = None

    @contextmanager
    def place(self, stop: Callable[[], None]) -> Iterator[None]:
        """Be among the requests that are here, most of which may still be on their way.

        Args:
            stop: stops this job.

        Raises:
            RequestError: if there are too many already.
        """
        if len(self._stops) >= self._requests:
            here = counted(self._requests, "request is", "requests are")
            raise RequestError(429, "BusyError", f"{here} here already: try again later")
        self._stops.add(stop)
        try:
            yield
        finally:
            self._stops.remove(stop)

    def stop(self) -> None:
        """Stop all jobs."""
        for stop in list(self._stops):
            stop()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[Turn]:
        """Wait for a turn.

        Raises:
            RequestError: if too many wait already.
        """
        if self._limiter is None:  # made here, because it belongs to the running loop
            self._limiter = anyio.CapacityLimiter(self._jobs)
        if self._limiter.available_tokens < 1 and self._limiter.statistics().tasks_waiting >= self._waiting:
            coded = counted(self._jobs, "request is", "requests are")
            waiting = counted(self._waiting, "waits", "wait")
            message = f"{coded} being coded and {waiting}: try again later"
            raise RequestError(429, "BusyError", message)
        turn = Turn(self._limiter)
        await turn.take()
        try:
            yield turn
        finally:
            turn.give_back()


class Turn:
    """A job's turn, which it gives to others while it waits for bytes."""

    def __init__(self, limiter: anyio.CapacityLimiter) -> None:
        self._limiter, self._taken = limiter, False

    async def take(self) -> None:
        """Wait for it."""
        await self._limiter.acquire_on_behalf_of(self)
        self._taken = True

    def give_back(self) -> None:
        """Let others have it."""
        if self._taken:
            self._taken = False
            self._limiter.release_on_behalf_of(self)
