"""Live streams of a causal model: audio in pieces to codes, codes in pieces to audio."""

from __future__ import annotations

from typing import Generic

import numpy as np

from ..config import EncodecConfig
from ..errors import AudioError, ConfigError, CorruptError
from .blocks import Block, FrameDecoder, FrameEncoder
from .checks import check_audio, check_codes
from .engine import Decoder, Engine, StateT


class StreamEncoder(Generic[StateT]):
    """Audio in pieces of any length to codes.

    The pieces are put together to blocks of `grid_frames` frames, so that the codes are the same, bit
    for bit, however the audio is cut. A larger grid is faster and waits longer.

    Args:
        engine: of a model that is causal, does not normalize and has no segments.
        num_quantizers: codebooks K to use.
        grid_frames: frames of a block, at least 1.

    Raises:
        ConfigError: for a model that cannot be streamed.
    """

    def __init__(self, engine: Engine[StateT], num_quantizers: int, grid_frames: int = 1) -> None:
        _check_streamable(engine.config)
        self._config, self._num_quantizers = engine.config, num_quantizers
        self._frames = FrameEncoder(engine, num_quantizers, grid_frames)
        self._ended = False

    def push(self, audio: np.ndarray) -> np.ndarray:
        """Take the next samples (C, T), T >= 0, and give the codes (K, F), F >= 0, that are now final.

        Raises:
            AudioError: for a wrong shape or type, samples that are not finite, or after `finish`.
        """
        if self._ended:
            raise AudioError("the stream has ended: finish was called")
        return self._joined(self._frames.push(check_audio(audio, self._config, may_be_empty=True)))

    def finish(self) -> np.ndarray:
        """End the stream and give its last codes (K, F). In all there are ceil(T / hop) frames."""
        blocks = [] if self._ended else self._frames.finish()
        self._ended = True
        return self._joined(blocks)

    def _joined(self, blocks: list[Block]) -> np.ndarray:
        nothing = np.zeros((self._num_quantizers, 0), np.int64)
        return np.concatenate([nothing, *(block.codes for block in blocks)], axis=1)


class StreamDecoder(Generic[StateT]):
    """Codes in pieces of any number of frames to audio; the counterpart of `StreamEncoder`.

    Args:
        decoder: of a model that is causal, does not normalize and has no segments.
        grid_frames: frames of a block, at least 1; the audio is the same, bit for bit, for any pieces.

    Raises:
        ConfigError: for a model that cannot be streamed.
    """

    def __init__(self, decoder: Decoder[StateT], grid_frames: int = 1) -> None:
        _check_streamable(decoder.config)
        self._config = decoder.config
        self._frames = FrameDecoder(decoder, grid_frames)
        self._ended = False

    def push(self, codes: np.ndarray) -> np.ndarray:
        """Take the next frames (K, F), F >= 0, and give the audio (C, T), T >= 0, that is now final.

        K may change from push to push; there the grid begins anew.

        Raises:
            CorruptError: for a wrong shape or type, codes that the codebooks do not have, or after `finish`.
        """
        if self._ended:
            raise CorruptError("the stream has ended: finish was called")
        return self._frames.push(Block(check_codes(codes, self._config), None))

    def finish(self) -> np.ndarray:
        """End the stream and give its last audio (C, T). In all there are F * hop samples."""
        if self._ended:
            return np.zeros((self._config.audio_channels, 0), np.float32)
        self._ended = True
        return self._frames.finish()


def _check_streamable(config: EncodecConfig) -> None:
    if config.chunk_length is not None:
        raise ConfigError(
            f"this model's unit is a segment of {config.chunk_length_s:g} s: it cannot be streamed in frames"
        )
    if not config.is_streamable:
        raise ConfigError("this model looks at a recording as a whole: it cannot be streamed")
