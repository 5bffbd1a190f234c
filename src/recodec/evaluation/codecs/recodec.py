"""Recodec's own checkpoints, by either engine."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np

from ... import ecdc
from ...codec import Codec
from ...errors import ConfigError
from .base import Encoded, PageFile


class RecodecCodec:
    """A checkpoint at one bandwidth.

    Args:
        model: a folder or hub id; `None` for the default model.
        bandwidth_kbps: one of the model's.
        engine: `"onnx"` or `"torch"`.
        decoder: as of `Codec.from_pretrained`.

    Raises:
        CheckpointError: if there is no such model.
        ConfigError: if it does not have the bandwidth, or the engine is not installed.
    """

    def __init__(self, model: str | None, bandwidth_kbps: float, engine: str, decoder: str = "auto") -> None:
        kind = "-torch" if engine == "torch" else "" if decoder == "auto" else f"-{decoder}"
        self.name = f"recodec{kind}" + (f":{model}" if model else "")
        self.bandwidth_kbps = bandwidth_kbps
        self._page_decoder = None if model else decoder
        self._codec = Codec.from_pretrained(model, engine, threads=1, decoder=decoder)
        config = self._codec.config
        if bandwidth_kbps not in config.target_bandwidths:
            raise ConfigError(
                f"{self.name} has the bandwidths {list(config.target_bandwidths)}, not {bandwidth_kbps:g}"
            )

    def takes(self, rate_hz: int, channels: int) -> tuple[int, int]:
        return self._codec.sampling_rate, self._codec.config.audio_channels

    def encode(self, audio: np.ndarray, rate_hz: int) -> Encoded:
        codes, scales = self._codec.encode(audio, self.bandwidth_kbps)
        config = self._codec.config
        payload_bytes = math.ceil(codes.size * config.codebook_nbits / 8) + (0 if scales is None else 4 * scales.size)
        file = partial(self._codec.pack, codes, scales, audio.shape[-1])
        return Encoded(
            (codes, scales),
            payload_bytes,
            partial(_coded_bytes, file) if self._codec.language_model is not None else None,
            codes,
            config.codebook_size,
            None if self._page_decoder is None else PageFile(file, self._page_decoder),
        )

    def decode(self, encoded: Encoded, rate_hz: int, num_samples: int) -> np.ndarray:
        codes, scales = encoded.content
        return self._codec.decode(codes, scales, num_samples)


def _coded_bytes(file: Callable[[], bytes]) -> int:
    """Payload bytes with the language model, in packets of the default length."""
    found = ecdc.inspect(file())
    return found.size_bytes - found.overhead_bytes
