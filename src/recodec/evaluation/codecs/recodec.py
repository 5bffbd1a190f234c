"""Recodec's own checkpoints, by the torch engine."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from ...config import CONFIG_NAME, EncodecConfig
from ...errors import CheckpointError
from .base import Encoded


class TorchCodec:
    """A checkpoint through `EncodecModel`, at one bandwidth."""

    def __init__(self, model: str | None, bandwidth_kbps: float) -> None:
        import torch

        self._torch = torch
        self.name = "recodec-torch" + (f":{model}" if model else "")
        self.bandwidth_kbps = bandwidth_kbps
        self._model = _load(model).eval()
        self._config: EncodecConfig = self._model.config

    def takes(self, rate_hz: int, channels: int) -> tuple[int, int]:
        return self._config.sampling_rate, self._config.audio_channels

    def encode(self, audio: np.ndarray, rate_hz: int) -> Encoded:
        with self._torch.inference_mode():
            content = self._model.encode(self._torch.from_numpy(audio)[None], bandwidth=self.bandwidth_kbps)
        codes = content.audio_codes[:, 0].numpy()
        bits = codes.size * self._config.codebook_nbits
        joined = codes.transpose(1, 0, 2).reshape(codes.shape[1], -1)
        return Encoded(content, math.ceil(bits / 8), None, joined, self._config.codebook_size)

    def decode(self, encoded: Encoded, rate_hz: int, num_samples: int) -> np.ndarray:
        content = encoded.content
        with self._torch.inference_mode():
            audio = self._model.decode(
                content.audio_codes, content.audio_scales, last_frame_pad_length=content.last_frame_pad_length
            ).audio_values
        return audio[0].numpy()[:, :num_samples]


def _load(folder: str | None) -> Any:
    from safetensors.torch import load_file

    from ...model.encodec import EncodecModel

    if folder is None:
        raise CheckpointError("name the folder of a checkpoint: recodec-torch:FOLDER@KBPS")
    model = EncodecModel(EncodecConfig.from_json_file(Path(folder) / CONFIG_NAME))
    weights = load_file(Path(folder) / "model.safetensors")
    model.load_state_dict({name: value.float() for name, value in weights.items()})
    return model.fold_weight_norm()
