"""From the floating-point weights of a trained `CodeLM` to the integers of an `ExactLM`.

Every unit is a power of two, chosen from the weights alone: by Cauchy-Schwarz, |w . x| <= |w| |x|, and
a normalized x has length sqrt(d), so each activation's range is known without looking at data. Within
the bounds of `weights.py` each column of weights gets as many bits as it can have.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from .arithmetic import DIFFERENCE_LIMIT, EXACT_LIMIT, NORM_SHIFT, STEP_BITS, norm_max
from .config import CodeLMConfig
from .weights import DISTANCE_MAX, ENTRY_SHIFT_MAX, HIDDEN_MAX, attention_max, head_in_max, tensor_specs

_INT8_MAX = (1 << 7) - 1
_INT16_MAX = (1 << 15) - 1
_ENTRY_MAX = _INT8_MAX << ENTRY_SHIFT_MAX
BITS_PER_NAT = 1 / math.log(2)
STREAM_SHIFT_MAX = 10
_SHIFT_RANGE = range(24, -25, -1)


def quantize(config: CodeLMConfig, weights: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Integers that compute what the floats compute.

    Args:
        config: shape of the model.
        weights: parameters of a `CodeLM` by name, floating point.

    Returns:
        tensors as `ExactLM` takes them.
    """
    floats = {name: np.asarray(w, np.float64) for name, w in weights.items()}
    tables = [name for name in ("embed", "condition") if name in floats]
    largest = max(float(np.abs(floats[name]).max()) for name in ("start", *tables))
    stream = min(STREAM_SHIFT_MAX, _shift_for(largest, _ENTRY_MAX))
    tensors: dict[str, np.ndarray] = {"start": np.rint(floats["start"] * 2.0**stream)}
    for name in tables:
        tensors |= _entries(name, floats[name] * 2.0**stream)
    for i in range(config.num_layers):
        layer = {key.removeprefix(f"layers.{i}."): w for key, w in floats.items() if key.startswith(f"layers.{i}.")}
        tensors |= {f"layers.{i}.{key}": w for key, w in _layer(config, layer, stream).items()}
    tensors |= _heads(config, floats)
    specs = tensor_specs(config)
    return {name: tensor.astype(specs[name][0]) for name, tensor in tensors.items()}


def _entries(name: str, tables: np.ndarray) -> dict[str, np.ndarray]:
    """(K, N, width) numbers of at most `_ENTRY_MAX` as int8, each entry with the shift that it needs."""
    reach = np.abs(tables).max(axis=2)
    shifts = np.ceil(np.log2(np.maximum(reach, 1) / _INT8_MAX)).clip(0, ENTRY_SHIFT_MAX)
    rounded = np.rint(tables * 2.0 ** -shifts[:, :, None])
    return {name: rounded.clip(-_INT8_MAX, _INT8_MAX), f"{name}.shift": shifts}


def _layer(config: CodeLMConfig, w: Mapping[str, np.ndarray], stream: int) -> dict[str, np.ndarray]:
    width, heads, size = config.width, config.num_heads, config.head_size
    bound = attention_max(config)
    packed = w["query_key_value"].copy()
    packed[:, :width] *= BITS_PER_NAT / math.sqrt(size)  # scores in bits
    # One unit for the queries of a head, one for its keys, one for its values.
    reach = (_lengths(packed) * math.sqrt(width)).reshape(3, heads, size).max(axis=2)
    units = np.vectorize(lambda r: _shift_for(r, bound), otypes=[np.int64])(reach)
    scores = units[0] + units[1]
    distance = np.rint(w["distance"] * BITS_PER_NAT * 2.0 ** scores[:, None])
    hidden = _shifts_for(_lengths(w["up"]) * math.sqrt(width), HIDDEN_MAX)
    norm = np.full(width, NORM_SHIFT)
    return {
        **_product("query_key_value", packed, norm, norm_max(width), np.repeat(units.ravel(), size)),
        "distance": np.clip(distance, -DISTANCE_MAX, DISTANCE_MAX),
        "score_shift": scores - STEP_BITS,
        **_product("out", w["out"], np.repeat(units[2], size), bound, np.full(width, stream)),
        **_product("up", w["up"], norm, norm_max(width), hidden),
        **_product("down", w["down"], hidden, HIDDEN_MAX, np.full(width, stream)),
    }


def _heads(config: CodeLMConfig, w: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    found: list[dict[str, np.ndarray]] = []
    for k in range(config.num_codebooks):
        head: dict[str, np.ndarray] = {}
        units = np.full(config.logits_in, NORM_SHIFT)
        if config.head_width:
            units = _shifts_for(_lengths(w["hidden"][k]) * math.sqrt(config.width), HIDDEN_MAX)
            head = _product("hidden", w["hidden"][k], np.full(config.width, NORM_SHIFT), norm_max(config.width), units)
        logits = w["logits"][k] * BITS_PER_NAT * 2.0 ** -units[:, None]
        bias = w["bias"][k] * BITS_PER_NAT
        # All scores of a codebook share a unit, since they are compared. One bit is left for the rounding of entries.
        unit = _fit(logits, head_in_max(config), DIFFERENCE_LIMIT, bias=bias).min() - 1
        table = _entries("logits", logits.T[None] * 2.0**unit)
        found.append({
            **head,
            **{name: entry[0] for name, entry in table.items()},
            "bias": np.rint(bias * 2.0**unit),
            "score_shift": unit - STEP_BITS,
        })  # fmt: skip
    return {name: np.stack([head[name] for head in found]) for name in found[0]}


def _product(
    name: str, weight: np.ndarray, in_units: np.ndarray, in_max: int, out_units: np.ndarray
) -> dict[str, np.ndarray]:
    """Integers and shifts of x @ weight, x's entries being in units of 2^-in_units, the result's of 2^-out_units."""
    weight = weight * 2.0 ** -in_units[:, None]
    scale = _fit(weight, in_max, EXACT_LIMIT)
    return {name: np.rint(weight * 2.0**scale), f"{name}.shift": scale - out_units}


def _fit(weight: np.ndarray, in_max: int, limit: int, *, bias: np.ndarray | float = 0.0) -> np.ndarray:
    """For each column the largest shift whose rounded weights stay in int16 and within the product's bound."""
    best = np.full(weight.shape[1], _SHIFT_RANGE[-1])
    for shift in reversed(_SHIFT_RANGE):
        sizes = np.abs(np.rint(weight * 2.0**shift))
        total = sizes.sum(axis=0) * in_max + np.abs(np.rint(bias * 2.0**shift))
        best = np.where((total <= limit) & (sizes.max(axis=0) <= _INT16_MAX), shift, best)
    return best


def _lengths(weight: np.ndarray) -> np.ndarray:
    return np.sqrt(np.square(weight).sum(axis=0))


def _shift_for(reach: float, bound: int) -> int:
    """The largest shift, within reason, that keeps numbers up to `reach` within `bound`."""
    if reach <= 0:
        return 0
    return min(_SHIFT_RANGE[0], math.floor(math.log2(bound / reach)))


def _shifts_for(reach: np.ndarray, bound: int) -> np.ndarray:
    return np.array([_shift_for(float(r), bound) for r in reach])
