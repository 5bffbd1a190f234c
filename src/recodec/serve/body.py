"""Bodies of requests: kept in a file without a name as they come, and read from there by threads."""

from __future__ import annotations

import tempfile
import threading
from contextlib import suppress
from typing import IO, cast

import anyio
import anyio.from_thread
from starlette.types import Receive, Scope

from .answers import RequestError, too_large
from .limits import Limits
from .turns import Turn

_POLITE_BYTES, _POLITE_S = 1 << 20, 2.0  # of a refused body are still read, so that the client sees the answer


class GoneError(Exception):
    """The client has gone."""


class Body:
    """The body of a request; a context manager.

    Args:
        scope: of the request.
        receive: of the request.
        limits: of its size, and of the time without bytes.

    Attributes:
        sized: whether the request says how long it is: then it is a file that the client has, and not a live stream.
        ended: set when all of it is here.
    """

    def __init__(self, scope: Scope, receive: Receive, limits: Limits) -> None:
        self._receive, self._limits = receive, limits
        self._claimed = _claimed_length(scope)
        self.sized = self._claimed is not None
        self.ended = anyio.Event()
        self._file = tempfile.TemporaryFile()  # noqa: SIM115
        self._lock = threading.Lock()
        self._count = 0
        self._more = anyio.Event()
        self._failure: Exception | None = None
        self._turn: Turn | None = None

    def check_length(self) -> None:
        """Refuse a body that says itself that it is too large, before its first byte.

        Raises:
            RequestError: if it does.
        """
        if self._claimed is not None and self._claimed > self._limits.max_bytes:
            raise self._too_large()

    async def keep(self) -> None:
        """Take what comes, until the client goes: this ends by an error or by being cancelled.

        Raises:
            GoneError: if the client has gone.
            RequestError: if there is too much, or nothing comes for too long.
        """
        try:
            while not self.ended.is_set():
                await self._take()
            while (await self._receive())["type"] != "http.disconnect":
                pass
            raise GoneError
        except Exception as error:
            self._failure = error
            raise
        finally:
            self._more.set()

    def open(self, turn: Turn) -> IO[bytes]:
        """The body for a thread of `anyio.to_thread`: a file if all of it is here, else a pipe.

        Args:
            turn: of the job, which is given back while a read waits for bytes.

        Reading raises what `keep` raised; or the cancellation of the task that started the thread, which so ends in
        the middle of a step.
        """
        self._turn = turn
        return cast(IO[bytes], _Pipe(self) if not self.ended.is_set() else _File(self._file))

    def read(self, position: int, size: int) -> bytes:
        """For a thread: up to so many bytes from a position on, as they come; none at the end. Errors as `open`."""
        while True:
            anyio.from_thread.check_cancelled()
            ended = self.ended.is_set()  # asked first: what comes between the read and the question would be left out
            with self._lock:
                self._file.seek(position)
                data = self._file.read(size)
            if data or ended:
                return data
            anyio.from_thread.run(self._wait, position)

    async def drain(self) -> None:
        """Read a little of what still comes, and forget it."""
        most = self._count + _POLITE_BYTES
        with suppress(GoneError, RequestError), anyio.move_on_after(_POLITE_S):
            is_last = self.ended.is_set()
            while not is_last and self._count < most:
                _, is_last = await self._next()

    def __enter__(self) -> Body:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    async def _wait(self, position: int) -> None:
        """Wait for bytes after a position, or for the end; others have the turn meanwhile."""
        if self._turn is not None:
            self._turn.give_back()
        while self._failure is None and self._count <= position and not self.ended.is_set():
            self._more = anyio.Event()
            await self._more.wait()
        if self._turn is not None:
            await self._turn.take()
        if self._failure is not None:
            raise self._failure

    async def _take(self) -> None:
        data, is_last = await self._next()
        if self._count > self._limits.max_bytes:
            raise self._too_large()
        with self._lock:
            self._file.seek(0, 2)
            self._file.write(data)
        if is_last:  # said after the write, because a thread that reads takes what is there for all
            self.ended.set()
        self._more.set()

    async def _next(self) -> tuple[bytes, bool]:
        """The next bytes, and whether they are the last."""
        try:
            with anyio.fail_after(self._limits.stall_s):
                message = await self._receive()
        except TimeoutError:
            raise RequestError(408, "StalledError", f"no bytes came for {self._limits.stall_s:g} s") from None
        if message["type"] != "http.request":
            raise GoneError
        data = message.get("body", b"")
        self._count += len(data)
        return data, not message.get("more_body", False)

    def _too_large(self) -> RequestError:
        return too_large(f"the body has more than {self._limits.max_bytes:,} bytes")


class _Pipe:
    """A body that still comes."""

    def __init__(self, body: Body) -> None:
        self._body, self._position = body, 0

    def seekable(self) -> bool:
        return False

    def read(self, size: int = -1) -> bytes:
        if size < 0:
            return b"".join(iter(lambda: self.read(1 << 16), b""))
        data = self._body.read(self._position, size)
        self._position += len(data)
        return data


class _File:
    """A body that is here."""

    def __init__(self, file: IO[bytes]) -> None:
        file.seek(0)
        self._file = file
        self.seek, self.tell = file.seek, file.tell

    def seekable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        anyio.from_thread.check_cancelled()
        return self._file.read(size)


def _claimed_length(scope: Scope) -> int | None:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return None
