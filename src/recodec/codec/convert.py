"""Files of version 0 to version 1: the same codes, in packets."""

from __future__ import annotations

from typing import IO

from ..wire.header import DEFAULT_PACKET_S
from ..wire.payload import PayloadCoder
from ..wire.segments0 import StartTables
from .blocks import FILE_GRID_FRAMES, Block
from .engine import Engine, known_fingerprints
from .version0 import Decompressor0
from .version1 import BlockWriter


def to_version1(
    source: IO[bytes],
    out: IO[bytes],
    engine: Engine,
    *,
    num_quantizers: int | None = None,
    packet_s: float = DEFAULT_PACKET_S,
    coder: PayloadCoder | None = None,
    meta_lm: StartTables | None = None,
) -> None:
    """Write what `compress` would have written of the same codes.

    Args:
        source: a file of version 0, standing at its start.
        out: takes the file of version 1.
        engine: the model that wrote it. Its networks do not run.
        num_quantizers: the most codebooks to keep; all by default.
        packet_s: length of a packet in seconds.
        coder: the language model for the packets; without one they are plain.
        meta_lm: Meta's language model (`meta_lm.MetaLM`), for a source that is coded with it.

    Raises:
        BitstreamError: if the source is damaged, coded without `meta_lm`, or of another model.
        ConfigError: for a model that the format has no room for, or a length of packets that cannot be.
        ValueError: for less than one codebook.
    """
    if num_quantizers is not None and num_quantizers < 1:
        raise ValueError(f"at least one codebook must be kept, not {num_quantizers}")
    recording = Decompressor0(source)
    recording.header.check_model(engine.name, *known_fingerprints(engine))
    count = min(recording.header.num_codebooks, num_quantizers or recording.header.num_codebooks)
    writer = BlockWriter(out, engine, count, recording.num_samples, packet_s, coder)
    for block in recording.blocks(engine, FILE_GRID_FRAMES, meta_lm):
        writer.push([Block(block.codes[:count], block.scale)])
    writer.finish(recording.num_samples)
