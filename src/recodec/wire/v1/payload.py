"""Payloads: codes as bits without gaps, or coded with a language model's tables."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np

from ...errors import CorruptError, ModelMismatchError
from .. import bits
from .header import Header
from .packets import CHECK_BYTES, CODED, CODED_SHORT, PLAIN, Packet

_SHORT_FRAMES = 32
"""Shorter packets have a short check: in a live stream of single frames a byte more would cost a tenth of the rate, and
wrong tables show in the packets after it."""


@runtime_checkable
class PacketLM(Protocol):
    """A language model as version 1 sees it: codes in, bytes out, and back. `lm/coder.py` has one."""

    @property
    def fingerprint(self) -> str:
        """Of its weights: 16 hexadecimal digits or more."""
        ...

    @property
    def table_rule(self) -> int:
        """Version of the rule that makes its frequency tables, 1 or more."""
        ...

    def encode(self, codes: Sequence[np.ndarray]) -> list[bytes]:
        """Code packets that know nothing of each other, each (K, F) int64."""
        ...

    def decode(self, payloads: Sequence[bytes], shapes: Sequence[tuple[int, int]]) -> list[np.ndarray]:
        """Decode packets of shapes (K, F). Any bytes decode to some codes of the right shape and range."""
        ...


def make_packets(
    header: Header,
    start: int,
    codes: Sequence[np.ndarray],
    scales: Sequence[float] | None = None,
    lm: PacketLM | None = None,
) -> list[Packet]:
    """Packets of neighbouring pieces of codes.

    Args:
        header: of the stream.
        start: of the first piece, in ticks.
        codes: each (K, F) integers; for a chunked model one segment each.
        scales: one for each piece, where the header is `scaled`.
        lm: as for `write_codes`.

    Raises:
        ModelMismatchError, ValueError: as `write_codes`.
    """
    packets: list[Packet] = []
    for i, (kind, payload) in enumerate(write_codes(header, codes, lm)):
        num_codebooks, frames = codes[i].shape
        packets.append(Packet(start, frames, num_codebooks, kind, payload, scales[i] if scales is not None else None))
        # Without segments a tick is a frame.
        start += header.stride_ticks or frames
    return packets


def write_codes(header: Header, codes: Sequence[np.ndarray], lm: PacketLM | None = None) -> list[tuple[int, bytes]]:
    """Kinds and payloads of packets.

    Args:
        header: of the stream.
        codes: each (K, F) integers.
        lm: makes the payloads; without it they are plain. Where it saves nothing they are as well.

    Raises:
        ModelMismatchError: if the header names another language model than `lm`.
        ValueError: for a code that its width does not hold.
    """
    plain = [(PLAIN, pack_codes(piece, header.code_bits)) for piece in codes]
    if lm is None:
        return plain
    header.check_lm(lm.fingerprint, lm.table_rule)
    packets: list[tuple[int, bytes]] = []
    for piece, (_, bits_of_codes), coded in zip(codes, plain, lm.encode(codes), strict=True):
        kind = CODED if piece.shape[1] >= _SHORT_FRAMES else CODED_SHORT
        payload = _check_bytes(kind, bits_of_codes) + coded
        # At equal size plain is better, as it can be read without a language model.
        packets.append((kind, payload) if len(payload) < len(bits_of_codes) else (PLAIN, bits_of_codes))
    return packets


def read_codes(
    header: Header, packets: Sequence[Packet], lm: PacketLM | None = None
) -> list[np.ndarray | CorruptError]:
    """The codes of packets, all coded ones at once.

    Args:
        header: of the stream.
        packets: any of it.
        lm: the language model, if there are coded packets.

    Returns:
        For each packet its codes (K, F) int64, or the error that says why it has none.

    Raises:
        ModelMismatchError: if a packet is coded, and the language model is another or is missing.
    """
    coded = [i for i, packet in enumerate(packets) if packet.kind != PLAIN]
    found: dict[int, np.ndarray | CorruptError] = {}
    if coded:
        if lm is None:
            raise ModelMismatchError(
                f"the stream is coded with a language model (fingerprint {header.lm_fingerprint}), and none is here"
            )
        header.check_lm(lm.fingerprint, lm.table_rule)
        # Another model's tables would give wrong codes, and only one or two bytes of check would tell.
        shapes = [(packets[i].codebooks, packets[i].frames) for i in coded]
        decoded = lm.decode([packets[i].payload[CHECK_BYTES[packets[i].kind] :] for i in coded], shapes)
        found = {i: _checked(header, packets[i], codes) for i, codes in zip(coded, decoded, strict=True)}
    return [found[i] if i in found else unpack_codes(header, packet) for i, packet in enumerate(packets)]


def pack_codes(codes: np.ndarray, code_bits: int) -> bytes:
    """(K, F) codes as a plain payload: frame by frame, and in a frame codebook by codebook."""
    return bits.pack(codes.T.reshape(-1), code_bits)


def unpack_codes(header: Header, packet: Packet) -> np.ndarray:
    """The codes (K, F) int64 of a plain packet."""
    count = packet.frames * packet.codebooks
    return bits.unpack(packet.payload, count, header.code_bits).reshape(packet.frames, packet.codebooks).T


def _checked(header: Header, packet: Packet, codes: np.ndarray) -> np.ndarray | CorruptError:
    check = _check_bytes(packet.kind, pack_codes(codes, header.code_bits))
    if packet.payload.startswith(check):
        return codes
    # Returned and not raised: the other packets may be valid.
    return CorruptError(
        f"the packet at frame {packet.start // header.frame_ticks} decodes to other codes than were coded: "
        "the language model's tables differ"
    )


def _check_bytes(kind: int, plain: bytes) -> bytes:
    """The last bytes of the checksum of the plain payload, as many as the kind of packet has."""
    return zlib.crc32(plain).to_bytes(4, "big")[4 - CHECK_BYTES[kind] :]
