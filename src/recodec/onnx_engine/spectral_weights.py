"""Weights of a spectral decoder in the shapes in which its graphs want them. NumPy only."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .. import spectral as arch
from ..spectral import SpectralConfig
from .weights import Tensors

_PARITIES = ("even", "odd")


GELU_DIP = 0.17
"""What is added to the result of a GELU, so that it is not below 0."""

_INT8_MAX = 64  # AVX2 adds two products of 8 bits within 16: 2 * 255 * 64 is the most that it takes


def spectral_weights(config: SpectralConfig, tensors: Tensors, *, int8: bool = False) -> dict[str, np.ndarray]:
    """Weights by the names that the graphs give them, float32; the transform's matrix is among them.

    With `int8` the products of the blocks are int8, with a `.scale` for each output.
    """
    weights: dict[str, np.ndarray] = {}

    def take(name: str) -> np.ndarray:
        return np.asarray(tensors[name], np.float32)

    for layer in arch.spectral_layers(config):
        match layer:
            case arch.FrameConv():
                weights[f"{layer.name}.weight"] = (
                    take(f"{layer.name}.weight").transpose(2, 1, 0).reshape(-1, layer.out_channels)
                )
                weights[f"{layer.name}.bias"] = take(f"{layer.name}.bias")
            case arch.FrameNorm():
                weights |= _norm(layer, tensors)
            case arch.ConvNext():
                weights |= _block(layer, tensors)
            case arch.InverseStft():
                weights[f"{layer.name}.weight"] = take(f"{layer.name}.weight").T
                weights[f"{layer.name}.bias"] = take(f"{layer.name}.bias")
                weights |= _transform(layer)
    weights = {name: np.ascontiguousarray(weight, np.float32) for name, weight in weights.items()}
    if int8:
        for layer in arch.spectral_layers(config):
            if isinstance(layer, arch.ConvNext):
                weights |= _rounded(f"{layer.name}.pwconv1", weights, 0.0)
                weights |= _rounded(f"{layer.name}.pwconv2", weights, GELU_DIP)
    return weights


def _rounded(name: str, weights: Mapping[str, np.ndarray], shift: float) -> dict[str, np.ndarray]:
    """A product with int8 weights, whose inputs are greater by `shift`, and its scales and bias."""
    weight, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
    scale = np.maximum(np.abs(weight).max(0), np.finfo(np.float32).tiny) / np.float32(_INT8_MAX)
    rounded = np.rint(weight / scale).astype(np.int8)
    taken_off = shift * (rounded * scale.astype(np.float64)).sum(0)
    return {
        f"{name}.weight": rounded,
        f"{name}.scale": scale.astype(np.float32),
        f"{name}.bias": (bias - taken_off).astype(np.float32),
    }


def _norm(layer: arch.FrameNorm, tensors: Tensors) -> dict[str, np.ndarray]:
    kinds = ("scale.weight", "shift.weight") if layer.conditions else ("weight", "bias")
    return {f"{layer.name}.{kind}": tensors[f"{layer.name}.{kind}"] for kind in kinds}


def _block(block: arch.ConvNext, tensors: Tensors) -> dict[str, np.ndarray]:
    """`gamma` is part of the second product."""
    name, depthwise = block.name, block.depthwise.name
    gamma = np.asarray(tensors[f"{name}.gamma"], np.float32)
    return {
        f"{depthwise}.bias": tensors[f"{depthwise}.bias"],
        f"{depthwise}.weight": tensors[f"{depthwise}.weight"][:, :, None],
        **_norm(block.norm, tensors),
        f"{name}.pwconv1.weight": tensors[f"{name}.pwconv1.weight"].T,
        f"{name}.pwconv1.bias": tensors[f"{name}.pwconv1.bias"],
        f"{name}.pwconv2.weight": tensors[f"{name}.pwconv2.weight"].T * gamma,
        f"{name}.pwconv2.bias": tensors[f"{name}.pwconv2.bias"] * gamma,
    }


def _transform(layer: arch.InverseStft) -> dict[str, np.ndarray]:
    """The inverse real transform over the first quarter of a window, by kind of wave; and Hann's window.

    Bins but the first and the last stand for two of the full spectrum; the sines of those two are zero.
    """
    size, hop = layer.n_fft, layer.hop_length
    bins, samples = np.arange(size // 2 + 1)[:, None], np.arange(size // 4 + 1)
    # Whole periods are taken off while the product is an integer, which costs no precision.
    angle = 2 * np.pi * (bins * samples % size) / size
    ends = (bins == 0) | (bins == size // 2)
    waves = {"Cos": np.where(ends, 1, 2) / size * np.cos(angle), "Sin": np.where(ends, 0, 2) / size * np.sin(angle)}
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)
    squared = np.square(window)
    return {
        **{
            f"inverse_stft.{kind}.{parity}": wave[i::2]
            for kind, wave in waves.items()
            for i, parity in enumerate(_PARITIES)
        },
        "window": window,
        "squared_window": squared,
        "envelope": squared.reshape(-1, hop).sum(0),
    }
