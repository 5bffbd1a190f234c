"""Finding a position without reading what lies before: the index, and hops from packet to packet."""

from __future__ import annotations

import bisect
import io
from typing import IO, NamedTuple

from ...errors import BitstreamError
from .header import MAX_HEADER_BYTES, Header, parse_header, repair_header
from .packets import MAX_END_BYTES, MAX_HEAD_BYTES, MAX_INDEX_ENTRIES, SYNC, End, parse_body, parse_head

FIRST_SPACING = 8
"""A new index has every eighth packet; the packets between are found in hops."""

_TRAILER_BYTES = 4


class IndexBuilder:
    """Collects an index of at most `MAX_INDEX_ENTRIES`, for a stream of any length.

    When it is full, every second entry goes, and from then on half as many packets come in.
    """

    def __init__(self) -> None:
        self._entries: list[tuple[int, int]] = []
        self._spacing = FIRST_SPACING
        self._count = 0

    def add(self, offset: int, start: int) -> None:
        """Note the next packet: its offset in bytes, and its position in ticks."""
        if self._count % self._spacing == 0 and self._count:
            self._entries.append((offset, start))
            if len(self._entries) > MAX_INDEX_ENTRIES:
                # The first packet has no entry, so every second one is a multiple of twice the spacing.
                self._entries = self._entries[1::2]
                self._spacing *= 2
        self._count += 1

    @property
    def entries(self) -> tuple[tuple[int, int], ...]:
        """What an `End` takes. The first packet is not among them: it stands after the header."""
        return tuple(self._entries)


def read_end(file: IO[bytes], header: Header) -> End | None:
    """The end of a file with its index, found from the back; `None` if it is missing or damaged.

    Args:
        file: seekable; where it stands afterwards is not defined.
        header: of the stream.
    """
    size = file.seek(0, io.SEEK_END)
    file.seek(max(0, size - _TRAILER_BYTES))
    end_size = int.from_bytes(file.read(_TRAILER_BYTES), "big")
    # Where the end is missing, the last four bytes can be any number: it is bounded before so much is read.
    if not _TRAILER_BYTES < end_size <= min(size - _TRAILER_BYTES, MAX_HEAD_BYTES + MAX_END_BYTES + 4):
        return None
    file.seek(size - _TRAILER_BYTES - end_size)
    found = file.read(end_size)
    try:
        head = parse_head(found, header)
        end = parse_body(found, header, head)
    except BitstreamError:
        return None
    if not isinstance(end, End) or head.size != end_size or (end.entries and end.entries[-1][0] >= size):
        return None
    return end


class Place(NamedTuple):
    """Where a packet begins: its offset in the file, and its position in ticks."""

    header: Header
    offset: int
    start: int


def seek(file: IO[bytes], sample: int) -> Place:
    """Move a file to the packet that holds a sample, or to the last one before it that can be found.

    Reads the header, the index, and the heads of a few packets. Without an index it hops over all
    packets from the first. Where a hop meets damage it stays before it: a tolerant
    `PacketReader(header=..., first=start, offset=offset)` goes on from there. A sample before the first
    packet gives the first.

    What a decoder needs before it gives exact samples is the caller's to know: ask for an earlier one.

    Args:
        file: seekable, of any quality.
        sample: wanted, in samples per channel from the start of the stream.

    Raises:
        BitstreamError: if the file does not begin with a header, or one of which a single bit is wrong.
    """
    file.seek(0)
    header, offset = _read_header(file)
    tick = sample // header.tick
    end = read_end(file, header)
    start = start_at(file, header, offset)
    if end is not None:
        # An index is as little to be trusted as all else: an entry counts if its packet stands there.
        best = bisect.bisect_right([entry_start for _, entry_start in end.entries], tick) - 1
        if best >= 0 and start_at(file, header, end.entries[best][0]) == end.entries[best][1]:
            offset, start = end.entries[best]
    if start is not None:
        offset, start = _hop(file, header, offset, start, tick)
    file.seek(offset)
    # If the first packet is damaged, its start is unknown, and a stream begins at 0.
    return Place(header, offset, start or 0)


def _read_header(file: IO[bytes]) -> tuple[Header, int]:
    front = file.read(MAX_HEADER_BYTES)
    try:
        return parse_header(front)
    except BitstreamError:
        repaired = repair_header(front)
        if repaired is None:
            raise
        return repaired


def _hop(file: IO[bytes], header: Header, offset: int, start: int, tick: int) -> tuple[int, int]:
    """From a good head on to the last one at or before a tick."""
    while True:
        file.seek(offset)
        following = offset + parse_head(file.read(MAX_HEAD_BYTES), header).size
        next_start = start_at(file, header, following)
        # Only the head is read here, and not the packet's checksum: a start that does not rise is a sign of damage.
        if next_start is None or not start < next_start <= tick:
            return offset, start
        offset, start = following, next_start


def start_at(file: IO[bytes], header: Header, offset: int) -> int | None:
    """Position of the packet at an offset; `None` if none begins there, or the end does."""
    file.seek(offset)
    front = file.read(MAX_HEAD_BYTES)
    if not front.startswith(SYNC):
        return None
    try:
        head = parse_head(front, header)
    except BitstreamError:
        return None
    return head.start if head.frames else None
