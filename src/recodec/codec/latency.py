"""How long a live stream waits, found by counting samples through the layer records."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from .. import architecture as arch
from ..config import EncodecConfig
from ..spectral import SpectralConfig

_STEADY_FRAMES = 64  # after the start, by far enough for any layer to have settled


class Latency(NamedTuple):
    """Delays of encoder and decoder together, in seconds of audio; computing time comes on top.

    Attributes:
        start_up_s: audio that must have come in before the first sample comes out.
        steady_s: from then on, the most that a sample waits between coming in and going out.
    """

    start_up_s: float
    steady_s: float


def latency(config: EncodecConfig, grid_frames: int = 1, spectral: SpectralConfig | None = None) -> Latency:
    """Delay of a stream that is coded in blocks of `grid_frames` frames.

    A spectral decoder, if one is given, waits for the frames that it looks ahead, and for the windows that overlap.

    Mirrored padding (`pad_mode="reflect"`) makes the first frames wait: a layer's first output needs
    the samples that are mirrored. A chunked model waits for its segment, and a model that takes a
    recording as a whole waits for ever.
    """
    if config.chunk_length is not None:
        return Latency(config.chunk_length / config.sampling_rate, config.chunk_length / config.sampling_rate)
    if not config.is_streamable:
        return Latency(math.inf, math.inf)
    block = grid_frames * config.hop_length
    encoder = arch.encoder_layers(config)
    encoder_state = _fresh(encoder)
    decoder = _Decoder(config) if spectral is None else _SpectralDecoder(spectral)
    pushed, out, start_up, steady, settled = 0, 0, 0, 0, 0
    while settled < _STEADY_FRAMES:
        pushed += block
        before = out
        frames, encoder_state = _chain(encoder, block, encoder_state)
        for _ in range(frames // grid_frames):  # all blocks so far, or none: a conv gives floor(T / stride)
            out += decoder.push(grid_frames)
        if not before and out:
            start_up = pushed
        elif before:
            steady = max(steady, pushed - before)
            settled += grid_frames
    return Latency(start_up / config.sampling_rate, steady / config.sampling_rate)


class _Decoder:
    """Counts what EnCodec's decoder gives."""

    def __init__(self, config: EncodecConfig) -> None:
        self._layers = arch.decoder_layers(config)
        self._state = _fresh(self._layers)

    def push(self, frames: int) -> int:
        samples, self._state = _chain(self._layers, frames, self._state)
        return samples


class _SpectralDecoder:
    """Counts what a spectral decoder gives: nothing before its first windows overlap as all later ones do."""

    def __init__(self, config: SpectralConfig) -> None:
        self._config, self._frames, self._given = config, 0, 0

    def push(self, frames: int) -> int:
        config = self._config
        self._frames += frames
        ready = self._frames - config.look_ahead_frames
        total = ready * config.hop_length - config.trim if ready >= config.parts - 1 else 0
        samples, self._given = total - self._given, total
        return samples


# ---- counts in place of samples: the same steps as `nn.layers` -----------------------------


def _fresh(layers: tuple[arch.Layer, ...]) -> list[Any]:
    return [None] * len(layers)


def _chain(layers: tuple[arch.Layer, ...], count: int, states: list[Any]) -> tuple[int, list[Any]]:
    after = []
    for layer, state in zip(layers, states, strict=True):
        count, state = _step(layer, count, state)
        after.append(state)
    return count, after


def _step(layer: arch.Layer, count: int, state: Any) -> tuple[int, Any]:
    """Samples that a layer gives for `count` more, and its next state."""
    match layer:
        case arch.Conv():
            return _conv(layer, count, state)
        case arch.TransposedConv():
            if state is None and count:
                return count * layer.stride - layer.trim[0], True
            return count * layer.stride, state
        case arch.Residual():
            states, waiting = state if state is not None else (_fresh(layer.branch), 0)
            ready, states = _chain(layer.branch, count, states)
            return ready, (states, waiting + count - ready)
        case _:
            return count, None


def _conv(layer: arch.Conv, count: int, state: tuple[int, bool] | None) -> tuple[int, tuple[int, bool]]:
    held, primed = state or (0, False)
    held += count
    left = layer.padding[0]
    if not primed:
        if layer.pad_mode == "reflect" and held <= left:
            return 0, (held, False)
        held += left
    frames = max(0, (held - layer.span) // layer.stride + 1)
    return frames, (held - frames * layer.stride, True)
