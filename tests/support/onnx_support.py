"""Models as both engines, and what the tests of `runtime/` ask of results."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import torch

from recodec import presets
from recodec.config import EncodecConfig
from recodec.model.encodec import EncodecModel
from recodec.onnx_engine import OnnxEngine, StreamState
from support import peers

TINY = presets.tiny()
SMALL_HOP = peers.variant(TINY, upsampling_ratios=(3, 1, 2), sampling_rate=450)

CAUSAL = {
    "reflect": TINY,
    "constant": peers.variant(TINY, pad_mode="constant"),
    "deep": peers.variant(SMALL_HOP, num_residual_layers=3, num_lstm_layers=2, use_conv_shortcut=False),
    "deep constant": peers.variant(SMALL_HOP, num_residual_layers=2, num_lstm_layers=0, pad_mode="constant"),
    "odd kernels": peers.variant(SMALL_HOP, kernel_size=4, last_kernel_size=9, residual_kernel_size=1, compress=1),
    "trimmed": peers.variant(SMALL_HOP, trim_right_ratio=0.3),
    "trimmed constant": peers.variant(SMALL_HOP, trim_right_ratio=0.0, pad_mode="constant"),
    "stereo": peers.variant(SMALL_HOP, audio_channels=2, normalize=False),
}
NON_CAUSAL = {
    "weight norm": peers.variant(SMALL_HOP, use_causal_conv=False, num_residual_layers=2),
    "constant": peers.variant(SMALL_HOP, use_causal_conv=False, pad_mode="constant"),
    "group norm": peers.variant(
        TINY, use_causal_conv=False, norm_type="time_group_norm", normalize=True, audio_channels=2, num_lstm_layers=2
    ),
}


@cache
def torch_model(config_name: str) -> EncodecModel:
    """Our torch model of a configuration of this module, with random weights."""
    return peers.random_model((CAUSAL | {f"non-causal {n}": c for n, c in NON_CAUSAL.items()})[config_name])


@cache
def onnx_engine(config_name: str) -> OnnxEngine:
    """The engine of the same model."""
    return engine_of(torch_model(config_name))


def engine_of(model: EncodecModel) -> OnnxEngine:
    return OnnxEngine(model.config, peers.to_arrays(model.state_dict()), threads=1)


@torch.no_grad()
def torch_encode(model: EncodecModel, audio: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Latents (B, D, F), codes (B, K, F) and scales (B,) of whole segments."""
    latents, _, scale = model._encode_segment(torch.from_numpy(audio), None)
    codes = model.quantizer.quantize(latents, model.config.num_quantizers)
    return latents.numpy(), codes.numpy(), None if scale is None else scale[:, 0].numpy()


@torch.no_grad()
def torch_decode(model: EncodecModel, codes: np.ndarray, scales: np.ndarray | None) -> np.ndarray:
    """Audio (B, C, T) of whole segments."""
    scale = None if scales is None else torch.from_numpy(scales)[:, None]
    return model._decode_segment(model.quantizer.dequantize(torch.from_numpy(codes)), None, scale)[0].numpy()


def audio(config: EncodecConfig, num_samples: int, *, batch: int = 1, seed: int = 0) -> np.ndarray:
    return peers.noise(config, num_samples, batch=batch, seed=seed).numpy()


def codes(config: EncodecConfig, frames: int, *, batch: int = 1, seed: int = 0) -> np.ndarray:
    shape = (batch, config.num_quantizers, frames)
    return np.random.default_rng(seed).integers(0, config.codebook_size, shape)


def pieces(x: np.ndarray, cuts: Sequence[int]) -> list[np.ndarray]:
    """x cut along time at these places; a place may come twice, which makes an empty piece."""
    return np.split(x, sorted(min(cut, x.shape[-1]) for cut in cuts), axis=-1)


def encode_stream(engine: OnnxEngine, parts: Sequence[np.ndarray]) -> np.ndarray:
    """Codes of a stream pushed in these parts."""
    state, count = engine.encoder_state(parts[0].shape[0]), engine.config.num_quantizers
    return _push(parts, state, lambda x, s, last: engine.encode_step(x, s, last=last, num_quantizers=count))


def decode_stream(engine: OnnxEngine, parts: Sequence[np.ndarray]) -> np.ndarray:
    """Audio of a stream pushed in these parts."""
    state = engine.decoder_state(parts[0].shape[0])
    return _push(parts, state, lambda x, s, last: engine.decode_step(x, s, last=last))


def _push(parts: Sequence[np.ndarray], state: StreamState, step: Any) -> np.ndarray:
    out = []
    for index, part in enumerate(parts):
        y, state = step(part, state, index == len(parts) - 1)
        out.append(y)
    return np.concatenate(out, axis=-1)


def assert_near(actual: np.ndarray, expected: np.ndarray, tolerance: float) -> None:
    """Equal shapes, and a largest difference of at most `tolerance` of the largest value."""
    assert actual.shape == expected.shape
    assert actual.dtype == expected.dtype
    if expected.size:
        assert np.abs(actual - expected).max() <= tolerance * np.abs(expected).max()


def assert_codes_fit(model: EncodecModel, latents: np.ndarray, actual: np.ndarray, expected: np.ndarray) -> None:
    """Codes are as expected, but for ties: there each must be a nearest entry up to rounding."""
    assert actual.shape == expected.shape
    assert actual.dtype == expected.dtype
    if np.array_equal(actual, expected):
        return
    residual = latents.transpose(0, 2, 1).astype(np.float64)
    for k, book in enumerate(model.quantizer.codebooks[: actual.shape[1]]):
        entries = book.embed.numpy().astype(np.float64)
        distance = np.square(residual[:, :, None] - entries).sum(-1)
        chosen = np.take_along_axis(distance, actual[:, k, :, None], axis=-1)[..., 0]
        assert (chosen <= distance.min(-1) * (1 + 1e-4)).all(), f"codebook {k}"
        residual = residual - entries[actual[:, k]]
