"""Small spectral decoders with random weights, ours and Vocos's."""

from __future__ import annotations

import importlib
import sys
import types
from typing import Any

import numpy as np
import torch

from recodec import presets
from recodec.checkpoint import codebook_digest
from recodec.config import EncodecConfig
from recodec.nn.spectral import SpectralDecoder
from recodec.spectral import SpectralConfig
from support import peers

MODEL = presets.tiny()
HOP = MODEL.hop_length


def config(**changes: Any) -> SpectralConfig:
    """A small decoder for the codes of `MODEL`."""
    sizes = {"input_channels": MODEL.hidden_size, "dim": 6, "intermediate_dim": 10, "num_layers": 2, "kernel_size": 5}
    return SpectralConfig(**{**sizes, "n_fft": 4 * HOP, "hop_length": HOP, "look_ahead": 2, **changes})


SHAPES = {
    "causal blocks": config(),
    "no look-ahead": config(look_ahead=0),
    "looks ahead everywhere": config(look_ahead=2, block_look_ahead=2),
    "adapted": config(condition_codebooks=(1, 2)),
    "two windows": config(n_fft=3 * HOP, look_ahead=1, kernel_size=3),
    "even kernel": config(kernel_size=4, look_ahead=3),
}


def decoder(shape: SpectralConfig, seed: int = 0) -> SpectralDecoder:
    """A decoder with random weights, those of the norms too."""
    torch.manual_seed(seed)
    network = SpectralDecoder(shape).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(0.3 * torch.randn_like(parameter))
    return network


def tensors(network: torch.nn.Module) -> dict[str, np.ndarray]:
    """Its tensors as arrays."""
    return peers.to_arrays(network.state_dict())


def digest(model: torch.nn.Module) -> str:
    """Of the codebooks of a model of ours."""
    books: Any = model.quantizer
    return codebook_digest(np.stack([book.embed.numpy() for book in books.codebooks]))


def import_vocos() -> Any:
    """The package, with a stand-in for torchaudio, which it needs for mel spectrograms alone."""
    if "torchaudio" not in sys.modules:
        stand_in: Any = types.ModuleType("torchaudio")
        stand_in.functional = types.ModuleType("torchaudio.functional")
        inner: Any = types.ModuleType("torchaudio.functional.functional")
        inner._hz_to_mel = inner._mel_to_hz = None
        added = {"torchaudio": stand_in, "torchaudio.functional": stand_in.functional}
        sys.modules.update({**added, "torchaudio.functional.functional": inner})
        try:
            return importlib.import_module("vocos")
        finally:
            for name in (*added, "torchaudio.functional.functional"):
                del sys.modules[name]
    return importlib.import_module("vocos")


def vocos_settings(model: EncodecConfig, adapted: bool) -> dict[str, Any]:
    """Content of a `config.yaml` of Vocos, for the codes of a model."""
    bandwidths = list(model.target_bandwidths)
    backbone: dict[str, Any] = {"input_channels": model.hidden_size, "dim": 12, "intermediate_dim": 20, "num_layers": 2}
    if adapted:
        backbone["adanorm_num_embeddings"] = len(bandwidths)
    hop = model.hop_length
    return {
        "feature_extractor": {
            "class_path": "vocos.feature_extractors.EncodecFeatures",
            "init_args": {"encodec_model": "encodec_24khz", "bandwidths": bandwidths, "train_codebooks": False},
        },
        "backbone": {"class_path": "vocos.models.VocosBackbone", "init_args": backbone},
        "head": {
            "class_path": "vocos.heads.ISTFTHead",
            "init_args": {"dim": 12, "n_fft": 4 * hop, "hop_length": hop, "padding": "same"},
        },
    }


def vocos_parts(settings: dict[str, Any], seed: int = 0) -> tuple[Any, Any]:
    """Backbone and head of Vocos with random weights."""
    import_vocos()
    from vocos.heads import ISTFTHead  # type: ignore[import-untyped]
    from vocos.models import VocosBackbone  # type: ignore[import-untyped]

    torch.manual_seed(seed)
    backbone = VocosBackbone(**settings["backbone"]["init_args"]).eval()
    head = ISTFTHead(**settings["head"]["init_args"]).eval()
    with torch.no_grad():
        for parameter in (*backbone.parameters(), *head.parameters()):
            parameter.copy_(0.3 * torch.randn_like(parameter))
    return backbone, head
