"""Codes as an `.ecdc` file, and back, without the model."""

from __future__ import annotations

from typing import IO

import numpy as np

from ..codec.blocks import Block
from ..codec.engine import Engine
from ..codec.loading import find_coder
from ..codec.version0 import layout_of
from ..codec.version1 import BlockWriter
from ..errors import CorruptError
from ..wire.header import DEFAULT_PACKET_S
from ..wire.packets import End, Packet
from ..wire.payload import PayloadCoder, read_codes
from ..wire.reader import PacketReader

Codes = tuple[np.ndarray, np.ndarray | None, int]


def write_ecdc(
    file: IO[bytes], engine: Engine, codes: np.ndarray, scales: np.ndarray | None, num_samples: int,
    coder: PayloadCoder | None,
) -> None:  # fmt: skip
    """Write what `Codec.compress` writes of the same codes.

    Args:
        file: takes the bytes.
        engine: of the model that made the codes.
        codes, scales: as `Codec.encode` gives them.
        num_samples: length of the recording.
        coder: the language model to code packets with, if any.
    """
    config = engine.config
    writer = BlockWriter(file, engine, codes.shape[0], num_samples, DEFAULT_PACKET_S, coder)
    sizes = [codes.shape[1]]
    if config.chunk_length is not None:
        layout = layout_of(config)
        sizes = [layout.frames(num_samples, i) for i in range(layout.num_segments(num_samples))]
    start = 0
    for i, size in enumerate(sizes):
        piece = codes[:, start : start + size].astype(np.int64)
        writer.push([Block(piece, None if scales is None else float(scales[i]))])
        start += size
    writer.finish(num_samples)


def read_ecdc(file: IO[bytes], model: str | None = None) -> Codes:
    """Codes (K, F) int64, scales and number of samples of a file of version 1.

    Args:
        file: that can seek.
        model: whose language model reads coded packets; by the file's own words by default.

    Raises:
        BitstreamError: for damage, version 0, changing bandwidths, or a language model that is not at hand.
    """
    reader = PacketReader()
    events = list(reader.read_from(file))
    header = reader.header
    packets = [event for event in events if isinstance(event, Packet)]
    ends = [event for event in events if isinstance(event, End)]
    if header is None or not packets or not ends:
        raise CorruptError("the file holds no packets")
    pieces = []
    for piece in read_codes(header, packets, find_coder(header, model)):
        if isinstance(piece, CorruptError):
            raise piece
        pieces.append(piece)
    if len({len(piece) for piece in pieces}) != 1:
        raise CorruptError("the number of codebooks changes within the file")
    scales = [packet.scale for packet in packets if packet.scale is not None]
    if header.segment_length == 0:
        scales = scales[:1]  # every packet repeats that of the whole
    return np.concatenate(pieces, axis=1), np.array(scales, np.float32) if scales else None, ends[0].num_samples
