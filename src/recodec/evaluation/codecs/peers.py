"""Other people's neural codecs, where they are installed and their weights can be loaded.

They are imported by name when asked for, so that none of them is a dependency.
"""

from __future__ import annotations

import importlib
import math
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import CheckpointError, ConfigError
from .base import Encoded


def _import(name: str, package: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ConfigError(f"{package} cannot be imported ({error}); install it to compare with it") from error


class _TorchPeer:
    """What the peers share: a torch model with a rate and channels of its own."""

    def __init__(self, name: str, bandwidth_kbps: float | None, rate_hz: int, channels: int) -> None:
        self._torch = importlib.import_module("torch")
        self.name = name
        self.bandwidth_kbps = bandwidth_kbps
        self._rate_hz, self._channels = rate_hz, channels

    def takes(self, rate_hz: int, channels: int) -> tuple[int, int]:
        return self._rate_hz, self._channels

    def encode(self, audio: np.ndarray, rate_hz: int) -> Encoded:
        with self._torch.inference_mode():
            return self._encode(self._torch.from_numpy(audio)[None])

    def decode(self, encoded: Encoded, rate_hz: int, num_samples: int) -> np.ndarray:
        with self._torch.inference_mode():
            return self._decode(encoded.content)[0, :, :num_samples].numpy()

    def _encode(self, x: Any) -> Encoded:
        raise NotImplementedError

    def _decode(self, content: Any) -> Any:
        raise NotImplementedError


class MetaCodec(_TorchPeer):
    """Meta's `encodec`: model `24khz` or `48khz` (fetched by it), or a folder with one of its `.th` files."""

    def __init__(self, model: str | None, bandwidth_kbps: float) -> None:
        peer = _import("encodec", "encodec")
        model = model or "24khz"
        makers = {"24khz": peer.EncodecModel.encodec_model_24khz, "48khz": peer.EncodecModel.encodec_model_48khz}
        if model in makers:
            self._model = _loaded(lambda: makers[model](), "encodec", model)
        else:
            which = "48khz" if any(Path(model).glob("encodec_48khz*.th")) else "24khz"
            self._model = _loaded(lambda: makers[which](repository=Path(model)), "encodec", model)
        if bandwidth_kbps not in self._model.target_bandwidths:
            raise ConfigError(f"encodec {model} has the bandwidths {self._model.target_bandwidths}")
        self._model.set_target_bandwidth(bandwidth_kbps)
        super().__init__(f"encodec:{model}", bandwidth_kbps, self._model.sample_rate, self._model.channels)

    def _encode(self, x: Any) -> Encoded:
        frames = self._model.encode(x)
        codes = np.concatenate([codes[0].numpy() for codes, _ in frames], axis=1)
        scales = sum(scale is not None for _, scale in frames)
        return Encoded(frames, _bytes(codes.size, 10) + 4 * scales, None, codes, 1024)

    def _decode(self, content: Any) -> Any:
        return self._model.decode(content)


class TransformersCodec(_TorchPeer):
    """`transformers.EncodecModel` of a hub id or a folder."""

    def __init__(self, model: str | None, bandwidth_kbps: float) -> None:
        peer = _import("transformers", "transformers")
        model = model or "facebook/encodec_24khz"
        self._model = _loaded(lambda: peer.EncodecModel.from_pretrained(model).eval(), "transformers", model)
        config = self._model.config
        if bandwidth_kbps not in config.target_bandwidths:
            raise ConfigError(f"{model} has the bandwidths {config.target_bandwidths}")
        super().__init__(f"transformers:{model}", bandwidth_kbps, config.sampling_rate, config.audio_channels)

    def _encode(self, x: Any) -> Encoded:
        content = self._model.encode(x, bandwidth=self.bandwidth_kbps, return_dict=True)
        segments = content.audio_codes[:, 0].numpy()
        codes = segments.transpose(1, 0, 2).reshape(segments.shape[1], -1)
        size = self._model.config.codebook_size
        scales = sum(scale is not None for scale in content.audio_scales)
        return Encoded(content, _bytes(codes.size, math.ceil(math.log2(size))) + 4 * scales, None, codes, size)

    def _decode(self, content: Any) -> Any:
        more = {}
        if getattr(content, "last_frame_pad_length", None) is not None:
            more["last_frame_pad_length"] = content.last_frame_pad_length
        return self._model.decode(content.audio_codes, content.audio_scales, return_dict=True, **more).audio_values


class DacCodec(_TorchPeer):
    """`descript-audio-codec`: model `44khz`, `24khz` or `16khz` (fetched by it), or a file of weights."""

    def __init__(self, model: str | None, bandwidth_kbps: float) -> None:
        peer = _import("dac", "descript-audio-codec")
        model = model or "24khz"
        known = model in ("44khz", "24khz", "16khz")
        path = (lambda: peer.utils.download(model_type=model)) if known else (lambda: model)
        self._model = _loaded(lambda: peer.DAC.load(str(path())).eval(), "descript-audio-codec", model)
        self._bits = math.ceil(math.log2(self._model.codebook_size))
        a_level = self._model.sample_rate / self._model.hop_length * self._bits / 1000
        self._levels = min(max(1, math.floor(bandwidth_kbps / a_level + 1e-6)), self._model.n_codebooks)
        super().__init__(f"dac:{model}", bandwidth_kbps, self._model.sample_rate, 1)

    def _encode(self, x: Any) -> Encoded:
        padded = self._model.preprocess(x, self._rate_hz)
        latents, codes, *_ = self._model.encode(padded, n_quantizers=self._levels)
        codes = codes[0].numpy()
        return Encoded(latents, _bytes(codes.size, self._bits), None, codes, self._model.codebook_size)

    def _decode(self, content: Any) -> Any:
        return self._model.decode(content)


class SnacCodec(_TorchPeer):
    """`snac` of a hub id or a folder. It has one rate, and levels of different frame rates."""

    def __init__(self, model: str | None) -> None:
        peer = _import("snac", "snac")
        model = model or "hubertsiuzdak/snac_24khz"
        self._model = _loaded(lambda: peer.SNAC.from_pretrained(model).eval(), "snac", model)
        self._bits = math.ceil(math.log2(self._model.codebook_size))
        super().__init__(f"snac:{model}", None, self._model.sampling_rate, 1)

    def _encode(self, x: Any) -> Encoded:
        levels = self._model.encode(x)
        count = sum(level.numel() for level in levels)
        return Encoded(levels, _bytes(count, self._bits))

    def _decode(self, content: Any) -> Any:
        return self._model.decode(content)


def _loaded(load: Any, package: str, model: str) -> Any:
    """Load weights; whatever a peer raises becomes one error that says which model it was."""
    try:
        return load()
    except Exception as error:
        raise CheckpointError(f"{package} cannot load {model}: {error}") from error


def _bytes(codes: int, bits: int) -> int:
    return math.ceil(codes * bits / 8)
