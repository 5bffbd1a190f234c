"""The two other implementations with random weights, and ours with the weights of either.

Random weights are drawn so that signals keep their size through the network and all codebooks are in
use: a mistake anywhere in it then changes the result.
"""

from __future__ import annotations

import dataclasses
import importlib
import math
import sys
import types
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch

from recodec.checkpoint import conform
from recodec.config import EncodecConfig
from recodec.model.encodec import EncodecModel


def hf_model(config: EncodecConfig, seed: int = 0) -> Any:
    """A `transformers.EncodecModel` of this configuration with random weights."""
    import transformers

    model = transformers.EncodecModel(transformers.EncodecConfig(**config.to_dict()))
    return _randomize(model, [level.codebook for level in model.quantizer.layers], config, seed)


def meta_model(config: EncodecConfig, seed: int = 0) -> Any:
    """An `encodec.EncodecModel` of this configuration with random weights."""
    encodec = import_encodec()
    network = {
        "channels": config.audio_channels,
        "dimension": config.hidden_size,
        "n_filters": config.num_filters,
        "n_residual_layers": config.num_residual_layers,
        "ratios": list(config.upsampling_ratios),
        "norm": config.norm_type,
        "kernel_size": config.kernel_size,
        "last_kernel_size": config.last_kernel_size,
        "residual_kernel_size": config.residual_kernel_size,
        "dilation_base": config.dilation_growth_rate,
        "causal": config.use_causal_conv,
        "pad_mode": config.pad_mode,
        "true_skip": not config.use_conv_shortcut,
        "compress": config.compress,
        "lstm": config.num_lstm_layers,
    }
    model = encodec.EncodecModel(
        encodec.modules.SEANetEncoder(**network),
        encodec.modules.SEANetDecoder(**network, trim_right_ratio=config.trim_right_ratio),
        encodec.quantization.ResidualVectorQuantizer(
            dimension=config.hidden_size, n_q=config.num_quantizers, bins=config.codebook_size
        ),
        list(config.target_bandwidths),
        config.sampling_rate,
        config.audio_channels,
        normalize=config.normalize,
        segment=config.chunk_length_s,
        overlap=config.overlap or 0.0,
    )
    return _randomize(model, [level._codebook for level in model.quantizer.vq.layers], config, seed)


def import_encodec(module: str = "encodec") -> Any:
    """A module of the package `encodec`, which imports torchaudio only for resampling: a stub stands in for it.

    `transformers` looks whether torchaudio is there when it is imported, and does not take the stub: so it comes first.
    """
    importlib.import_module("transformers")
    sys.modules.setdefault("torchaudio", types.ModuleType("torchaudio"))
    return importlib.import_module(module)


def ours(peer: torch.nn.Module, config: EncodecConfig) -> EncodecModel:
    """Our model with the weights of a peer."""
    model = EncodecModel(config)
    tensors = conform(to_arrays(peer.state_dict()), config)
    model.load_state_dict({name: torch.from_numpy(tensor) for name, tensor in tensors.items()})
    return model.eval()


def random_model(config: EncodecConfig, seed: int = 0) -> EncodecModel:
    """Our model with random weights."""
    model = EncodecModel(config)
    return _randomize(model, model.quantizer.codebooks, config, seed)


def to_arrays(state: dict[str, torch.Tensor]) -> dict[str, np.ndarray]:
    """A state dictionary with NumPy arrays for tensors."""
    return {name: tensor.detach().numpy().copy() for name, tensor in state.items()}


def variant(config: EncodecConfig, **changes: Any) -> EncodecConfig:
    """A configuration with some fields changed."""
    return dataclasses.replace(config, codebook_dim=None, **changes)


def noise(config: EncodecConfig, num_samples: int, *, batch: int = 1, seed: int = 0) -> torch.Tensor:
    """(B, C, T) white noise with a slow envelope, so that its loudness differs along it."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(batch, config.audio_channels, num_samples, generator=generator)
    time = torch.arange(num_samples) / config.sampling_rate
    return x * (0.3 + 0.2 * torch.sin(2 * math.pi * 3 * time))


@torch.no_grad()
def _randomize(model: Any, codebooks: Iterable[Any], config: EncodecConfig, seed: int) -> Any:
    generator = torch.Generator().manual_seed(seed)

    def normal(tensor: torch.Tensor, scale: float) -> None:
        tensor.copy_(torch.randn(tensor.shape, generator=generator) * scale)

    for name, parameter in model.named_parameters():
        if name.endswith(("original0", "weight_g", "norm.weight")):  # gains
            parameter.copy_(0.8 + 0.8 * torch.rand(parameter.shape, generator=generator))
        elif parameter.dim() > 1:
            normal(parameter, 1 / math.sqrt(parameter[0].numel()))
        else:
            normal(parameter, 0.1)
    latents = model.encoder(noise(config, 8 * config.hop_length, seed=seed))
    scale = float(latents.std())
    for book in codebooks:
        normal(book.embed, scale)
        normal(book.embed_avg, scale)
        book.cluster_size.copy_(torch.rand(book.cluster_size.shape, generator=generator) * 100)
        scale *= 0.8
    return model.eval()
