"""Is a WAV as long as its header says? libsndfile plays one that was cut off as if it had been meant so."""

from __future__ import annotations

import os
import struct
from typing import IO

from ..errors import AudioError

_MAX_CHUNKS = 1000
_UNKNOWN = (0, 0x7FFFF000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
"""What writers into pipes put where the length belongs."""


def check_whole(file: IO[bytes], name: str) -> None:
    """Refuse a WAV (RIFF) whose samples end before its header says so. Other formats are left to their readers.

    Args:
        file: stands at its start, and is left there.
        name: what the error calls it.

    Raises:
        AudioError: if it was cut off.
    """
    head = file.read(12)
    if head[:4] == b"RIFF" and head[8:] == b"WAVE":
        end = file.seek(0, os.SEEK_END)
        place = 12
        for _ in range(_MAX_CHUNKS):
            file.seek(place)
            chunk = file.read(8)
            if len(chunk) < 8:
                break
            kind, size = struct.unpack("<4sI", chunk)
            if kind == b"data":
                present = end - place - 8
                if present < size and size not in _UNKNOWN:
                    raise AudioError(f"{name} ends after {present} of {size} bytes of samples")
                break
            place += 8 + size + size % 2
    file.seek(0)
