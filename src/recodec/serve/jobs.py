"""Work on a body, in a thread, with an answer that goes out as it is made."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Awaitable, Callable, Generator, Iterator
from contextlib import contextmanager
from functools import partial
from typing import IO

import anyio
import anyio.to_thread
from starlette.types import Receive, Scope, Send

from .answers import RequestError, error_response
from .body import Body, GoneError
from .limits import Limits
from .turns import Turns

Work = Callable[[IO[bytes]], Generator[bytes, None, None]]
"""Takes a file or a pipe, and gives the bytes of the answer; both may wait, for it runs in a thread."""

_PIECE_BYTES = 1 << 16
_log = logging.getLogger("recodec.serve")


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
                    await self._give_all(body.open(turn), answer.send)

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
            await self._give_all(body, partial(anyio.to_thread.run_sync, held.write))
            held.seek(0)
            while part := await anyio.to_thread.run_sync(held.read, _PIECE_BYTES):
                await answer.send(part)

    async def _give_all(self, body: IO[bytes], take: Callable[[bytes], Awaitable[object]]) -> None:
        """Do the work, and give what it makes."""
        parts = self._work(body)
        try:
            while (part := await anyio.to_thread.run_sync(next, parts, None)) is not None:
                if part:
                    await take(part)
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(parts.close)
