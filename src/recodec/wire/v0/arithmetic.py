"""The arithmetic coder of Meta's tool, bit for bit: for version 0 of `.ecdc` only.

An interval of integers [low, high] is narrowed to the share of each symbol, and widened by one bit at a time to at
least 2^24 numbers; leading bits on which both ends agree are final. Bits fill bytes from the lowest one up. The
shares come from rounded probabilities, so both sides need the very same: see `docs/exact-entropy.md` for what that
means, and `range_coder.py` for the coder of version 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ...errors import CorruptError

TOTAL_BITS = 24
_TOTAL = 1 << TOTAL_BITS


class _Interval:
    """The integers from `low` to `high`, of `bits` bits."""

    def __init__(self) -> None:
        self.low, self.high, self.bits = 0, 0, 0

    @property
    def scale(self) -> float:
        """Numbers in the interval, in units of 2^24."""
        return (self.high - self.low + 1) / _TOTAL

    def is_narrow(self) -> bool:
        """Whether it must be widened before the next symbol."""
        return self.high - self.low + 1 < _TOTAL

    def widen(self) -> None:
        """Add a bit."""
        self.low, self.high, self.bits = 2 * self.low, 2 * self.high + 1, self.bits + 1

    def part(self, start: int, stop: int) -> tuple[int, int]:
        """First and last number of the share from `start` to below `stop` of 2^24, rounded as Meta's tool does."""
        # In floating point, as Meta's tool does it: where the two round differently, all codes that follow are wrong.
        return self.low + math.ceil(start * self.scale), self.low + math.floor((stop - 1) * self.scale)

    def drop(self) -> int | None:
        """Take off the leading bit if both ends agree on it."""
        if self.bits == 0 or (self.low ^ self.high) >> (self.bits - 1):
            return None
        self.bits -= 1
        bit = self.low >> self.bits
        self.low -= bit << self.bits
        self.high -= bit << self.bits
        return bit


class ArithmeticEncoder:
    """Codes to bytes. A table is the N upper ends of the codes' shares, rising, the last one at most 2^24."""

    def __init__(self) -> None:
        self._interval = _Interval()
        self._out = bytearray()
        self._byte, self._count = 0, 0

    def push(self, code: int, table: np.ndarray) -> None:
        """Append a code of a share that is not empty."""
        interval = self._interval
        while interval.is_narrow():
            interval.widen()
        start = int(table[code - 1]) if code else 0
        interval.low, interval.high = interval.part(start, int(table[code]))
        while (bit := interval.drop()) is not None:
            self._push_bit(bit)

    def take(self) -> bytes:
        """The bytes that are complete since the last call."""
        out, self._out = bytes(self._out), bytearray()
        return out

    def finish(self) -> bytes:
        """The rest; no more may come."""
        interval = self._interval
        # Any number of the interval would do. Meta's tool writes the low end, with all of its bits.
        for position in reversed(range(interval.bits)):
            self._push_bit(interval.low >> position & 1)
        if self._count:
            self._out.append(self._byte)
        return self.take()

    def _push_bit(self, bit: int) -> None:
        self._byte |= bit << self._count
        self._count += 1
        if self._count == 8:
            self._out.append(self._byte)
            self._byte, self._count = 0, 0


class ArithmeticDecoder:
    """Bytes to codes.

    Args:
        read_byte: gives the next byte, or raises. It is called for what the encoder wrote, and no further.
    """

    def __init__(self, read_byte: Callable[[], int]) -> None:
        self._read_byte = read_byte
        self._interval = _Interval()
        self._value = 0
        self._byte, self._left = 0, 0

    def pull(self, table: np.ndarray) -> int:
        """The next code.

        Raises:
            CorruptError: if the bits fall between two shares.
        """
        interval = self._interval
        while interval.is_narrow():
            interval.widen()
            self._value = 2 * self._value + self._pull_bit()
        below, above = 0, len(table) - 1
        while below <= above:
            code = (below + above) // 2
            first, last = interval.part(int(table[code - 1]) if code else 0, int(table[code]))
            if self._value < first:
                above = code - 1
            elif self._value > last:
                below = code + 1
            else:
                interval.low, interval.high = first, last
                while (bit := interval.drop()) is not None:
                    # The value lies between the two ends, so its leading bit is theirs.
                    self._value -= bit << interval.bits
                return code
        raise CorruptError("the bits belong to no code: the file is damaged, or its language model is another")

    def _pull_bit(self) -> int:
        if self._left == 0:
            self._byte, self._left = self._read_byte(), 8
        bit = self._byte & 1
        self._byte >>= 1
        self._left -= 1
        return bit
