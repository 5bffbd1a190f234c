"""How a command gives memory back to the system."""

from __future__ import annotations

import ctypes
import sys

_MMAP_THRESHOLD = -3  # of mallopt
_THRESHOLD_BYTES = 1 << 19


def return_freed_arrays() -> None:
    """Let arrays of half a megabyte and more go back to the system when they are freed, where the C library is glibc.

    Otherwise it keeps them: once weights of 15 MB were freed, up to 60 MB stay with the process, so that the memory of
    a command depends on the order of its arrays. It costs the pages of each new array: `decompress` takes
    up to a tenth longer.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, _THRESHOLD_BYTES)
