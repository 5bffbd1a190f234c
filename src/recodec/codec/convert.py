"""Files of version 0 to version 1: the same codes, in packets."""

from __future__ import annotations

from typing import IO, Any

from ..errors import ConfigError, CorruptError, UnsupportedError
from ..wire.v0.segments import SegmentLM
from ..wire.v1.header import DEFAULT_PACKET_S
from ..wire.v1.payload import PacketLM
from .blocks import Block
from .container import open_reader
from .engine import Engine
from .version1 import BlockWriter1


def to_version1(
    source: IO[bytes],
    out: IO[bytes],
    engine: Engine[Any],
    *,
    num_quantizers: int | None = None,
    packet_s: float = DEFAULT_PACKET_S,
    lm: PacketLM | None = None,
    meta_lm: SegmentLM | None = None,
) -> None:
    """Write what `compress` would have written of the same codes.

    Args:
        source: a file of version 0, standing at its start.
        out: takes the file of version 1.
        engine: the model that wrote it. Its networks do not run.
        num_quantizers: the most codebooks to keep; all by default.
        packet_s: length of a packet in seconds.
        lm: the language model for the new packets; without one they are plain.
        meta_lm: Meta's language model, which the source is coded with if it is coded.

    Raises:
        BitstreamError: if the source is damaged, coded without `meta_lm`, or of another model.
        ConfigError: for a model that the format has no room for, a length of packets that the format does not
            allow, or less than one codebook.
    """
    if num_quantizers is not None and num_quantizers < 1:
        raise ConfigError(f"at least one codebook must be kept, not {num_quantizers}")
    reader = open_reader(source)
    if reader.version != 0:
        raise UnsupportedError(f"the file is of version {reader.version} already")
    if reader.num_samples is None:
        raise CorruptError("the file does not say how long it is")
    reader.check_model(engine)
    count = min(reader.num_codebooks, num_quantizers or reader.num_codebooks)
    writer = BlockWriter1(out, engine, count, reader.num_samples, packet_s, lm)
    for block in reader.blocks(engine.config, lm=meta_lm):
        writer.push([Block(block.codes[:count], block.scale)])
    writer.finish(reader.num_samples)
