"""Recordings to files and back, in pieces and in either version of the format."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import IO, Protocol, cast

import numpy as np

from ..errors import ConfigError, CorruptError, TruncatedError, UnsupportedError
from ..pipes import Unread, read_up_to
from ..wire.header import DEFAULT_PACKET_S, MAGIC
from ..wire.payload import PayloadCoder
from ..wire.segments0 import StartTables
from .blocks import FILE_GRID_FRAMES
from .engine import Engine
from .version0 import Compressor0, Decompressor0
from .version1 import Compressor1, Decompressor1

VERSIONS = (0, 1)
DEFAULT_VERSION = 1


class Compressor(Protocol):
    """Writes a recording as its samples come."""

    def push(self, audio: np.ndarray) -> None:
        """Take the next samples (C, T), T >= 0.

        Raises:
            AudioError: for bad audio, or more of it than was announced.
        """
        ...

    def close(self) -> None:
        """Write the end. The file itself stays open.

        Raises:
            AudioError: if there were no samples, or fewer than announced.
        """
        ...


class Decompressor(Protocol):
    """Reads a recording; what it says of itself is known before a model is at hand."""

    @property
    def version(self) -> int:
        """Of the format."""
        ...

    @property
    def model(self) -> str:
        """Name of the model that wrote it; it may be empty."""
        ...

    @property
    def num_samples(self) -> int | None:
        """Length of the recording, if that is known from the start."""
        ...

    @property
    def is_coded(self) -> bool:
        """Whether it takes a language model to read, or may for some packets."""
        ...

    @property
    def lost_samples(self) -> int:
        """Samples per channel that were missing so far, and were concealed."""
        ...

    def pieces(
        self,
        engine: Engine,
        grid_frames: int,
        *,
        coder: PayloadCoder | None = None,
        meta_lm: StartTables | None = None,
        start: int = 0,
    ) -> Iterator[np.ndarray]:
        """Decode piece by piece, in all exactly as many samples as went in. May be called once.

        Args:
            engine: the model that wrote it.
            grid_frames: frames that a causal model takes at once.
            coder: the language model, for packets of version 1 that are coded with one.
            meta_lm: Meta's language model (`meta_lm.MetaLM`), for a file of version 0 that is coded with it.
            start: the first sample that is wanted. In a file of version 1 little before it is decoded.

        Yields:
            audio (C, T), T >= 0.

        Raises:
            BitstreamError: if the bytes are damaged, or were written with another model or language model.
        """
        ...


def open_compressor(
    file: IO[bytes],
    engine: Engine,
    num_quantizers: int,
    *,
    num_samples: int | None = None,
    version: int = DEFAULT_VERSION,
    packet_s: float = DEFAULT_PACKET_S,
    grid_frames: int = FILE_GRID_FRAMES,
    coder: PayloadCoder | None = None,
    meta_lm: StartTables | None = None,
) -> Compressor:
    """Begin a recording.

    Args:
        file: takes the bytes.
        engine: the model.
        num_quantizers: codebooks K to use.
        num_samples: length of the recording, if it is known for sure.
        version: of the format. Version 0, Meta's, has the length in front: where it is not known, nothing
            is written before the end.
        packet_s: length of a packet of version 1 in seconds.
        grid_frames: frames that a causal model takes at once.
        coder: the language model that codes the packets of version 1; without one they are plain.
        meta_lm: Meta's language model (`meta_lm.MetaLM`), which codes version 0; without it that is plain.

    Raises:
        ConfigError: for an unknown version, Meta's language model in another than its own, or a length of packets
            that cannot be.
    """
    if version == 0:
        return Compressor0(file, engine, num_quantizers, num_samples, grid_frames, meta_lm)
    if meta_lm is not None:
        raise ConfigError("Meta's language model codes files of version 0 only")
    if version == 1:
        return Compressor1(file, engine, num_quantizers, num_samples, grid_frames, packet_s, coder)
    raise ConfigError(f"version must be one of {VERSIONS}, got {version}")


def open_decompressor(file: IO[bytes], *, tolerant: bool = False) -> Decompressor:
    """Read the beginning of a recording.

    Args:
        file: stands at its start; it may be a pipe.
        tolerant: go on after damage. What is lost is concealed; version 0, which notices no damage, then ends
            where its bytes end.

    Raises:
        BitstreamError: if it is no recording of ours.
    """
    front = read_up_to(file, len(MAGIC) + 1)
    if front[: len(MAGIC)] != MAGIC[: len(front)]:
        raise CorruptError("this is no .ecdc file: it does not begin with ECDC")
    if len(front) <= len(MAGIC):
        raise TruncatedError(f"the file ends after {len(front)} bytes")
    version = front[len(MAGIC)]
    if version not in VERSIONS:
        raise UnsupportedError(f"this reader knows versions 0 and 1 of .ecdc, the file has version {version}")
    whole = file if file.seekable() else Unread(front, file)
    if file.seekable():
        file.seek(-len(front), io.SEEK_CUR)
    return (Decompressor0 if version == 0 else Decompressor1)(cast(IO[bytes], whole), tolerant=tolerant)
