"""Integers of a fixed width, packed without gaps, the lowest bit first."""

from __future__ import annotations

import numpy as np

MAX_WIDTH = 32


def packed_bytes(count: int, width: int) -> int:
    """Bytes that `count` values of `width` bits take."""
    return -(-count * width // 8)


def pack(values: np.ndarray, width: int) -> bytes:
    """Pack (M,) integers of 0 to `2**width - 1`; the last byte is filled up with zeros.

    Raises:
        ValueError: for a value that the width does not hold, or a width outside 1 to 32.
    """
    _check_width(width)
    values = np.ascontiguousarray(values)
    if values.size and (int(values.min()) < 0 or int(values.max()) >> width):
        raise ValueError(f"values must be from 0 to {(1 << width) - 1}, got {values.min()} to {values.max()}")
    as_bytes = values.astype("<u4").reshape(-1, 1).view(np.uint8)
    bits = np.unpackbits(as_bytes, axis=1, count=width, bitorder="little")
    return np.packbits(bits, bitorder="little").tobytes()


def unpack(packed: bytes, count: int, width: int) -> np.ndarray:
    """The first `count` values of `width` bits, as (count,) int64.

    Raises:
        ValueError: if `packed` is too short for them, or for a width outside 1 to 32.
    """
    _check_width(width)
    if len(packed) < packed_bytes(count, width):
        raise ValueError(f"{count} values of {width} bits need {packed_bytes(count, width)} bytes, got {len(packed)}")
    bits = np.unpackbits(np.frombuffer(packed, np.uint8), count=count * width, bitorder="little")
    as_bytes = np.packbits(bits.reshape(count, width), axis=1, bitorder="little")
    whole = np.zeros((count, 4), np.uint8)
    whole[:, : as_bytes.shape[1]] = as_bytes
    return whole.view("<u4").reshape(count).astype(np.int64)


def _check_width(width: int) -> None:
    if not 1 <= width <= MAX_WIDTH:
        raise ValueError(f"width must be from 1 to {MAX_WIDTH} bits, got {width}")
