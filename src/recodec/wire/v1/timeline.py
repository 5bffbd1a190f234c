"""Where packets belong in time: what comes next, what is missing, what comes again."""

from __future__ import annotations

from dataclasses import dataclass

from ...errors import CorruptError
from .header import Header
from .packets import End, Packet, end_of, next_start

_FREE_GAP_S = 600
_GAP_TICKS_PER_BYTE = 64


@dataclass(frozen=True)
class Lost:
    """Audio that is missing: from the tick `start` to below the tick `stop`.

    Without segments a tick is a frame. With segments, `start` is where the first missing segment begins.
    """

    start: int
    stop: int


class Timeline:
    """The positions of the packets of one stream, in the order in which they come.

    What is missing is bounded by what is there: 10 minutes, and 64 ticks for each byte received. A few
    bytes that claim a position years ahead would else make a player fill the years.

    Args:
        first: position of the first packet, in ticks; `None` to begin with whatever comes first.
    """

    def __init__(self, first: int | None) -> None:
        self._first = first
        self._last: Packet | None = None
        self._lost_ticks = 0

    def place(self, header: Header, item: Packet | End, received_bytes: int) -> Lost | None:
        """Note the next packet or the end; return what is missing before it.

        Raises:
            CorruptError: if it comes again or out of order, or lies too far ahead. It is not noted then.
        """
        expected = self._next(header, item)
        if expected is None:
            expected = item.start
        lost = None
        if item.start < expected:
            raise CorruptError(f"a packet at tick {item.start} comes after all up to tick {expected} have come")
        if item.start > expected:
            lost = Lost(self._missing_from(header, expected), item.start)
            if lost.stop - lost.start > self._allowance(header, received_bytes):
                raise CorruptError(f"a packet at tick {item.start} is too far ahead of tick {expected}")
            self._lost_ticks += lost.stop - lost.start
        if isinstance(item, Packet):
            self._last = item
        return lost

    def lost_at_the_end(self, header: Header, received_bytes: int) -> list[Lost]:
        """What is missing where a stream ends before its end, as far as the header's length tells."""
        reached = self._first if self._last is None else end_of(header, self._last)
        if header.num_samples is None or reached is None:
            return []
        total = -(-header.num_samples // header.tick)
        start = self._missing_from(header, reached)
        if total <= reached or total - start > self._allowance(header, received_bytes):
            return []
        return [Lost(start, total)]

    def _next(self, header: Header, item: Packet | End) -> int | None:
        if self._last is None:
            return self._first
        if isinstance(item, End) or item.restart:
            return end_of(header, self._last)
        return next_start(header, self._last)

    def _missing_from(self, header: Header, expected: int) -> int:
        return expected if self._last is None else min(expected, next_start(header, self._last))

    def _allowance(self, header: Header, received_bytes: int) -> int:
        free = _FREE_GAP_S * header.sampling_rate // header.tick
        return free + _GAP_TICKS_PER_BYTE * received_bytes - self._lost_ticks
