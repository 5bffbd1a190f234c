"""`.ecdc` files opened for writing and for reading, in either version of the format."""

from __future__ import annotations

import io
from typing import IO, cast

from ..errors import ConfigError, CorruptError, TruncatedError, UnsupportedError
from ..pipes import Unread, read_up_to
from ..text import counted
from ..wire.v0.segments import SegmentLM
from ..wire.v1.header import DEFAULT_PACKET_S, MAGIC
from ..wire.v1.payload import PacketLM
from .blocks import FILE_GRID_FRAMES, block_encoder
from .ecdc_file import BlockWriter, EcdcReader, EcdcWriter
from .engine import Engine
from .version1 import BlockWriter1, EcdcReader1, grid_within, packet_frames

VERSIONS = (0, 1)
DEFAULT_VERSION = 1

AnyLM = PacketLM | SegmentLM
"""A language model: a model's own codes the packets of version 1, Meta's the segments of version 0."""


def open_block_writer(
    file: IO[bytes],
    engine: Engine,
    num_quantizers: int,
    *,
    num_samples: int | None = None,
    version: int = DEFAULT_VERSION,
    packet_s: float = DEFAULT_PACKET_S,
    lm: AnyLM | None = None,
    jobs: int = 1,
) -> BlockWriter:
    """Begin a recording whose codes are there already. Arguments and errors as in `open_writer`."""
    if version == 0:
        from .version0 import BlockWriter0

        if lm is not None and not isinstance(lm, SegmentLM):
            raise ConfigError("files of version 0 are coded with Meta's language model, not with the model's own")
        return BlockWriter0(file, engine, num_quantizers, num_samples, lm)
    if version != 1:
        raise ConfigError(f"version must be one of {VERSIONS}, got {version}")
    if lm is not None and not isinstance(lm, PacketLM):
        raise ConfigError("Meta's language model codes files of version 0 only")
    return BlockWriter1(file, engine, num_quantizers, num_samples, packet_s, lm, jobs)


def open_writer(
    file: IO[bytes],
    engine: Engine,
    num_quantizers: int,
    *,
    num_samples: int | None = None,
    version: int = DEFAULT_VERSION,
    packet_s: float = DEFAULT_PACKET_S,
    grid_frames: int = FILE_GRID_FRAMES,
    lm: AnyLM | None = None,
    jobs: int = 1,
) -> EcdcWriter:
    """Begin a recording.

    Args:
        file: takes the bytes.
        engine: the model.
        num_quantizers: codebooks K to use.
        num_samples: length of the recording, if it is known for sure.
        version: of the format. Version 0, Meta's, has the length in front: where it is not known, nothing
            is written before the end.
        packet_s: length of a packet of version 1 in seconds; models with segments have one segment in each.
        grid_frames: the most frames that a causal model takes at once.
        lm: the language model to code with: the model's own in version 1, Meta's in version 0; without one,
            codes are plain.
        jobs: with more than one, networks and language model run in threads, and packets are written later. The bytes
            are the same.

    Raises:
        ConfigError: for an unknown version, a language model that does not go with it, or a length of packets that
            the format does not allow.
    """
    writer = open_block_writer(
        file, engine, num_quantizers, num_samples=num_samples, version=version, packet_s=packet_s, lm=lm,
        jobs=jobs,
    )  # fmt: skip
    if version == 1:  # a packet is a whole number of blocks, so that none waits for the next
        grid_frames = grid_within(packet_frames(engine.config, packet_s), grid_frames)
    return EcdcWriter(block_encoder(engine, num_quantizers, grid_frames, jobs), writer, num_samples)


def open_reader(file: IO[bytes], *, tolerant: bool = False) -> EcdcReader:
    """Read the beginning of a recording.

    Args:
        file: stands at its start; it may be a pipe whose `read` gives what is there: then audio comes out as
            packets come in.
        tolerant: go on after damage. What is lost is concealed; version 0, which notices no damage, then ends
            where its bytes end.

    Raises:
        BitstreamError: if it is not a recording of ours.
    """
    front = read_up_to(file, len(MAGIC) + 1)
    if front[: len(MAGIC)] != MAGIC[: len(front)]:
        raise CorruptError("this is not an .ecdc file: it does not begin with ECDC")
    if len(front) <= len(MAGIC):
        raise TruncatedError(f"the file ends after {counted(len(front), 'byte')}")
    version = front[len(MAGIC)]
    if version not in VERSIONS:
        raise UnsupportedError(f"this reader knows versions 0 and 1 of .ecdc, the file has version {version}")
    whole = cast(IO[bytes], file if file.seekable() else Unread(front, file))
    if file.seekable():
        file.seek(-len(front), io.SEEK_CUR)
    if version == 1:
        return EcdcReader1(whole, tolerant=tolerant)
    from .version0 import EcdcReader0

    return EcdcReader0(whole, tolerant=tolerant)
