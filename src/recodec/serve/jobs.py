"""Work on a body as it comes, in a thread, with an answer that goes out as it is made."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import asynccontextmanager, suppress
from typing import IO, cast

import anyio
import anyio.from_thread
import anyio.to_thread
from starlette.types import Receive, Scope, Send

from .answers import RequestError, error_response, too_large
from .limits import Limits

Work = Callable[[IO[bytes]], Generator[bytes, None, None]]
"""Takes a pipe, and gives the bytes of the answer; both may wait, for it runs in a thread."""

_POLITE_BYTES, _POLITE_S = 1 << 20, 2.0  # of a refused body are still read, so that the client sees the answer
_log = logging.getLogger("recodec.serve")


class Turns:
    """Lets some jobs work at once and some more wait; the rest is refused."""

    def __init__(self, limits: Limits) -> None:
        self._jobs, self._waiting = limits.jobs, limits.waiting
        self._limiter: anyio.CapacityLimiter | None = None

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn.

        Raises:
            RequestError: if too many wait already.
        """
        if self._limiter is None:  # made here, because it belongs to the running loop
            self._limiter = anyio.CapacityLimiter(self._jobs)
        if self._limiter.available_tokens < 1 and self._limiter.statistics().tasks_waiting >= self._waiting:
            message = f"{self._jobs} requests are being coded and {self._waiting} wait: try again later"
            raise RequestError(429, "BusyError", message)
        async with self._limiter:
            yield


class _GoneError(Exception):
    """The client has gone."""


class BodyPipe:
    """The body of a request as a pipe, for a thread of `anyio.to_thread`.

    Args:
        receive: of the request.
        limits: of its size, and of the time without bytes.
    """

    def __init__(self, receive: Receive, limits: Limits) -> None:
        self._receive, self._limits = receive, limits
        self._held = b""
        self._count = 0
        self.ended = anyio.Event()

    def seekable(self) -> bool:
        """It is a pipe."""
        return False

    def read(self, size: int = -1) -> bytes:
        """Up to so many bytes, as they come; none at the end. All that follow for a negative size.

        Raises:
            RequestError: if there are too many, or none come for too long.
        """
        if size < 0:
            return b"".join(iter(lambda: self.read(1 << 16), b""))
        while not self._held and not self.ended.is_set():
            self._held = anyio.from_thread.run(self._more)
        part, self._held = self._held[:size], self._held[size:]
        return part

    async def drain(self) -> None:
        """Read a little of what still comes, and forget it."""
        most = self._count + _POLITE_BYTES
        with suppress(_GoneError, RequestError), anyio.move_on_after(_POLITE_S):
            while not self.ended.is_set() and self._count < most:
                await self._next()

    async def _more(self) -> bytes:
        data = await self._next()
        if self._count > self._limits.max_bytes:
            raise too_large(f"the body has more than {self._limits.max_bytes:,} bytes")
        return data

    async def _next(self) -> bytes:
        try:
            with anyio.fail_after(self._limits.stall_s):
                message = await self._receive()
        except TimeoutError:
            raise RequestError(408, "StalledError", f"no bytes came for {self._limits.stall_s:g} s") from None
        if message["type"] != "http.request":
            raise _GoneError
        if not message.get("more_body", False):
            self.ended.set()
        data = message.get("body", b"")
        self._count += len(data)
        return data


class _Answer:
    """Sends a response whose head goes out with its first bytes."""

    def __init__(self, send: Send, media_type: str, stall_s: float) -> None:
        self._send, self._type, self._stall_s = send, media_type, stall_s
        self.begun = False

    async def send(self, data: bytes, *, more: bool = True) -> None:
        """Send bytes.

        Raises:
            _GoneError: if the client does not take them for too long.
        """
        try:
            with anyio.fail_after(self._stall_s):
                if not self.begun:
                    self.begun = True
                    head = [(b"content-type", self._type.encode()), (b"cache-control", b"no-store")]
                    await self._send({"type": "http.response.start", "status": 200, "headers": head})
                await self._send({"type": "http.response.body", "body": data, "more_body": more})
        except (TimeoutError, OSError) as error:
            raise _GoneError from error


class StreamedJob:
    """Runs work on the body of a request; an application that starlette takes for a response.

    If the work fails before its first bytes, the answer is an error in JSON. If it fails later, the connection ends
    without the answer's end, so that nobody takes it for whole. If the client goes, the work is stopped.

    Args:
        work: runs in a thread, piece by piece.
        turns: whose turn it is.
        limits: of size and time.
        media_type: of the answer.
    """

    def __init__(self, work: Work, turns: Turns, limits: Limits, media_type: str) -> None:
        self._work, self._turns, self._limits, self._type = work, turns, limits, media_type

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        pipe = BodyPipe(receive, self._limits)
        answer = _Answer(send, self._type, self._limits.stall_s)
        try:
            _check_length(scope, self._limits)
            async with self._turns.turn():
                await self._run(pipe, receive, answer)
            await answer.send(b"", more=False)
        except _GoneError:
            _log.info("%s: the client has gone", scope["path"])
        except Exception as error:
            if answer.begun:
                _log.warning("%s: stopped within the answer: %s", scope["path"], error)
                return
            if error_response(error).status_code == 500:
                _log.exception("%s: failed", scope["path"])
            await pipe.drain()
            await error_response(error)(scope, receive, send)

    async def _run(self, pipe: BodyPipe, receive: Receive, answer: _Answer) -> None:
        """All the work, within its time.

        Raises:
            what the work raises; RequestError if the time is over; _GoneError if the client has gone.
        """
        failures: list[Exception] = []  # a group of tasks would wrap them
        limit_s = self._limits.max_job_s
        with anyio.move_on_after(limit_s) as time:
            async with anyio.create_task_group() as group:

                async def watch() -> None:
                    await pipe.ended.wait()  # until then, the pipe sees whether the client goes
                    while (await receive())["type"] != "http.disconnect":
                        pass
                    failures.append(_GoneError())
                    group.cancel_scope.cancel()

                group.start_soon(watch)
                try:
                    await self._send_all(pipe, answer)
                except Exception as error:
                    failures.append(error)
                group.cancel_scope.cancel()
        if time.cancel_called:
            raise RequestError(503, "OutOfTimeError", f"the request took more than {limit_s:g} s")
        if failures:
            raise failures[0]

    async def _send_all(self, pipe: BodyPipe, answer: _Answer) -> None:
        parts = self._work(cast(IO[bytes], pipe))
        try:
            while (part := await anyio.to_thread.run_sync(next, parts, None)) is not None:
                if part:
                    await answer.send(part)
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(parts.close)


def _check_length(scope: Scope, limits: Limits) -> None:
    """Refuse a body that says itself that it is too large, before its first byte."""
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit() and int(value) > limits.max_bytes:
            raise too_large(f"the body has more than {limits.max_bytes:,} bytes")
