"""Files that behave as pipes do."""

from __future__ import annotations

import io


class Pipe(io.BytesIO):
    """Gives a few bytes at a time, and cannot seek.

    Args:
        data: what comes out of it.
        most: bytes that one read gives at most.
    """

    def __init__(self, data: bytes, most: int = 1 << 20) -> None:
        super().__init__(data)
        self._most = most

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(self._most if size is None or size < 0 else min(size, self._most))

    def seekable(self) -> bool:
        return False

    def seek(self, offset: int, whence: int = 0, /) -> int:
        raise io.UnsupportedOperation("a pipe cannot seek")

    def tell(self) -> int:
        raise io.UnsupportedOperation("a pipe has no position")
