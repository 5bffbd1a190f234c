"""Reading a stream as its bytes come, in pieces of any size, damaged or whole."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from ...errors import BitstreamError, CorruptError, TruncatedError, UnsupportedError
from .header import MAGIC, MAX_HEADER_BYTES, VERSION, Header, parse_header, repair_header
from .packets import SYNC, End, Packet, parse_body, parse_head
from .timeline import Lost, Timeline

MAX_DAMAGES = 1000
"""Places of damage that are remembered; more are only counted."""

_HEADER_FRONT = MAGIC + bytes([VERSION])
# After damage a search stops where one of these begins: a packet, or a repeated header (docs/bitstream.md, Readers).
_FRONTS = re.compile(b"|".join(re.escape(front) for front in (SYNC, _HEADER_FRONT)))
_PIECE_BYTES = 1 << 16
# How much false packets may cost before a reader gives up (docs/bitstream.md, Readers).
_FREE_EFFORT_BYTES = 1 << 24
_EFFORT_PER_BYTE = 256


@dataclass(frozen=True)
class Damage:
    """A place where the stream is not good.

    Attributes:
        offset: of its first byte in the stream.
        size: bytes that were skipped; 0 where bytes are missing, or could be repaired.
        reason: what was wrong.
    """

    offset: int
    size: int
    reason: str


Event = Packet | Lost | End


class PacketReader:
    """Takes bytes and gives packets in order, and what is missing between them.

    A strict reader gives what comes before the first fault, and then raises it. A tolerant one goes on
    with the next good packet and notes the fault in `damages`; it raises only where there is no header, or
    where the bytes are made to keep it busy. What comes out does not depend on how the bytes are cut into
    pieces. A reader holds no more than one packet and the piece that it was fed last. After an error it
    only raises it again.

    Args:
        tolerant: whether to go on after damage.
        header: of the stream, where the bytes begin at a packet (after seeking); else it is read.
        first: position of the first packet, in ticks; `None` to join a stream wherever it is.
        offset: of the first byte in the stream.

    Attributes:
        header: of the stream, as soon as it is known.
        end: of the stream, as soon as it is known.
        damages: the first `MAX_DAMAGES` places of damage, in order.
        num_damages: how many there were.
        good_bytes: of headers, packets and end that were read.
    """

    def __init__(
        self, *, tolerant: bool = False, header: Header | None = None, first: int | None = 0, offset: int = 0
    ) -> None:
        self.header = header
        self.end: End | None = None
        self.damages: list[Damage] = []
        self.num_damages = 0
        self.good_bytes = 0
        self._tolerant = tolerant
        self._timeline = Timeline(first)
        self._buffer = bytearray()
        self._offset = offset
        self._bad: tuple[int, BitstreamError] | None = None  # where the bytes held ceased to be good, and why
        self._trailer = b""
        self._begin = offset
        self._effort = 0
        self._hopeless = False
        self._error: BitstreamError | None = None
        self._closing = False

    def feed(self, data: bytes | bytearray | memoryview) -> list[Event]:
        """Take the next bytes, any number of them, and return what has become complete.

        Raises:
            BitstreamError: see the class.
        """
        self._buffer += data
        return self._drain()

    def close(self) -> list[Event]:
        """There are no more bytes; return what is left.

        Raises:
            TruncatedError: from a strict reader, if the end is missing.
            BitstreamError: see the class.
        """
        self._closing = True
        events = self._drain()
        if self._error is not None:
            raise self._error
        if self.header is None:
            if self._bad is not None and self._bad[0] == self._begin and isinstance(self._bad[1], TruncatedError):
                raise self._bad[1]  # a header that was cut off
            raise CorruptError(f"there is no .ecdc header in these {self._offset - self._begin} bytes")
        complete = self.end is not None and not self._trailer
        # Damage that reaches the last byte is noted below; one fault is enough for one place.
        if not complete and self._bad is None:
            self._fault(self._offset, 0, TruncatedError("the stream ends before its end"))
        self._good(self._offset)
        if self.end is None:
            events += self._timeline.lost_at_the_end(self.header, self._offset - self._begin)
        return events

    def read_from(self, file: IO[bytes]) -> Iterator[Event]:
        """Feed a whole file, and close.

        Raises:
            BitstreamError: see the class.
        """
        while data := file.read(_PIECE_BYTES):
            yield from self.feed(data)
        yield from self.close()

    # ---- bytes -----------------------------------------------------------------------------

    def _drain(self) -> list[Event]:
        """Take apart what is in the buffer; an error waits until what came before it has been given."""
        if self._error is not None:
            raise self._error
        events: list[Event] = []
        position = 0
        try:
            while position < len(self._buffer):
                try:
                    size, found = self._parse(position)
                except BitstreamError as error:
                    # The rest may still come: these bytes stay in the buffer, and are parsed again with the next piece.
                    if isinstance(error, TruncatedError) and not self._closing:
                        break
                    position = self._skip(position, error)
                else:
                    self._good(self._offset + position)
                    if found is not None:
                        events += self._accept(found, position, size)
                    self.good_bytes += size
                    position += size
        except BitstreamError as error:
            self._error = error
            if not events:
                raise
        del self._buffer[:position]
        self._offset += position
        return events

    def _parse(self, position: int) -> tuple[int, Packet | End | None]:
        """What stands at a position: its size, and the packet if it is one."""
        if self.end is not None:
            return self._parse_trailer(position), None
        if self.header is None:
            self.header, size = self._parse_first_header(position)
            return size, None
        # A header may be repeated for those who join late. Its first byte tells it from a packet.
        if self._buffer[position] == MAGIC[0]:
            repeated, size = parse_header(self._buffer[position : position + MAX_HEADER_BYTES])
            if repeated != self.header:
                raise CorruptError("another header begins within the stream")
            return size, None
        head = parse_head(self._buffer, self.header, position)
        if position + head.size > len(self._buffer):
            raise TruncatedError("the stream ends within a packet")
        try:
            return head.size, parse_body(self._buffer, self.header, head, position, self._offset)
        except CorruptError:
            # Bytes can be made that hold a head every few bytes, each of which costs a checksum over a whole packet.
            self._effort += head.size
            seen = self._offset + position - self._begin
            self._hopeless = self._effort > _FREE_EFFORT_BYTES + _EFFORT_PER_BYTE * seen  # no mere damage does that
            raise

    def _parse_first_header(self, position: int) -> tuple[Header, int]:
        front = bytes(self._buffer[position : position + MAX_HEADER_BYTES])
        try:
            return parse_header(front)
        except BitstreamError as error:
            # A header certainly stands only at the first byte, so repair is not tried elsewhere.
            if not self._tolerant or self._offset + position > 0:
                raise
            # The result must not depend on the pieces, so repair always sees as many bytes as a header may have.
            if len(front) < MAX_HEADER_BYTES and not self._closing:
                raise TruncatedError("too few bytes to repair a header") from error
            repaired = repair_header(front)
            if repaired is None:
                # Another version, or a flag that a reader must know, is not damage: a search cannot help.
                self._hopeless = isinstance(error, UnsupportedError)
                raise
        self._note(Damage(0, 0, "one bit of the header was wrong, and could be repaired"))
        return repaired

    def _parse_trailer(self, position: int) -> int:
        if not self._trailer:
            raise CorruptError("bytes follow the end of the stream")
        found = self._buffer[position : position + len(self._trailer)]
        if len(found) < len(self._trailer):
            raise TruncatedError("the stream ends within the size of its end")
        wanted, self._trailer = self._trailer, b""
        if found != wanted:
            raise CorruptError("the size after the end is wrong")
        return len(found)

    def _accept(self, found: Packet | End, position: int, size: int) -> list[Event]:
        """The packet, if its position makes sense, with what is missing before it."""
        assert self.header is not None
        try:
            lost = self._timeline.place(self.header, found, self._offset + position + size - self._begin)
        except CorruptError as error:
            self._fault(self._offset + position, size, error)
            return []
        if lost is not None and not self._tolerant:
            raise CorruptError(f"the stream lacks its ticks {lost.start} to {lost.stop - 1}")
        if isinstance(found, End):
            if self.header.num_samples not in (None, found.num_samples):
                self._fault(self._offset + position, 0, CorruptError("header and end disagree on the samples"))
            self.end = found
            self._trailer = size.to_bytes(4, "big")
        return [found] if lost is None else [lost, found]

    # ---- faults ----------------------------------------------------------------------------

    def _skip(self, position: int, error: BitstreamError) -> int:
        """Where something good may begin next."""
        if self._hopeless or not self._tolerant:
            raise error
        if self._bad is None:
            self._bad = (self._offset + position, error)
        if self.end is not None:
            # Nothing is valid after the end, so what follows it is one damage up to the last byte.
            return len(self._buffer)
        found = _FRONTS.search(self._buffer, position + 1)
        if found is not None:
            return found.start()
        # The last bytes may be the beginning of a front that the next piece completes.
        return max(position + 1, len(self._buffer) - len(_HEADER_FRONT) + 1)

    def _good(self, offset: int) -> None:
        if self._bad is not None:
            since, error = self._bad
            self._bad = None
            self._note(Damage(since, offset - since, str(error)))

    def _fault(self, offset: int, size: int, error: BitstreamError) -> None:
        if not self._tolerant:
            raise error
        self._note(Damage(offset, size, str(error)))

    def _note(self, damage: Damage) -> None:
        self.num_damages += 1
        if len(self.damages) < MAX_DAMAGES:
            self.damages.append(damage)
