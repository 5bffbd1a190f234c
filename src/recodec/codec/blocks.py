"""Recordings of any length through any model, block by block: memory that does not grow.

What a block is depends on the model: some frames of a causal stream, a segment of a chunked model, or
the whole recording where the model takes nothing less.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any, Generic, Protocol

import numpy as np

from ..ahead import Ahead
from ..config import EncodecConfig
from ..errors import CorruptError
from .checks import check_audio, check_codes, check_count, side_threads
from .engine import Decoder, Engine, StateT
from .rechunk import Rechunker

FILE_GRID_FRAMES = 75
# The default packet at 75 frames a second, 4 s, is one such block.
SPECTRAL_GRID_FRAMES = 300


@dataclass(frozen=True)
class Block:
    """Codes that follow those of the block before.

    Attributes:
        codes: (K, F) int64, F >= 1.
        scale: of a segment, or of a recording, if and only if the model normalizes.
        audio: (C, F * hop) of a segment that was decoded ahead, else `None`.
    """

    codes: np.ndarray
    scale: float | None
    audio: np.ndarray | None = None


class BlockEncoder(Protocol):
    """Audio (C, T) in pieces of any length to blocks of codes. Errors as in `StreamEncoder`."""

    def push(self, audio: np.ndarray) -> list[Block]: ...

    def finish(self) -> list[Block]: ...

    def close(self) -> None:
        """End its threads; what is in work is dropped."""
        ...


class BlockDecoder(Protocol):
    """Blocks of codes to audio (C, T) in pieces, up to a hop longer than what was encoded.

    Errors as in `StreamDecoder`.
    """

    def push(self, block: Block) -> np.ndarray: ...

    def finish(self) -> np.ndarray: ...


def block_encoder(
    engine: Engine[StateT], num_quantizers: int, grid_frames: int = FILE_GRID_FRAMES, jobs: int = 1
) -> BlockEncoder:
    """The encoder for the engine's kind of model.

    Args:
        engine, num_quantizers: as in `FrameEncoder`.
        grid_frames: frames that a causal model takes at once.
        jobs: with more than one, networks run in so many threads, and blocks come later. One of them has the encoder of
            a causal model, each of whose blocks needs the one before.
    """
    if engine.config.is_streamable:
        return FrameEncoder(engine, num_quantizers, grid_frames, jobs)
    return _SegmentEncoder(engine, num_quantizers, jobs)


def file_grid(decoder: Decoder[Any]) -> int:
    """Frames that a decoder takes at once where nothing waits for it: larger blocks make its products faster."""
    return FILE_GRID_FRAMES if decoder.spectral is None else SPECTRAL_GRID_FRAMES


def block_decoder(decoder: Decoder[StateT], grid_frames: int = FILE_GRID_FRAMES) -> BlockDecoder:
    """The decoder for this kind of model; `grid_frames` matters to causal ones."""
    if decoder.config.is_streamable:
        return FrameDecoder(decoder, grid_frames)
    if decoder.config.chunk_length is not None:
        return _SegmentDecoder(decoder)
    return _WholeDecoder(decoder)


class FrameEncoder(Generic[StateT]):
    """Encodes a causal model's frames on a fixed grid.

    The network always sees `grid_frames` frames at once, so the codes are the same, bit for bit, however the
    audio was cut.

    Args:
        engine: of a streamable model.
        num_quantizers: codebooks K to use.
        grid_frames: frames of a block, at least 1.
        jobs: with more than one, the encoder runs in a thread, and the quantizer in one fewer; blocks then come later.

    Raises:
        ConfigError: for a smaller grid.
    """

    def __init__(self, engine: Engine[StateT], num_quantizers: int, grid_frames: int, jobs: int = 1) -> None:
        self._engine, self._num_quantizers = engine, num_quantizers
        self._grid = Rechunker(check_count(grid_frames, "grid_frames") * engine.config.hop_length)
        self._state = engine.encoder_state(1)
        self._latents = Ahead(self._step, threads=min(1, jobs - 1))
        self._codes = Ahead(self._quantize, threads=jobs - 1)

    def push(self, audio: np.ndarray) -> list[Block]:
        audio = check_audio(audio, self._engine.config, may_be_empty=True)
        # Copies: the caller may change its samples as soon as this returns.
        steps = [latents for piece in self._grid.push(audio) for latents in self._latents.push((piece.copy(), False))]
        return self._blocks(steps)

    def finish(self) -> list[Block]:
        rest = self._grid.rest()
        steps = [] if rest is None else self._latents.push((rest, True))
        return [
            *self._blocks([*steps, *self._latents.finish()]),
            *(Block(codes, None) for codes in self._codes.finish()),
        ]

    def close(self) -> None:
        self._latents.close()
        self._codes.close()

    def _step(self, step: tuple[np.ndarray, bool]) -> Any:
        """The next samples (C, T), and whether they are the last, to latents."""
        audio, last = step
        latents, self._state = self._engine.latents_step(audio[None], self._state, last=last)
        return latents

    def _quantize(self, latents: Any) -> np.ndarray:
        return self._engine.quantize(latents, self._num_quantizers)[0]

    def _blocks(self, steps: list[Any]) -> list[Block]:
        """Latents (1, D, F) to the blocks that are ready."""
        pieces = [latents for latents in steps if latents.shape[-1]]
        return [Block(codes, None) for latents in pieces for codes in self._codes.push(latents)]


class FrameDecoder(Generic[StateT]):
    """Decodes a causal model's frames on a fixed grid; the counterpart of `FrameEncoder`.

    The number of codebooks K may change from block to block; there the grid begins anew.
    """

    def __init__(self, engine: Decoder[StateT], grid_frames: int) -> None:
        self._engine, self._grid_frames = engine, check_count(grid_frames, "grid_frames")
        self._grid = Rechunker(grid_frames)
        self._state = engine.decoder_state(1)

    def push(self, block: Block) -> np.ndarray:
        codes = check_codes(block.codes, self._engine.config)
        pieces, rest = [], self._grid.rest()
        if rest is not None and rest.shape[0] != codes.shape[0]:
            # Frames of different numbers of codebooks do not fit into one array: those that wait are decoded first.
            pieces, self._grid = [rest] if rest.shape[1] else [], Rechunker(self._grid_frames)
        return self._decode(pieces + self._grid.push(codes), last=False)

    def finish(self) -> np.ndarray:
        rest = self._grid.rest()
        return self._decode([] if rest is None else [rest], last=True)

    def _decode(self, pieces: list[np.ndarray], *, last: bool) -> np.ndarray:
        parts = [np.zeros((self._engine.config.audio_channels, 0), np.float32)]
        for piece in pieces:
            audio, self._state = self._engine.decode_step(piece[None], self._state, last=last)
            parts.append(audio[0])
        return np.concatenate(parts, axis=1)


class _SegmentEncoder:
    """Segments of a fixed length, or, where the model has none, the whole as one segment."""

    def __init__(self, engine: Engine, num_quantizers: int, jobs: int) -> None:
        self._engine, self._num_quantizers = engine, num_quantizers
        self._stride = engine.config.segment_stride
        # Without segments no block is complete before the end, when `rest` has the whole.
        self._grid = Rechunker(engine.config.chunk_length or sys.maxsize, self._stride)
        self._work = Ahead(self._encode, threads=side_threads(jobs))

    def push(self, audio: np.ndarray) -> list[Block]:
        audio = check_audio(audio, self._engine.config, may_be_empty=True)
        return [block for segment in self._grid.push(audio) for block in self._work.push(segment.copy())]

    def finish(self) -> list[Block]:
        rest, blocks = self._grid.rest(), []
        # Segments overlap, so what remains may hold the starts of several.
        while rest is not None and rest.shape[1]:
            blocks += self._work.push(rest)
            rest = None if self._stride is None else rest[:, self._stride :]
        return [*blocks, *self._work.finish()]

    def close(self) -> None:
        self._work.close()

    def _encode(self, audio: np.ndarray) -> Block:
        codes, scales = self._engine.encode_segment(audio[None], self._num_quantizers)
        return Block(codes[0], None if scales is None else float(scales[0]))


class _SegmentDecoder:
    """Joins decoded segments with a linear cross-fade, as `model.segments.overlap_add` does at once."""

    def __init__(self, engine: Decoder) -> None:
        assert engine.config.segment_stride is not None
        self._engine, self._stride = engine, engine.config.segment_stride
        self._triangle = np.zeros(0, np.float32)
        self._sum = np.zeros((engine.config.audio_channels, 0), np.float32)
        self._weight = np.zeros(0, np.float32)
        self._complete = False

    def push(self, block: Block) -> np.ndarray:
        audio = decode_segment(self._engine, block)
        size = audio.shape[1]
        if not self._triangle.size:  # like the reference's, it is as wide as the first segment
            # Without the two ends, which are 0: the sum is divided by the weights, also where a segment stands alone.
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

    def finish(self) -> np.ndarray:
        return self._take(self._weight.size)

    def _take(self, count: int) -> np.ndarray:
        """The first samples, which no later segment reaches."""
        audio = self._sum[:, :count] / self._weight[:count]
        self._sum, self._weight = self._sum[:, count:], self._weight[count:]
        return audio


class _WholeDecoder:
    """Collects everything: such a model decodes nothing before it has all."""

    def __init__(self, engine: Decoder) -> None:
        self._engine = engine
        self._blocks: list[Block] = []

    def push(self, block: Block) -> np.ndarray:
        if self._blocks and block.codes.shape[0] != self._blocks[0].codes.shape[0]:
            raise CorruptError("this model decodes a recording as a whole: the number of codebooks cannot change")
        self._blocks.append(block)
        return self._nothing()

    def finish(self) -> np.ndarray:
        if not self._blocks:
            return self._nothing()
        codes = np.concatenate([block.codes for block in self._blocks], axis=1)
        whole, self._blocks = Block(codes, self._blocks[0].scale), []
        return decode_segment(self._engine, whole)

    def _nothing(self) -> np.ndarray:
        return np.zeros((self._engine.config.audio_channels, 0), np.float32)


def decode_segment(engine: Decoder, block: Block) -> np.ndarray:
    """One segment to audio (C, F * hop).

    Raises:
        CorruptError: for codes that the model does not have.
    """
    if block.audio is not None:
        return block.audio
    codes = check_codes(block.codes, engine.config)
    scales = None if block.scale is None else np.array([block.scale], np.float32)
    return engine.decode_segment(codes[None], scales)[0]


def split_codes(
    codes: np.ndarray, scales: np.ndarray | None, num_samples: int | None, config: EncodecConfig
) -> tuple[list[Block], int]:
    """The segments of a recording's codes, one after the other, with their scales; and its length in samples.

    Args:
        codes: (K, F) of all segments.
        scales: (S,) of a model that normalizes, else `None`.
        num_samples: length of the recording. A model that works in segments needs it, to know where they lie;
            for others the default is all that the codes give, F * hop.
        config: of the model.

    Raises:
        CorruptError: if codes, scales and length do not belong together or to this model.
        ConfigError: for a length that is not an integer, or below 0.
    """
    codes = check_codes(codes, config)
    frames = codes.shape[1]
    if num_samples is None and config.chunk_length is not None:
        raise CorruptError("a model that works in segments needs num_samples to decode")
    length = frames * config.hop_length if num_samples is None else check_count(num_samples, "num_samples", least=0)
    # A length that is far too large must be refused before its segments are counted one by one.
    if not 1 <= length <= frames * config.hop_length:
        raise CorruptError(f"{frames} frames cannot be {length} samples")
    sizes = [config.segment_frames(length, i) for i in range(config.num_segments(length))]
    if sum(sizes) != frames:
        raise CorruptError(f"{length} samples have {sum(sizes)} frames, the codes have {frames}")
    wanted = (len(sizes),) if config.normalize else None
    given = None if scales is None else np.shape(scales)
    if given != wanted:
        raise CorruptError(f"scales must be of shape {wanted} for these codes, got {given}")
    ends = np.cumsum(sizes)
    pieces = [codes[:, end - size : end] for end, size in zip(ends, sizes, strict=True)]
    values = [None] * len(sizes) if scales is None else [float(scale) for scale in scales]
    return [Block(piece, scale) for piece, scale in zip(pieces, values, strict=True)], length


def join_codes(blocks: list[Block]) -> tuple[np.ndarray, np.ndarray | None]:
    """Codes (K, F) of all blocks, and their scales (S,) float32 or `None`."""
    codes = np.concatenate([block.codes for block in blocks], axis=1)
    scales = [block.scale for block in blocks if block.scale is not None]
    return codes, np.array(scales, np.float32) if scales else None
