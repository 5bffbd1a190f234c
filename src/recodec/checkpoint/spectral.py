"""Weights of spectral decoders: our own files beside a model, and Vocos's checkpoints. NumPy only."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..atomic import write_text
from ..config import EncodecConfig
from ..errors import CheckpointError, ConfigError
from ..spectral import SPECTRAL_CONFIG_NAME, SPECTRAL_WEIGHTS_NAME, SpectralConfig, spectral_tensors
from .files import write_safetensors

_VOCOS_CODEBOOKS = "feature_extractor.codebook_weights"
_VOCOS_PARTS = ("backbone.", "head.out.")
_VOCOS_MAX_MAGNITUDE = 100.0
_VOCOS_NORM_EPS = 1e-6

Spectral = tuple[SpectralConfig, dict[str, np.ndarray]]
Tensors = Mapping[str, np.ndarray]


def codebooks_of(tensors: Tensors, config: EncodecConfig) -> np.ndarray:
    """The codebooks (K, N, D) float32 of a model in our layout."""
    books = [tensors[f"quantizer.layers.{k}.codebook.embed"] for k in range(config.num_quantizers)]
    return np.stack(books).astype(np.float32)


def codebook_digest(codebooks: np.ndarray) -> str:
    """SHA-256 of codebooks (K, N, D), 64 hexadecimal digits: of their sizes and their values as float32."""
    digest = hashlib.sha256(f"{list(codebooks.shape)}\n".encode())
    digest.update(np.ascontiguousarray(codebooks, "<f4").tobytes())
    return digest.hexdigest()


def check_spectral(config: SpectralConfig, tensors: Tensors, source: str | Path) -> dict[str, np.ndarray]:
    """The tensors of a spectral decoder, in float32.

    Args:
        config: of the decoder.
        tensors: of its file.
        source: what errors call it.

    Raises:
        CheckpointError: if one is missing, too many, of another shape, or not finite.
    """
    shapes = spectral_tensors(config)
    for name, shape in shapes.items():
        if name not in tensors:
            raise CheckpointError(f"{source} has no tensor {name}")
        if tensors[name].shape != shape:
            raise CheckpointError(f"{name} of {source} has the shape {tensors[name].shape}, not {shape}")
        if not np.isfinite(tensors[name]).all():
            raise CheckpointError(f"{name} of {source} has values that are not finite")
    if unknown := sorted(set(tensors) - set(shapes)):
        raise CheckpointError(f"{source} has tensors of another model, for example {unknown[0]}")
    return {name: np.asarray(tensors[name], np.float32) for name in shapes}


def check_fit(config: SpectralConfig, model: EncodecConfig, codebooks: np.ndarray) -> None:
    """Make sure that a spectral decoder decodes a model's codes.

    Args:
        config: of the decoder.
        model: whose codes it is to decode.
        codebooks: (K, N, D) of that model.

    Raises:
        CheckpointError: if it does not.
    """
    if model.normalize or model.chunk_length is not None or model.audio_channels != 1:
        raise CheckpointError(
            "spectral decoders are for models of one channel that neither normalize nor have segments"
        )
    for name, found, wanted in (
        ("hop_length", config.hop_length, model.hop_length),
        ("input_channels", config.input_channels, model.hidden_size),
    ):
        if found != wanted:
            raise CheckpointError(f"the spectral decoder has a {name} of {found}, the model one of {wanted}")
    known = max(config.condition_codebooks, default=len(codebooks))
    if config.codebooks and config.codebooks != codebook_digest(codebooks[:known]):
        raise CheckpointError("the spectral decoder was made for other codebooks than the model's")


def write_spectral(folder: str | Path, config: SpectralConfig, tensors: Tensors, dtype: str = "float32") -> None:
    """Write `spectral.safetensors` and `spectral_config.json` to a model's folder, which must exist.

    Args:
        folder: of the model.
        config, tensors: of the decoder.
        dtype: of the numbers in the file: `float32` or `float16`.

    Raises:
        CheckpointError: as `check_spectral`.
    """
    checked = check_spectral(config, tensors, "the decoder")
    folder = Path(folder)
    write_safetensors(folder / SPECTRAL_WEIGHTS_NAME, {name: t.astype(dtype) for name, t in checked.items()})
    write_text(folder / SPECTRAL_CONFIG_NAME, config.to_json_string())


def vocos_config(settings: Any, model: EncodecConfig, codebooks: str) -> SpectralConfig:
    """The configuration of a Vocos decoder for EnCodec's codes.

    Args:
        settings: content of its `config.yaml`.
        model: whose codes it decodes.
        codebooks: digest of the codebooks in its checkpoint.

    Raises:
        ConfigError: for a Vocos of another kind, or for mel spectrograms.
    """
    try:
        parts = [settings[name] for name in ("feature_extractor", "backbone", "head")]
        kinds = tuple(part["class_path"].rsplit(".", 1)[-1] for part in parts)
        features, backbone, head = (dict(part["init_args"]) for part in parts)
        if kinds != ("EncodecFeatures", "VocosBackbone", "ISTFTHead"):
            raise ConfigError(
                f"this Vocos is made of {', '.join(kinds)}; only those for EnCodec's codes are decoders here"
            )
        if head.get("padding", "same") != "same":
            raise ConfigError(f"this Vocos pads its transform by {head['padding']!r}; only 'same' has whole frames")
        adapted = backbone.get("adanorm_num_embeddings")
        bandwidths = [float(bandwidth) for bandwidth in features.get("bandwidths", (1.5, 3.0, 6.0, 12.0))]
        if adapted not in (None, len(bandwidths)):
            raise ConfigError(f"this Vocos has {len(bandwidths)} bandwidths, and norms for {adapted}")
        return SpectralConfig(
            input_channels=backbone["input_channels"],
            dim=backbone["dim"],
            intermediate_dim=backbone["intermediate_dim"],
            num_layers=backbone["num_layers"],
            n_fft=head["n_fft"],
            hop_length=head["hop_length"],
            look_ahead=3,
            block_look_ahead=3,
            norm_eps=_VOCOS_NORM_EPS,
            max_magnitude=_VOCOS_MAX_MAGNITUDE,
            condition_codebooks=tuple(map(model.quantizers_for, bandwidths)) if adapted else (),
            codebooks=codebooks,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ConfigError(f"this is not a configuration of Vocos: {error!r}") from error


def split_vocos(state: Tensors, model: EncodecConfig, source: str | Path) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """The decoder's tensors of a Vocos checkpoint, and the codebooks (K, N, D) that it was made for.

    Raises:
        CheckpointError: if it has no codebooks, or some of another size than the model's.
    """
    books = state.get(_VOCOS_CODEBOOKS)
    size = model.codebook_size * model.hidden_size
    if books is None or books.ndim != 2 or books.shape[1] != model.hidden_size or books.size % size:
        raise CheckpointError(f"{source} has no codebooks of {model.codebook_size} entries of {model.hidden_size}")
    tensors = {name: tensor for name, tensor in state.items() if name.startswith(_VOCOS_PARTS)}
    return tensors, books.reshape(-1, model.codebook_size, model.hidden_size)
