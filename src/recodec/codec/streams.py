"""Live streams of a causal model: audio in pieces to codes, codes in pieces to audio."""

from __future__ import annotations

import numpy as np

from ..config import EncodecConfig
from ..errors import AudioError, ConfigError, CorruptError
from .checks import check_audio, check_codes
from .engine import Engine
from .regrid import Regrid


class StreamEncoder:
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

    def __init__(self, engine: Engine, num_quantizers: int, grid_frames: int = 1) -> None:
        _check_streamable(engine.config, grid_frames)
        self._engine, self._num_quantizers = engine, num_quantizers
        self._grid = Regrid(grid_frames * engine.config.hop_length)
        self._state = engine.encoder_state(1)
        self._ended = False

    def push(self, audio: np.ndarray) -> np.ndarray:
        """Take the next samples (C, T), T >= 0, and give the codes (K, F), F >= 0, that are now final.

        Raises:
            AudioError: for a wrong shape or type, samples that are not finite, or after `flush`.
        """
        if self._ended:
            raise AudioError("the stream has ended: flush was called")
        blocks = self._grid.push(check_audio(audio, self._engine.config, may_be_empty=True))
        return self._joined([self._step(block, last=False) for block in blocks])

    def flush(self) -> np.ndarray:
        """End the stream and give its last codes (K, F). In all there are ceil(T / hop) frames."""
        rest = None if self._ended else self._grid.rest()
        self._ended = True
        return self._joined([] if rest is None else [self._step(rest, last=True)])

    def _step(self, block: np.ndarray, *, last: bool) -> np.ndarray:
        codes, self._state = self._engine.encode_step(
            block[None], self._state, last=last, num_quantizers=self._num_quantizers
        )
        return codes[0]

    def _joined(self, parts: list[np.ndarray]) -> np.ndarray:
        return np.concatenate([np.zeros((self._num_quantizers, 0), np.int64), *parts], axis=1)


class StreamDecoder:
    """Codes in pieces of any number of frames to audio; the counterpart of `StreamEncoder`.

    Args:
        engine: of a model that is causal, does not normalize and has no segments.
        grid_frames: frames of a block, at least 1; the audio is the same, bit for bit, for any pieces.

    Raises:
        ConfigError: for a model that cannot be streamed.
    """

    def __init__(self, engine: Engine, grid_frames: int = 1) -> None:
        _check_streamable(engine.config, grid_frames)
        self._engine = engine
        self._grid_frames = grid_frames
        self._grid = Regrid(grid_frames)
        self._state = engine.decoder_state(1)
        self._ended = False

    def push(self, codes: np.ndarray) -> np.ndarray:
        """Take the next frames (K, F), F >= 0, and give the audio (C, T), T >= 0, that is now final.

        K may change from push to push; there the grid begins anew.

        Raises:
            CorruptError: for a wrong shape or type, codes that the codebooks do not have, or after `flush`.
        """
        if self._ended:
            raise CorruptError("the stream has ended: flush was called")
        codes = check_codes(codes, self._engine.config)
        blocks, rest = [], self._grid.rest()
        if rest is not None and rest.shape[0] != codes.shape[0]:
            blocks, self._grid = [rest] if rest.shape[1] else [], Regrid(self._grid_frames)
        blocks += self._grid.push(codes)
        return self._joined([self._step(block, last=False) for block in blocks])

    def flush(self) -> np.ndarray:
        """End the stream and give its last audio (C, T). In all there are F * hop samples."""
        rest = None if self._ended else self._grid.rest()
        self._ended = True
        return self._joined([] if rest is None else [self._step(rest, last=True)])

    def _step(self, block: np.ndarray, *, last: bool) -> np.ndarray:
        audio, self._state = self._engine.decode_step(block[None], self._state, last=last)
        return audio[0]

    def _joined(self, parts: list[np.ndarray]) -> np.ndarray:
        return np.concatenate([np.zeros((self._engine.config.audio_channels, 0), np.float32), *parts], axis=1)


def _check_streamable(config: EncodecConfig, grid_frames: int) -> None:
    if config.chunk_length is not None:
        raise ConfigError(
            f"this model's unit is a segment of {config.chunk_length_s:g} s: it cannot be streamed in frames"
        )
    if not config.is_streamable:
        raise ConfigError("this model looks at a recording as a whole: it cannot be streamed")
    if grid_frames < 1:
        raise ConfigError(f"grid_frames must be at least 1, got {grid_frames}")
