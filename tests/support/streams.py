"""Streams for tests: random codes, packets of any shape, and a small coder that stands for a language model."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np

from recodec.errors import BitstreamError
from recodec.wire.v1.header import Header
from recodec.wire.v1.packets import Packet
from recodec.wire.v1.payload import PacketLM, make_packets
from recodec.wire.v1.range_coder import RangeDecoderBatch, encode_packet
from recodec.wire.v1.reader import Event, PacketReader
from recodec.wire.v1.writer import StreamWriter

MONO = Header(24_000, 1, 320, 8, 10, 150, model="recodec_24khz", fingerprint="0123456789abcdef")
STEREO = Header(48_000, 2, 320, 4, 10, 150, 48_000, 47_520, scaled=True, model="encodec_48khz")
CODED_MONO = Header(
    24_000, 1, 320, 8, 6, 150, fingerprint="0123456789abcdef", table_rule=1, lm_fingerprint="fedcba9876543210"
)


class ToyCoder:
    """Codes every symbol by one table, in integers only, in which small codes are likely."""

    fingerprint = "fedcba9876543210" + 48 * "0"
    table_rule = 1

    def __init__(self, code_bits: int, slope: int = 8) -> None:
        size = 1 << code_bits
        weights = np.array([(1 << 30) // (slope + i) ** 2 for i in range(size)])
        freqs = 1 + weights * ((1 << 16) - size) // weights.sum()
        freqs[0] += (1 << 16) - freqs.sum()
        self.table = np.concatenate([[0], freqs.cumsum()])

    def encode(self, codes: Sequence[np.ndarray]) -> list[bytes]:
        flat = [piece.T.reshape(-1) for piece in codes]
        return [encode_packet(self.table[s], self.table[s + 1] - self.table[s], 16) for s in flat]

    def decode(self, payloads: Sequence[bytes], shapes: Sequence[tuple[int, int]]) -> list[np.ndarray]:
        counts = np.array([k * f for k, f in shapes])
        decoder = RangeDecoderBatch(payloads, 16)
        symbols = np.zeros((len(payloads), counts.max()), np.int64)
        for step in range(counts.max()):
            rows = np.flatnonzero(counts > step)
            symbols[rows, step] = decoder.decode(np.repeat(self.table[None], len(rows), axis=0), rows)
        return [symbols[i, : k * f].reshape(f, k).T for i, (k, f) in enumerate(shapes)]


def random_codes(seed: int, header: Header, codebooks: int, frames: int) -> np.ndarray:
    """(K, F) codes, small ones likely."""
    generator = np.random.default_rng(seed)
    top = 1 << header.code_bits
    return np.minimum(generator.geometric(4 / top, (codebooks, frames)) - 1, top - 1)


def packets_of(
    header: Header, shapes: Sequence[tuple[int, int]], *, seed: int = 0, lm: PacketLM | None = None
) -> list[Packet]:
    """One packet for each (codebooks, frames)."""
    codes = [random_codes(seed + i, header, k, f) for i, (k, f) in enumerate(shapes)]
    scales = [0.5 + i for i in range(len(shapes))] if header.scaled else None
    return make_packets(header, 0, codes, scales, lm)


def stream_of(header: Header, packets: Sequence[Packet], num_samples: int | None = None) -> bytes:
    """The whole stream; without `num_samples` it has all that its frames make."""
    file = io.BytesIO()
    writer = StreamWriter(file, header)
    for packet in packets:
        writer.write(packet)
    writer.finish(writer.end_position * header.tick if num_samples is None else num_samples)
    return file.getvalue()


def read(data: bytes, *, tolerant: bool = False) -> tuple[list[Event], PacketReader]:
    """All events of a stream."""
    reader = PacketReader(tolerant=tolerant)
    return list(reader.read_from(io.BytesIO(data))), reader


def spans_of(data: bytes) -> list[tuple[int, int]]:
    """First byte and end of each packet of a good stream, and of its end, without the four bytes behind it."""
    events, reader = read(data)
    starts = [e.offset for e in events if isinstance(e, Packet)]
    end_size = int.from_bytes(data[-4:], "big")
    starts.append(len(data) - 4 - end_size)
    assert reader.end is not None
    return list(zip(starts, [*starts[1:], len(data) - 4], strict=True))


def refuses(data: bytes) -> str:
    """The message with which a strict reader refuses."""
    try:
        read(data)
    except BitstreamError as error:
        return f"{type(error).__name__}: {error}"
    raise AssertionError("a strict reader took it")
