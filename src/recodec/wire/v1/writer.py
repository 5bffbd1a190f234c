"""Writing a stream packet by packet: to a file, or live to whoever listens."""

from __future__ import annotations

from typing import IO

from .header import Header, write_header
from .index import IndexBuilder
from .packets import End, Packet, end_of, next_start, write_end, write_packet


class StreamWriter:
    """Writes header, packets and end to a file or a pipe; each packet is written as it comes.

    Args:
        file: takes the bytes. It is not flushed: a live writer does so after each packet.
        header: of the stream.
    """

    def __init__(self, file: IO[bytes], header: Header) -> None:
        self.header = header
        self._file = file
        self._index = IndexBuilder()
        self._last: Packet | None = None
        self._offset = 0
        self._put(write_header(header))

    @property
    def position(self) -> int:
        """Where the next packet of this section begins, in ticks."""
        return 0 if self._last is None else next_start(self.header, self._last)

    @property
    def end_position(self) -> int:
        """Where the audio so far ends, in ticks: where a new section begins, and where the stream ends."""
        return 0 if self._last is None else end_of(self.header, self._last)

    def write(self, packet: Packet) -> None:
        """Write the next packet; a later start than `position` leaves a gap.

        Raises:
            ValueError: if it begins too early, or does not fit the header.
        """
        earliest = self.end_position if packet.restart else self.position
        if packet.start < earliest:
            raise ValueError(f"a packet at tick {packet.start} cannot follow: the stream has come to {earliest}")
        written = write_packet(self.header, packet)
        self._index.add(self._offset, packet.start)
        self._put(written)
        self._last = packet

    def finish(self, num_samples: int, *, lost_until: int = 0) -> None:
        """Write the end. The file itself stays open.

        Args:
            num_samples: samples per channel of the whole stream: all that its frames make, but for a
                part of the last one.
            lost_until: end of the audio in ticks, if packets are missing after the last one.

        Raises:
            ValueError: if the frames make another count, or the header promises one.
        """
        stop = max(self.end_position, lost_until)
        made = stop * self.header.tick
        if not max(made - self.header.hop, -1) < num_samples <= made:
            raise ValueError(f"the frames make {made} samples, or up to a frame fewer, not {num_samples}")
        if self.header.num_samples not in (None, num_samples):
            raise ValueError(f"the header promises {self.header.num_samples} samples, not {num_samples}")
        self._put(write_end(End(stop, num_samples, self._index.entries)))

    def _put(self, written: bytes) -> None:
        self._file.write(written)
        self._offset += len(written)
