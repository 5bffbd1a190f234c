"""The torch engine: `EncodecModel` with the `Engine` protocol. The one file of this room that needs torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ..config import EncodecConfig
from ..model.encodec import EncodecModel
from ..model.quantizer import FrozenQuantizer
from ..nn.layers import Network
from ..nn.spectral import SpectralDecoder
from ..spectral import SpectralConfig


class TorchEngine:
    """A model for inference. See `Engine` for the methods.

    Args:
        model: taken over: its weight norm is folded in place. It may be on a GPU.
        name: of the model, for files.
        fingerprint: of its weights.
        threads: for CPU work; torch's own choice by default.
    """

    def __init__(self, model: EncodecModel, name: str, fingerprint: str, threads: int | None = None) -> None:
        self._model = model.eval().fold_weight_norm()
        self._quantizer = FrozenQuantizer(model.quantizer)
        self._name, self._fingerprint, self._threads = name, fingerprint, threads

    @property
    def config(self) -> EncodecConfig:
        return self._model.config

    @property
    def name(self) -> str:
        return self._name

    @property
    def fingerprint(self) -> str:
        return self._fingerprint

    @property
    def spectral(self) -> None:
        return None

    @property
    def on_cpu(self) -> bool:
        return self._model.device.type == "cpu"

    @property
    def codebooks(self) -> np.ndarray:
        return np.stack([book.embed.float().cpu().numpy() for book in self._model.quantizer.codebooks])

    def spectral_decoder(self, config: SpectralConfig, tensors: Mapping[str, np.ndarray]) -> TorchSpectralDecoder:
        return TorchSpectralDecoder(self._model, config, tensors, self._threads)

    def encode_segment(self, audio: np.ndarray, num_quantizers: int) -> tuple[np.ndarray, np.ndarray | None]:
        with inference(self._threads):
            x, scale = self._tensor(audio), None
            if self.config.normalize:
                scale = x.mean(1, keepdim=True).square().mean(-1, keepdim=True).sqrt() + 1e-8
                x = x / scale
            codes = self._quantizer.quantize(self._model.encoder(x), num_quantizers)
            return codes.cpu().numpy(), None if scale is None else scale.flatten().float().cpu().numpy()

    def decode_segment(self, codes: np.ndarray, scales: np.ndarray | None) -> np.ndarray:
        with inference(self._threads):
            audio = self._model.decoder(self._model.quantizer.dequantize(self._codes(codes)))
            if scales is not None:
                audio = audio * self._tensor(scales)[:, None, None]
            return audio.float().cpu().numpy()

    def encoder_state(self, batch: int) -> TorchStreams:
        return TorchStreams(self._model.encoder, self._model.encoder.init_state(batch))

    def encode_step(
        self, audio: np.ndarray, state: TorchStreams, *, last: bool, num_quantizers: int
    ) -> tuple[np.ndarray, TorchStreams]:
        latents, state = self.latents_step(audio, state, last=last)
        return self.quantize(latents, num_quantizers), state

    def latents_step(self, audio: np.ndarray, state: TorchStreams, *, last: bool) -> tuple[torch.Tensor, TorchStreams]:
        with inference(self._threads):
            return state.step(self._tensor(audio), last=last)

    def quantize(self, latents: torch.Tensor, num_quantizers: int) -> np.ndarray:
        with inference(self._threads):
            return self._quantizer.quantize(latents, num_quantizers).cpu().numpy()

    def decoder_state(self, batch: int) -> TorchStreams:
        return TorchStreams(self._model.decoder, self._model.decoder.init_state(batch))

    def decode_step(self, codes: np.ndarray, state: TorchStreams, *, last: bool) -> tuple[np.ndarray, TorchStreams]:
        with inference(self._threads):
            audio, state = state.step(self._model.quantizer.dequantize(self._codes(codes)), last=last)
            return audio.float().cpu().numpy(), state

    def select_streams(self, state: TorchStreams, rows: Sequence[int]) -> TorchStreams:
        return state.select(torch.as_tensor(rows, dtype=torch.int64, device=self._model.device))

    def _tensor(self, array: np.ndarray) -> torch.Tensor:
        return torch.tensor(array, dtype=self._model.dtype, device=self._model.device)

    def _codes(self, codes: np.ndarray) -> torch.Tensor:
        return torch.tensor(codes, device=self._model.device)


class TorchSpectralDecoder:
    """A spectral decoder for a model's codes. See `codec.engine.Decoder` for the methods.

    Args:
        model: whose codes it decodes; the decoder has its device and precision.
        config, tensors: of the decoder.
        threads: for CPU work; torch's own choice by default.
    """

    def __init__(
        self, model: EncodecModel, config: SpectralConfig, tensors: Mapping[str, np.ndarray], threads: int | None
    ) -> None:
        self._model, self._threads = model, threads
        self.config: EncodecConfig = model.config
        self.spectral = config
        network = SpectralDecoder(config)
        network.load_state_dict({name: torch.from_numpy(tensor) for name, tensor in tensors.items()})
        self._network = network.eval().to(model.device, model.dtype)

    def decode_segment(self, codes: np.ndarray, scales: np.ndarray | None) -> np.ndarray:
        with inference(self._threads):
            condition = self.spectral.condition(codes.shape[1])
            return self._network(self._latents(codes), condition).float().cpu().numpy()

    def decoder_state(self, batch: int) -> TorchStreams:
        return TorchStreams(self._network, self._network.init_state(batch))

    def decode_step(self, codes: np.ndarray, state: TorchStreams, *, last: bool) -> tuple[np.ndarray, TorchStreams]:
        with inference(self._threads):
            condition = self.spectral.condition(codes.shape[1])
            audio, layers = self._network.step(self._latents(codes), state.layers, last=last, condition=condition)
            return audio.float().cpu().numpy(), TorchStreams(self._network, layers)

    def select_streams(self, state: TorchStreams, rows: Sequence[int]) -> TorchStreams:
        return state.select(torch.as_tensor(rows, dtype=torch.int64, device=self._model.device))

    def _latents(self, codes: np.ndarray) -> torch.Tensor:
        return self._model.quantizer.dequantize(torch.tensor(codes, device=self._model.device))


@contextmanager
def inference(threads: int | None) -> Iterator[None]:
    """No gradients, and that many threads for CPU work."""
    before = torch.get_num_threads()
    if threads is not None:
        torch.set_num_threads(threads)
    try:
        with torch.inference_mode():
            yield
    finally:
        torch.set_num_threads(before)


@dataclass(frozen=True)
class TorchStreams:
    """A network and the states of its layers, for a batch of streams."""

    network: Network | SpectralDecoder
    layers: tuple[Any, ...]

    def step(self, x: torch.Tensor, *, last: bool) -> tuple[torch.Tensor, TorchStreams]:
        y, layers = self.network.step(x, self.layers, last=last)
        return y, TorchStreams(self.network, layers)

    def select(self, rows: torch.Tensor) -> TorchStreams:
        return TorchStreams(self.network, self.network.select(self.layers, rows))
