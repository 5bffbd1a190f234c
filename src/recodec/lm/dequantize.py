"""From the integers of an exact model back to weights of a `CodeLM`, so that training can go on from a shipped one.

It undoes `quantize`, but for the rounding. The integers do not tell the unit of what flows between two products, and
the network's results do not depend on it: it is chosen here.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .arithmetic import NORM_SHIFT, STEP_BITS
from .config import CodeLMConfig
from .quantize import BITS_PER_NAT, STREAM_SHIFT_MAX
from .weights import entries


def dequantize(config: CodeLMConfig, tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Floating-point weights that compute what the integers compute.

    Args:
        config: shape of the model.
        tensors: as `ExactLM` takes them.

    Returns:
        float64 parameters by the names that `quantize` takes.
    """
    stream = 2.0**-STREAM_SHIFT_MAX
    weights = {"start": tensors["start"] * stream, "embed": entries(tensors, "embed") * stream}
    if config.conditioned:
        weights["condition"] = entries(tensors, "condition") * stream
    for i in range(config.num_layers):
        prefix = f"layers.{i}."
        layer = {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}
        weights |= {prefix + name: w for name, w in _layer(config, layer).items()}
    return {**weights, **_heads(config, tensors)}


def _layer(config: CodeLMConfig, tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    width, heads, size = config.width, config.num_heads, config.head_size
    scores = tensors["score_shift"].astype(np.float64) + STEP_BITS  # units of a query and a key together, (heads,)
    units = np.stack([scores // 2, scores - scores // 2, scores // 2])
    norm = np.full(width, NORM_SHIFT)
    packed = _product("query_key_value", tensors, norm, np.repeat(units.ravel(), size))
    packed[:, :width] *= np.sqrt(size) / BITS_PER_NAT
    hidden = _units_of_length_one("up", tensors)
    stream = np.full(width, STREAM_SHIFT_MAX)
    return {
        "query_key_value": packed,
        "distance": tensors["distance"] / (BITS_PER_NAT * 2.0 ** scores[:, None]),
        "out": _product("out", tensors, np.repeat(units[2], size).reshape(heads * size), stream),
        "up": _product("up", tensors, norm, hidden),
        "down": _product("down", tensors, hidden, stream),
    }


def _heads(config: CodeLMConfig, tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    tables = entries(tensors, "logits").transpose(0, 2, 1).astype(np.float64)  # (K, r, N)
    units = tensors["score_shift"].astype(np.float64) + STEP_BITS
    scale = BITS_PER_NAT * 2.0**units
    weights = {"bias": tensors["bias"] / scale[:, None]}
    inputs = np.full((config.num_codebooks, config.logits_in), float(NORM_SHIFT))
    if config.head_width:
        hidden: list[np.ndarray] = []
        for k in range(config.num_codebooks):
            head = {name: tensors[name][k] for name in ("hidden", "hidden.shift")}
            inputs[k] = _units_of_length_one("hidden", head)
            hidden.append(_product("hidden", head, np.full(config.width, NORM_SHIFT), inputs[k]))
        weights["hidden"] = np.stack(hidden)
    weights["logits"] = tables * 2.0 ** inputs[:, :, None] / scale[:, None, None]
    return weights


def _product(name: str, tensors: Mapping[str, np.ndarray], in_units: np.ndarray, out_units: np.ndarray) -> np.ndarray:
    """The matrix of x @ weight, x's entries being in units of 2^-in_units, the result's of 2^-out_units."""
    shift = tensors[name + ".shift"].astype(np.float64) + out_units
    return tensors[name] * 2.0 ** in_units[:, None] * 2.0**-shift


def _units_of_length_one(name: str, tensors: Mapping[str, np.ndarray]) -> np.ndarray:
    """Units with which each column of a matrix that reads a normalized input is about 1 long, as new ones are."""
    plain = _product(name, tensors, np.full(tensors[name].shape[0], NORM_SHIFT), np.zeros(tensors[name].shape[1]))
    lengths = np.sqrt(np.square(plain).sum(axis=0))
    return np.rint(np.log2(np.maximum(lengths, 2.0**-60)))
