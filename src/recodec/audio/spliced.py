"""Parts of files, as files: what a decoder is to see of a file, and nothing else."""

from __future__ import annotations

import io
import os
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import IO

Part = bytes | tuple[int, int]
"""Bytes, or where some bytes of a file begin and end."""


class Spliced(io.RawIOBase):
    """Parts of a file and other bytes, one after the other, as a file that can seek.

    Args:
        file: that can seek. It is only read.
        parts: in their order.
        closes: close the file with this one.
    """

    def __init__(self, file: IO[bytes], parts: Sequence[Part], *, closes: bool = False) -> None:
        self._file, self._closes = file, closes
        self._parts = [part for part in parts if _size(part)]
        self._ends = list(accumulate(map(_size, self._parts)))
        self._place = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._end}[whence]
        if base + offset < 0:
            raise ValueError("there is nothing before the start")
        self._place = base + offset
        return self._place

    def read(self, size: int = -1) -> bytes:
        left = max(0, self._end - self._place)
        left = left if size is None or size < 0 else min(size, left)
        found: list[bytes] = []
        number = bisect_right(self._ends, self._place)
        while left:
            part, end = self._parts[number], self._ends[number]
            data = self._read_part(part, self._place - (end - _size(part)), min(left, end - self._place))
            if not data:  # the file has become shorter
                break
            found.append(data)
            left -= len(data)
            self._place += len(data)
            number += self._place == end
        return b"".join(found)

    def close(self) -> None:
        if self._closes:
            self._file.close()
        super().close()

    @property
    def _end(self) -> int:
        return self._ends[-1] if self._ends else 0

    def _read_part(self, part: Part, start: int, count: int) -> bytes:
        if isinstance(part, bytes):
            return part[start : start + count]
        self._file.seek(part[0] + start)
        return self._file.read(count)


def _size(part: Part) -> int:
    return len(part) if isinstance(part, bytes) else part[1] - part[0]
