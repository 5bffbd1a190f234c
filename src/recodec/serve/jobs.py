"""Work on a body, in a thread, with an answer that goes out as it is made."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import IO

import anyio
import anyio.to_thread
from starlette.types import Receive, Scope, Send

from .answers import RequestError, error_response
from .body import Body, GoneError
from .limits import Limits

Work = Callable[[IO[bytes]], Generator[bytes, None, None]]
"""Takes a file or a pipe, and gives the bytes of the answer; both may wait, for it runs in a thread."""

_PIECE_BYTES = 1 << 16
_log = logging.getLogger("recodec.serve")


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
            raise RequestError(429, "BusyError", f"{self._requests} requests are here already: try again later")
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
            message = f"{self._jobs} requests are being coded and {self._waiting} wait: try again later"
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


class _Answer:
    """Sends a response whose head goes out with its first bytes."""

    def __init__(self, send: Send, media_type: str, stall_s: float) -> None:
        self._send, self._type, self._stall_s = send, media_type, stall_s
        self.begun = False

    async def send(self, data: bytes, *, more: bool = True) -> None:
        """Send bytes.

        Raises:
            GoneError: if the client does not take them for too long.
        """
        try:
            with anyio.fail_after(self._stall_s):
                if not self.begun:
                    self.begun = True
                    head = [(b"content-type", self._type.encode()), (b"cache-control", b"no-store")]
                    await self._send({"type": "http.response.start", "status": 200, "headers": head})
                await self._send({"type": "http.response.body", "body": data, "more_body": more})
        except (TimeoutError, OSError) as error:
            raise GoneError from error


class StreamedJob:
    """Runs work on the body of a request; an application that starlette takes for a response.

    A body whose length the request says is taken whole before its turn comes. Of other bodies, live streams, the work
    reads what has come, and while it waits for more, others have their turn.

    If the work fails before its first bytes, the answer is an error in JSON. If it fails later, the connection ends
    without the answer's end, so that nobody takes it for whole. If the client goes, the work is stopped.

    Args:
        work: runs in a thread, piece by piece.
        turns: whose turn it is.
        limits: of size and time.
        media_type: of the answer.
        hold: keep the answer to a body that is here until the work is done, because it may fail at the end of the body.
    """

    def __init__(self, work: Work, turns: Turns, limits: Limits, media_type: str, *, hold: bool = False) -> None:
        self._work, self._turns, self._limits, self._type, self._hold = work, turns, limits, media_type, hold

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = _Answer(send, self._type, self._limits.stall_s)
        with Body(scope, receive, self._limits) as body:
            try:
                body.check_length()
                await self._watched(body, answer)
                await answer.send(b"", more=False)
            except GoneError:
                _log.info("%s: the client has gone", scope["path"])
            except Exception as error:
                if answer.begun:
                    _log.warning("%s: stopped within the answer: %s", scope["path"], error)
                    return
                if error_response(error).status_code == 500:
                    _log.exception("%s: failed", scope["path"])
                await body.drain()
                await error_response(error)(scope, receive, send)

    async def _watched(self, body: Body, answer: _Answer) -> None:
        """All that is to be done, while the body comes and as long as the client is there.

        Raises:
            what the work raises; GoneError; RequestError as `Body.keep`, or if there are too many jobs, the time is
                over, or the server stops.
        """
        failures: list[Exception] = []  # a group of tasks would wrap them
        async with anyio.create_task_group() as group:

            def fail(error: Exception) -> None:
                failures.append(error)
                group.cancel_scope.cancel()

            async def keep() -> None:
                try:
                    await body.keep()
                except Exception as error:
                    fail(error)

            group.start_soon(keep)
            try:
                with self._turns.place(lambda: fail(RequestError(503, "StoppedError", "the server is being stopped"))):
                    await self._do(body, answer)
            except Exception as error:
                failures.append(error)
            group.cancel_scope.cancel()
        if failures:
            raise failures[0]

    async def _do(self, body: Body, answer: _Answer) -> None:
        if body.sized:
            with self._in_time():
                await body.ended.wait()
        async with self._turns.turn() as turn:
            with self._in_time():
                if self._hold and body.sized:
                    await self._send_when_done(body.open(turn), answer)
                else:
                    await self._send_all(body.open(turn), answer)

    @contextmanager
    def _in_time(self) -> Iterator[None]:
        """For so long as a job may take.

        Raises:
            RequestError: if the time is over.
        """
        limit_s = self._limits.max_job_s
        with anyio.move_on_after(limit_s) as scope:
            yield
        if scope.cancelled_caught:
            raise RequestError(503, "OutOfTimeError", f"the request took more than {limit_s:g} s")

    async def _send_when_done(self, body: IO[bytes], answer: _Answer) -> None:
        with tempfile.TemporaryFile() as held:
            async for part in self._parts(body):
                await anyio.to_thread.run_sync(held.write, part)
            held.seek(0)
            while part := await anyio.to_thread.run_sync(held.read, _PIECE_BYTES):
                await answer.send(part)

    async def _send_all(self, body: IO[bytes], answer: _Answer) -> None:
        async for part in self._parts(body):
            await answer.send(part)

    async def _parts(self, body: IO[bytes]) -> AsyncIterator[bytes]:
        """What the work gives, where that is more than nothing."""
        parts = self._work(body)
        try:
            while (part := await anyio.to_thread.run_sync(next, parts, None)) is not None:
                if part:
                    yield part
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(parts.close)
