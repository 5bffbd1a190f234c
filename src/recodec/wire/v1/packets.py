"""Packets of an `.ecdc` stream, version 1: the unit that decodes alone. `docs/bitstream.md` is the norm."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field

from ...errors import CorruptError, TruncatedError
from . import varint
from .header import Header

# Two bytes make a search after damage fast, and a false packet rare (docs/bitstream.md, Figures).
SYNC = b"\xec\xd1"
PLAIN = 0
CODED_SHORT = 1
CODED = 2
END = 3
CHECK_BYTES = {PLAIN: 0, CODED_SHORT: 1, CODED: 2}
"""By kind: bytes of a checksum of the codes at the front of the payload. Tables that differ do not pass silently."""
MAX_INDEX_ENTRIES = 1024
MAX_HEAD_BYTES = 2 + 1 + 3 * varint.MAX_BYTES
MAX_END_BYTES = (2 + 2 * MAX_INDEX_ENTRIES) * varint.MAX_BYTES

_CRC_BYTES = 4
_SCALE = struct.Struct("!f")
_RESTART_FLAG = 0x20


@dataclass(frozen=True)
class Packet:
    """Frames of codes that decode without any other packet.

    Attributes:
        start: where its audio begins, in ticks from the start of the stream.
        frames: how many, 1 to the header's `max_packet_frames`.
        codebooks: codes per frame.
        kind: `PLAIN`, `CODED` or `CODED_SHORT`, of the payload.
        payload: the codes; `payload.py` reads them.
        scale: of the audio, where the header is `scaled`, else `None`.
        restart: a new section begins: the decoder starts afresh, as it does at the start of the stream.
        offset: of its first byte in the stream that it was read from; not compared, not written.
    """

    start: int
    frames: int
    codebooks: int
    kind: int
    payload: bytes
    scale: float | None = None
    restart: bool = False
    offset: int = field(default=0, compare=False)


@dataclass(frozen=True)
class End:
    """What a stream says when it is complete.

    Attributes:
        start: where the audio ends, in ticks: the end of the last packet.
        num_samples: samples per channel; a decoder drops what its last frame makes beyond them.
        entries: the index: of some packets, in order, (byte offset, start in ticks).
    """

    start: int
    num_samples: int
    entries: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class PacketHead:
    """The front of a packet: all but its payload and its checksum.

    Attributes:
        kind, restart, codebooks, start, frames: as in `Packet`; an end has 0 frames.
        payload_at: bytes of the head.
        size: bytes of the whole packet.
    """

    kind: int
    restart: bool
    codebooks: int
    start: int
    frames: int
    payload_at: int
    size: int


def end_of(header: Header, packet: Packet | PacketHead) -> int:
    """Where the audio of a packet ends, in ticks, if nothing follows or a new section does."""
    return packet.start + packet.frames * header.frame_ticks


def next_start(header: Header, packet: Packet | PacketHead) -> int:
    """Where the next packet of the same section begins, in ticks: segments overlap."""
    return packet.start + header.stride_ticks if header.segment_length else end_of(header, packet)


# ---- writing -------------------------------------------------------------------------------


def write_packet(header: Header, packet: Packet) -> bytes:
    """A packet's bytes.

    Raises:
        ValueError: if the packet does not fit the header, or its payload not its frames. (What is wrong
            with a stream is a `ValueError` too.)
    """
    # Comparisons with NaN are false, so a scale that is not a number is refused as well.
    scaled = packet.scale is not None and 0 <= packet.scale < float("inf")
    if packet.kind not in CHECK_BYTES or not 1 <= packet.codebooks <= 32 or scaled != header.scaled:
        raise ValueError(f"no packet of kind {packet.kind}, {packet.codebooks} codebooks and scale {packet.scale}")
    payload = (_SCALE.pack(packet.scale) if scaled else b"") + packet.payload
    first = packet.kind << 6 | (_RESTART_FLAG if packet.restart else 0) | packet.codebooks - 1
    written = _seal(first, packet.start, packet.frames, payload)
    # The reader's checks are applied to what was written, so that no writer makes a head that readers refuse.
    parse_head(written, header)
    return written


def write_end(end: End) -> bytes:
    """The packet of an end, and the four bytes after it that let a reader find it from the back.

    Raises:
        ValueError: if the index is not in ascending order, or has more than `MAX_INDEX_ENTRIES`.
    """
    if len(end.entries) > MAX_INDEX_ENTRIES:
        raise ValueError(f"an index may have {MAX_INDEX_ENTRIES} entries, not {len(end.entries)}")
    payload = varint.encode(end.num_samples, len(end.entries))
    offset, start = 0, 0
    for entry in end.entries:
        payload += varint.encode(entry[0] - offset, entry[1] - start)
        offset, start = entry
    packet = _seal(END << 6, end.start, 0, payload)
    return packet + len(packet).to_bytes(4, "big")


def _seal(first: int, start: int, frames: int, payload: bytes) -> bytes:
    packet = SYNC + bytes([first]) + varint.encode(start, frames, len(payload)) + payload
    return packet + zlib.crc32(packet).to_bytes(_CRC_BYTES, "big")


# ---- reading -------------------------------------------------------------------------------


def parse_head(buffer: bytes | bytearray | memoryview, header: Header, position: int = 0) -> PacketHead:
    """Read the front of the packet at a position, and check every number in it.

    Raises:
        TruncatedError: if the buffer ends within the head.
        CorruptError: if there is no packet, or it contradicts the header.
    """
    sync = bytes(buffer[position : position + len(SYNC)])
    # Where the buffer ends within the sync word, the rest of it may still come.
    if sync != SYNC[: len(sync)]:
        raise CorruptError("there is no packet where one should begin")
    if position + 3 > len(buffer):
        raise TruncatedError("the stream ends within a packet's head")
    first = buffer[position + 2]
    start, at = varint.decode(buffer, position + 3)
    frames, at = varint.decode(buffer, at)
    length, at = varint.decode(buffer, at)
    kind, codebooks = first >> 6, (first & 0x1F) + 1
    if kind == END:
        _check(frames == 0 and first & 0x3F == 0 and length <= MAX_END_BYTES, "an end has other numbers than it may")
    else:
        _check(1 <= frames <= header.max_packet_frames, "a packet has more frames than the header allows, or none")
        _check(codebooks <= header.codebooks, "a packet has more codebooks than the header allows")
        # No payload is longer than plain codes: this bounds what a reader holds, whatever the head claims.
        most = header.plain_bytes(frames, codebooks) + (_SCALE.size if header.scaled else 0)
        _check(length <= most and (kind != PLAIN or length == most), "a packet's payload does not fit its frames")
        known = kind == PLAIN or header.table_rule > 0
        _check(known, "a packet is coded with a language model, the header names none")
    size = at - position + length + _CRC_BYTES
    return PacketHead(kind, bool(first & _RESTART_FLAG), codebooks, start, frames, at - position, size)


def parse_body(
    buffer: bytes | bytearray | memoryview, header: Header, head: PacketHead, position: int = 0, base: int = 0
) -> Packet | End:
    """Check and read the packet whose head stands at a position; the buffer holds it whole.

    Args:
        buffer, header, position: as for `parse_head`, which gave `head`.
        base: offset of the buffer's first byte in the stream.

    Raises:
        CorruptError: if the packet is damaged, or contradicts itself.
    """
    whole = bytes(buffer[position : position + head.size])
    if zlib.crc32(whole[:-_CRC_BYTES]) != int.from_bytes(whole[-_CRC_BYTES:], "big"):
        raise CorruptError("a packet is damaged: its checksum is wrong")
    payload = whole[head.payload_at : -_CRC_BYTES]
    if head.kind == END:
        return _parse_end(head, header, payload)
    scale = None
    if header.scaled:
        # A right checksum does not make the content valid: anyone can compute one.
        _check(len(payload) >= _SCALE.size, "a packet is too short for its scale")
        (scale,) = _SCALE.unpack_from(payload)
        _check(0 <= scale < float("inf"), f"a packet's scale is {scale}")
        payload = payload[_SCALE.size :]
    return Packet(
        head.start, head.frames, head.codebooks, head.kind, payload, scale, head.restart, offset=base + position
    )


def _parse_end(head: PacketHead, header: Header, payload: bytes) -> End:
    try:
        num_samples, at = varint.decode(payload, 0)
        count, at = varint.decode(payload, at)
        _check(count <= MAX_INDEX_ENTRIES, f"the index claims {count} entries")
        entries: list[tuple[int, int]] = []
        offset, start = 0, 0
        for _ in range(count):
            delta, at = varint.decode(payload, at)
            advance, at = varint.decode(payload, at)
            _check(delta > 0 and (advance > 0 or not entries), "the index does not ascend")
            offset, start = offset + delta, start + advance
            entries.append((offset, start))
    except TruncatedError as error:
        # The packet is here as a whole, so there is nothing to wait for, as there is after a TruncatedError.
        raise CorruptError("the index is cut off") from error
    _check(start <= head.start, "the index points after the end")
    made = head.start * header.tick
    # Players hold back less than a frame of audio until the end comes, and rely on this bound.
    _check(made - header.hop < num_samples <= made, "the end claims more samples than its frames make, or too few")
    return End(head.start, num_samples, tuple(entries))


def _check(condition: bool, message: str) -> None:
    if not condition:
        raise CorruptError(message)
