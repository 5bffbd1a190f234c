"""Recordings of any length through any model, block by block: memory that does not grow.

What a block is depends on the model: some frames of a causal stream, a segment of a chunked model, or
the whole recording where the model takes nothing less.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ..config import EncodecConfig
from ..errors import CorruptError
from .checks import check_audio, check_codes
from .engine import Engine
from .regrid import Regrid
from .streams import StreamDecoder, StreamEncoder

FILE_GRID_FRAMES = 75


@dataclass(frozen=True)
class Block:
    """Codes that follow those of the block before.

    Attributes:
        codes: (K, F) int64, F >= 1.
        scale: of a segment, or of a recording, if and only if the model normalizes.
    """

    codes: np.ndarray
    scale: float | None


class BlockEncoder(Protocol):
    """Audio (C, T) in pieces of any length to blocks of codes. Errors as in `StreamEncoder`."""

    def push(self, audio: np.ndarray) -> list[Block]: ...

    def flush(self) -> list[Block]: ...


class BlockDecoder(Protocol):
    """Blocks of codes to audio (C, T) in pieces, up to a hop longer than what was encoded.

    Errors as in `StreamDecoder`.
    """

    def push(self, block: Block) -> np.ndarray: ...

    def flush(self) -> np.ndarray: ...


def block_encoder(engine: Engine, num_quantizers: int, grid_frames: int = FILE_GRID_FRAMES) -> BlockEncoder:
    """The encoder for the engine's kind of model; `grid_frames` matters to causal ones."""
    if engine.config.is_streamable:
        return _FrameEncoder(engine, num_quantizers, grid_frames)
    return _SegmentEncoder(engine, num_quantizers)


def block_decoder(engine: Engine, grid_frames: int = FILE_GRID_FRAMES) -> BlockDecoder:
    """The decoder for the engine's kind of model; `grid_frames` matters to causal ones."""
    if engine.config.is_streamable:
        return _FrameDecoder(engine, grid_frames)
    if engine.config.chunk_length is not None:
        return _SegmentDecoder(engine)
    return _WholeDecoder(engine)


def segment_stride(config: EncodecConfig) -> int:
    """Samples between the starts of segments, of a model that has any."""
    assert config.chunk_length is not None
    return config.chunk_stride or config.chunk_length


class _FrameEncoder:
    def __init__(self, engine: Engine, num_quantizers: int, grid_frames: int) -> None:
        self._stream = StreamEncoder(engine, num_quantizers, grid_frames)

    def push(self, audio: np.ndarray) -> list[Block]:
        return self._blocks(self._stream.push(audio))

    def flush(self) -> list[Block]:
        return self._blocks(self._stream.flush())

    def _blocks(self, codes: np.ndarray) -> list[Block]:
        return [Block(codes, None)] if codes.shape[1] else []


class _FrameDecoder:
    def __init__(self, engine: Engine, grid_frames: int) -> None:
        self._stream = StreamDecoder(engine, grid_frames)

    def push(self, block: Block) -> np.ndarray:
        return self._stream.push(block.codes)

    def flush(self) -> np.ndarray:
        return self._stream.flush()


class _SegmentEncoder:
    """Segments of a fixed length, or, where the model has none, the whole as one segment."""

    def __init__(self, engine: Engine, num_quantizers: int) -> None:
        self._engine, self._num_quantizers = engine, num_quantizers
        self._stride: int | None = None
        if engine.config.chunk_length is not None:
            self._stride = segment_stride(engine.config)
            self._grid = Regrid(engine.config.chunk_length, self._stride)
        else:
            self._grid = Regrid(sys.maxsize)

    def push(self, audio: np.ndarray) -> list[Block]:
        audio = check_audio(audio, self._engine.config, may_be_empty=True)
        return [self._encode(segment) for segment in self._grid.push(audio)]

    def flush(self) -> list[Block]:
        rest, blocks = self._grid.rest(), []
        while rest is not None and rest.shape[1]:
            blocks.append(self._encode(rest))
            rest = None if self._stride is None else rest[:, self._stride :]
        return blocks

    def _encode(self, audio: np.ndarray) -> Block:
        codes, scales = self._engine.encode_segment(audio[None], self._num_quantizers)
        return Block(codes[0], None if scales is None else float(scales[0]))


class _SegmentDecoder:
    """Joins decoded segments with a linear cross-fade, as `model.segments.overlap_add` does at once."""

    def __init__(self, engine: Engine) -> None:
        self._engine, self._stride = engine, segment_stride(engine.config)
        self._triangle = np.zeros(0, np.float32)
        self._sum = np.zeros((engine.config.audio_channels, 0), np.float32)
        self._weight = np.zeros(0, np.float32)
        self._complete = False

    def push(self, block: Block) -> np.ndarray:
        audio = _decode(self._engine, block.codes, block.scale)
        size = audio.shape[1]
        if not self._triangle.size:  # like the reference's, it is as wide as the first segment
            ramp = np.linspace(0, 1, size + 2, dtype=np.float32)[1:-1]
            self._triangle = np.float32(0.5) - np.abs(ramp - np.float32(0.5))
        if self._complete or size > self._triangle.size:
            raise CorruptError(f"a segment of {block.codes.shape[1]} frames cannot follow a shorter one")
        self._complete = size < self._stride  # only the last segment may be that short
        missing = max(0, size - self._weight.size)
        self._sum = np.pad(self._sum, ((0, 0), (0, missing)))
        self._weight = np.pad(self._weight, (0, missing))
        self._sum[:, :size] += self._triangle[:size] * audio
        self._weight[:size] += self._triangle[:size]
        return self._take(min(self._stride, size))

    def flush(self) -> np.ndarray:
        return self._take(self._weight.size)

    def _take(self, count: int) -> np.ndarray:
        """The first samples, which no later segment reaches."""
        audio = self._sum[:, :count] / self._weight[:count]
        self._sum, self._weight = self._sum[:, count:], self._weight[count:]
        return audio


class _WholeDecoder:
    """Collects everything: such a model decodes nothing before it has all."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._blocks: list[Block] = []

    def push(self, block: Block) -> np.ndarray:
        if self._blocks and block.codes.shape[0] != self._blocks[0].codes.shape[0]:
            raise CorruptError("this model decodes a recording as a whole: the number of codebooks cannot change")
        self._blocks.append(block)
        return self._nothing()

    def flush(self) -> np.ndarray:
        if not self._blocks:
            return self._nothing()
        codes = np.concatenate([block.codes for block in self._blocks], axis=1)
        scale, self._blocks = self._blocks[0].scale, []
        return _decode(self._engine, codes, scale)

    def _nothing(self) -> np.ndarray:
        return np.zeros((self._engine.config.audio_channels, 0), np.float32)


def _decode(engine: Engine, codes: np.ndarray, scale: float | None) -> np.ndarray:
    """One segment (K, F) to (C, F * hop)."""
    codes = check_codes(codes, engine.config)
    scales = None if scale is None else np.array([scale], np.float32)
    return engine.decode_segment(codes[None], scales)[0]
