"""Pipes: files that cannot go back, and give what is there rather than what was asked for."""

from __future__ import annotations

from typing import IO


class Unread:
    """A pipe of which some bytes were read already; they are read again, first.

    Args:
        front: those bytes.
        file: the rest.
    """

    def __init__(self, front: bytes, file: IO[bytes]) -> None:
        self._front, self._file = front, file

    def seekable(self) -> bool:
        return False

    def read(self, size: int = -1) -> bytes:
        if self._front:
            count = len(self._front) if size < 0 else size
            data, self._front = self._front[:count], self._front[count:]
            return data
        return self._file.read(size)


def read_up_to(file: IO[bytes], size: int) -> bytes:
    """`size` bytes, or fewer where the file ends before."""
    parts, missing = [], size
    while missing and (part := file.read(missing)):
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)
