"""Ogg files of several links: recordings that were put one after the other, as internet radio does (RFC 3533)."""

from __future__ import annotations

import io
import os
from typing import IO, NamedTuple

_CAPTURE = b"OggS"
_HEAD_BYTES = 27
_BEGIN, _END = 2, 4
# Each link gets a decoder, and all of them are opened at once, so there must be a limit.
_MAX_LINKS = 1000


class Window(io.RawIOBase):
    """Some bytes of a file, as a file.

    Args:
        file: that can seek.
        start, stop: of the bytes.
    """

    def __init__(self, file: IO[bytes], start: int, stop: int) -> None:
        self._file, self._start, self._stop, self._place = file, start, stop, start

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place - self._start

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: self._start, os.SEEK_CUR: self._place, os.SEEK_END: self._stop}[whence]
        if base + offset < self._start:
            raise ValueError("there is nothing before the start")
        self._place = base + offset
        return self.tell()

    def read(self, size: int = -1) -> bytes:
        left = max(0, self._stop - self._place)
        self._file.seek(self._place)
        data = self._file.read(left if size is None or size < 0 else min(size, left))
        self._place += len(data)
        return data


class OggPages(NamedTuple):
    """What the pages of an Ogg file show.

    Attributes:
        links: where each begins and ends, in bytes; one for a usual file, none for other files.
        is_cut: whether the file ends within a page.
    """

    links: list[tuple[int, int]]
    is_cut: bool


def ogg_pages(file: IO[bytes]) -> OggPages:
    """Look through the pages of a file that can seek."""
    end = file.seek(0, os.SEEK_END)
    starts: list[int] = []
    place, beginning = 0, False
    while place < end and len(starts) < _MAX_LINKS:
        file.seek(place)
        head = file.read(_HEAD_BYTES)
        if not head.startswith(_CAPTURE[: len(head)]):
            place = end
            break  # damaged: what follows belongs to the link before it
        if len(head) < _HEAD_BYTES:
            place = end + 1
            break
        lengths = file.read(head[26])
        if head[5] & _BEGIN and not beginning:  # the first pages of all streams of a link stand together
            starts.append(place)
        beginning = bool(head[5] & _BEGIN)
        place += _HEAD_BYTES + len(lengths) + sum(lengths)
    links = list(zip(starts, [*starts[1:], end][: len(starts)], strict=True))  # none, if no page begins a stream
    return OggPages(links, place > end)
