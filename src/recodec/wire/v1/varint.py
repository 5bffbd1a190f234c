"""Unsigned integers in as few bytes as they need: seven bits a byte, the lowest first (LEB128)."""

from __future__ import annotations

from ...errors import CorruptError, TruncatedError

MAX_BYTES = 9
LIMIT = 1 << 7 * MAX_BYTES
"""Values are below this: 2^63."""


def encode(*values: int) -> bytes:
    """The values one after the other.

    Raises:
        ValueError: for a value below 0 or from 2^63 on.
    """
    out = bytearray()
    for value in values:
        if not 0 <= value < LIMIT:
            raise ValueError(f"a number in a stream must be from 0 to 2^63 - 1, got {value}")
        while value >= 0x80:
            out.append(value & 0x7F | 0x80)
            value >>= 7
        out.append(value)
    return bytes(out)


def decode(buffer: bytes | bytearray | memoryview, position: int) -> tuple[int, int]:
    """Read the value at a position, and say where the next one begins.

    Raises:
        TruncatedError: if the buffer ends within the value.
        CorruptError: if the value is 2^63 or more, or takes more bytes than it needs.
    """
    value = 0
    for count in range(MAX_BYTES):
        if position + count >= len(buffer):
            raise TruncatedError("the stream ends within a number")
        byte = buffer[position + count]
        value |= (byte & 0x7F) << 7 * count
        if byte < 0x80:
            if byte == 0 and count:
                raise CorruptError("a number takes more bytes than it needs")
            return value, position + count + 1
    raise CorruptError("a number is too large")
