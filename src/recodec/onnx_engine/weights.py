"""Weights of a checkpoint in the shapes in which the graphs of `build.py` want them. NumPy only."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .. import architecture as arch
from ..checkpoint import codebooks_of
from ..config import EncodecConfig

Tensors = Mapping[str, np.ndarray]


def graph_weights(config: EncodecConfig, tensors: Tensors, part: str) -> dict[str, np.ndarray]:
    """Weights of one part, by the names that the graphs give them, float32.

    Args:
        config: of the model.
        tensors: of a checkpoint in our layout, with weight norm folded.
        part: `"encoder"`, `"decoder"` or `"quantizer"`.
    """
    if part == "quantizer":
        return _codebooks(config, tensors)
    layers = arch.encoder_layers(config) if part == "encoder" else arch.decoder_layers(config)
    weights: dict[str, np.ndarray] = {}
    for layer in arch.weighted_layers(layers):
        name = f"{part}.{layer.name}"
        weights |= _lstm(layer, name, tensors) if isinstance(layer, arch.Lstm) else _conv(layer, name, tensors)
    return {name: np.ascontiguousarray(weight, np.float32) for name, weight in weights.items()}


def _codebooks(config: EncodecConfig, tensors: Tensors) -> dict[str, np.ndarray]:
    """All codebooks in one, for looking up, and each alone (in the same memory), for searching."""
    stacked = codebooks_of(tensors, config)
    weights = {"quantizer.embed": stacked.reshape(-1, config.hidden_size)}
    for k, book in enumerate(stacked):
        # The offset is -|e|^2 / 2, from which the search starts its scores (`build._quantize`).
        weights |= {f"quantizer.{k}.embed": book, f"quantizer.{k}.offset": np.square(book).sum(axis=1) / -2}
    return weights


def _conv(layer: arch.Conv | arch.TransposedConv, name: str, tensors: Tensors) -> dict[str, np.ndarray]:
    weight, bias = tensors[f"{name}.conv.weight"], tensors[f"{name}.conv.bias"]
    if isinstance(layer, arch.TransposedConv):
        weight, bias = _as_conv(weight, layer.stride), np.repeat(bias, layer.stride)
    weights = {f"{name}.conv.weight": weight[:, :, None], f"{name}.conv.bias": bias}
    if layer.norm == "time_group_norm":
        weights |= {f"{name}.norm.{end}": tensors[f"{name}.norm.{end}"][:, None, None] for end in ("weight", "bias")}
    return weights


def _as_conv(weight: np.ndarray, stride: int) -> np.ndarray:
    """A transposed convolution's (C, C', 2 s) weight to that of the convolution that does its work.

    Frame f gives W[:, :, :s] to its own s outputs and W[:, :, s:] to those of frame f + 1; so the outputs
    of frame f are W[:, :, s:] of the frame before and W[:, :, :s] of the frame itself: (C' s, C, 2).
    """
    inputs, outputs, _ = weight.shape
    halves = weight.reshape(inputs, outputs, 2, stride)[:, :, ::-1]
    return halves.transpose(1, 3, 0, 2).reshape(outputs * stride, inputs, 2)


def _lstm(layer: arch.Lstm, name: str, tensors: Tensors) -> dict[str, np.ndarray]:
    weights: dict[str, np.ndarray] = {}
    for index in range(layer.num_layers):
        sides = {
            "input": tensors[f"{name}.lstm.weight_ih_l{index}"],
            "recurrence": tensors[f"{name}.lstm.weight_hh_l{index}"],
        }
        for side, weight in sides.items():
            weights[f"{name}.{index}.{side}"] = _onnx_gates(weight)[None]
        biases = [_onnx_gates(tensors[f"{name}.lstm.bias_{side}_l{index}"]) for side in ("ih", "hh")]
        weights[f"{name}.{index}.bias"] = np.concatenate(biases)[None]
    return weights


def _onnx_gates(weight: np.ndarray) -> np.ndarray:
    """Rows of the gates (input, forget, cell, output) to ONNX's order (input, output, forget, cell)."""
    i, f, g, o = np.split(weight, 4)
    return np.concatenate([i, o, f, g])
