"""Is a file as long as its header says? libsndfile plays one that was cut off as if it had been meant so."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from typing import IO

_MAX_CHUNKS = 10_000
_UNKNOWN = frozenset({0, 0xFFFFFFFF, 2**63 - 1, 2**64 - 1})
_MPEG_TAGS = (0x50, 0x55)  # of MPEG audio, and of its third layer
_W64_DATA = b"data\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a"


def missing_share(file: IO[bytes]) -> float:
    """The share of a file's samples that is missing, by its header: from 0 (all are there) to 1.

    It knows WAV, RF64, BW64, AIFF, AIFC, AU, CAF and Wave64; of MP3s, `survey_mpeg` knows it. Other formats notice a
    missing end when they are decoded, or do not know their length; for them it is 0.

    Args:
        file: that can seek; it stands at its start, before and after.
    """
    front = file.read(16)
    end = file.seek(0, os.SEEK_END)
    share = 0.0
    for start, size in _samples_chunk(file, front, end):
        if size not in _UNKNOWN and size < 1 << 62 and start + size > end:
            share = 1 - max(0, end - start) / size
    file.seek(0)
    return share


def start_of_mpeg(file: IO[bytes]) -> int:
    """Where MPEG audio would begin in a file: in a WAV of it at the samples, else at the start.

    Args:
        file: that can seek; it stands at its start, before and after.
    """
    front = file.read(16)
    end = file.seek(0, os.SEEK_END)
    start = 0
    if front[:4] == b"RIFF" and front[8:12] == b"WAVE":
        for place, size in _chunks(file, 12, end, "<4sI", b"fmt ", even=True):
            file.seek(place)
            if size >= 2 and int.from_bytes(file.read(2), "little") in _MPEG_TAGS:
                start = next((at for at, _ in _wav(file, end, "<")), 0)
    file.seek(0)
    return start


def _samples_chunk(file: IO[bytes], front: bytes, end: int) -> Iterator[tuple[int, int]]:
    """Where the samples begin, and their size in bytes by the header."""
    magic, kind = front[:4], front[8:12]
    if magic in (b"RIFF", b"RIFX", b"RF64", b"BW64") and kind == b"WAVE":
        yield from _wav(file, end, ">" if magic == b"RIFX" else "<")
    elif magic == b"FORM" and kind in (b"AIFF", b"AIFC"):
        yield from _after(8, _chunks(file, 12, end, ">4sI", b"SSND", even=True))
    elif magic == b".snd" and len(front) >= 12:
        start, size = struct.unpack_from(">II", front, 4)
        yield start, size
    elif magic == b"caff":
        yield from _after(4, _chunks(file, 8, end, ">4sQ", b"data", even=False))
    elif magic == b"riff":
        yield from _chunks(file, 40, end, "<16sQ", _W64_DATA, even=False, counts_itself=True)


def _after(front: int, chunks: Iterator[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The samples of chunks that begin with so many bytes of something else."""
    for start, size in chunks:
        yield start + front, size if size in _UNKNOWN else max(0, size - front)


def _wav(file: IO[bytes], end: int, order: str) -> Iterator[tuple[int, int]]:
    wide = next(_chunks(file, 12, end, order + "4sI", b"ds64", even=True), None)
    for start, size in _chunks(file, 12, end, order + "4sI", b"data", even=True):
        if size >= 0x7FFF0000:  # what writers put there that cannot go back, or a sign to look into ds64
            size = 0
            if wide is not None:
                file.seek(wide[0] + 8)
                size = int.from_bytes(file.read(8), "little")
        yield start, size
        return


def _chunks(
    file: IO[bytes], place: int, end: int, form: str, wanted: bytes, *, even: bool, counts_itself: bool = False
) -> Iterator[tuple[int, int]]:
    """Contents of the first chunk of a kind: (start, size)."""
    head = struct.calcsize(form)
    for _ in range(_MAX_CHUNKS):
        if place + head > end:
            return
        file.seek(place)
        kind, size = struct.unpack(form, file.read(head))
        size = max(0, size - head) if counts_itself else size
        if kind == wanted:
            yield place + head, size
            return
        place += head + size + (size % 2 if even else -size % 8 if counts_itself else 0)
