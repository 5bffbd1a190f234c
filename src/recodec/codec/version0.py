"""Recordings in version 0 of `.ecdc`, Meta's: the codec's blocks on one side, the wire on the other."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from typing import IO, cast

import numpy as np

from ..config import EncodecConfig
from ..errors import AudioError, TruncatedError
from ..pipes import Unread
from ..wire import ecdc0
from ..wire.payload import PayloadCoder
from ..wire.segments0 import StartTables
from .blocks import Block, block_decoder, block_encoder, segment_stride
from .engine import Engine, known_fingerprints


class Compressor0:
    """See `container.Compressor`. Without `num_samples`, which this version has in front, the codes are kept
    until the end.

    Args:
        file: takes the bytes.
        engine: the model.
        num_quantizers: codebooks K to use.
        num_samples: length of the recording, if known.
        grid_frames: frames that a causal model takes at once.
        meta_lm: Meta's language model, to code with; without it codes are plain.
    """

    def __init__(
        self, file: IO[bytes], engine: Engine, num_quantizers: int, num_samples: int | None, grid_frames: int,
        meta_lm: StartTables | None = None,
    ) -> None:  # fmt: skip
        self._file, self._engine, self._num_quantizers, self._lm = file, engine, num_quantizers, meta_lm
        self._encoder = block_encoder(engine, num_quantizers, grid_frames)
        self._promised, self._count = num_samples, 0
        self._kept: list[Block] = []
        self._writer = None if num_samples is None else self._begin(num_samples)

    def push(self, audio: np.ndarray) -> None:
        self._count += audio.shape[-1]
        if self._promised is not None and self._count > self._promised:
            raise AudioError(f"there are more samples than the {self._promised} that were announced")
        self._write(self._encoder.push(audio))

    def close(self) -> None:
        if self._count == 0:
            raise AudioError("there are no samples")
        if self._promised not in (None, self._count):
            raise AudioError(f"there are {self._count} samples, {self._promised} were announced")
        self._write(self._encoder.flush())
        if self._writer is None:
            self._writer = self._begin(self._count)
            self._write(self._kept)
        self._writer.close()

    def _begin(self, num_samples: int) -> ecdc0.Writer:
        engine, coded = self._engine, self._lm is not None
        header = ecdc0.Header.for_model(engine.name, engine.fingerprint, num_samples, self._num_quantizers, coded)
        return ecdc0.Writer(self._file, header, layout_of(engine.config), self._lm)

    def _write(self, blocks: list[Block]) -> None:
        if self._writer is None:
            self._kept += blocks
            return
        for block in blocks:
            self._writer.push(block.codes, block.scale)


class Decompressor0:
    """See `container.Decompressor`.

    Args:
        file: stands at its start.
        tolerant: play what there is of a file that was cut off.
    """

    version = 0

    def __init__(self, file: IO[bytes], *, tolerant: bool = False) -> None:
        self._file, self._tolerant = file, tolerant
        self.header = ecdc0.read_header(file)

    @property
    def model(self) -> str:
        return self.header.model

    @property
    def num_samples(self) -> int:
        return self.header.num_samples

    @property
    def is_coded(self) -> bool:
        return self.header.coded

    @property
    def lost_samples(self) -> int:
        return 0

    def pieces(
        self,
        engine: Engine,
        grid_frames: int,
        *,
        coder: PayloadCoder | None = None,
        meta_lm: StartTables | None = None,
        start: int = 0,
    ) -> Iterator[np.ndarray]:
        decoder = block_decoder(engine, grid_frames)
        position = 0
        for block in itertools.chain(self.blocks(engine, grid_frames, meta_lm), [None]):
            audio = decoder.flush() if block is None else decoder.push(block)
            audio = audio[:, : self.num_samples - position]
            position += audio.shape[1]
            yield audio[:, max(0, audio.shape[1] - max(0, position - start)) :]

    def blocks(self, engine: Engine, grid_frames: int, meta_lm: StartTables | None = None) -> Iterator[Block]:
        """The codes, in pieces of a segment or of about `grid_frames` frames; see `pieces`. May be called once."""
        self.header.check_model(engine.name, *known_fingerprints(engine))
        config, layout = engine.config, layout_of(engine.config)
        longest = max(8, grid_frames if config.chunk_length is None else config.frames_for(config.chunk_length))
        file = self._file
        if self._tolerant:
            # As a pipe, whose size is not compared with the header's claim; in small pieces, to lose little.
            file = cast(IO[bytes], Unread(b"", self._file))
            longest = longest if layout.segment_length else 8
        with suppress(TruncatedError) if self._tolerant else nullcontext():
            for piece in ecdc0.read_pieces(file, self.header, layout, longest, meta_lm):
                yield Block(piece.codes, piece.scale)


def layout_of(config: EncodecConfig) -> ecdc0.Layout:
    """How a model's codes are cut, in the plain numbers that the wire understands."""
    return ecdc0.Layout(
        code_bits=config.codebook_nbits,
        num_codebooks=config.num_quantizers,
        hop=config.hop_length,
        scaled=config.normalize,
        segment_length=config.chunk_length,
        segment_stride=0 if config.chunk_length is None else segment_stride(config),
    )
